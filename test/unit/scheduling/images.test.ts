/** Which shapes a node's report of its images concerns: those whose pods run one of them, and no others. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ContainerImage, Node } from '../../../contracts/objects/index.ts';
import { ClusterState } from '../../../reconciler/core/scheduling/cluster-state.ts';
import type { PodShape } from '../../../reconciler/core/scheduling/pod-shape.ts';
import { node, pod } from '../controllers/objects.ts';

const MI = 2 ** 20;
const image = (name: string, mi = 500): ContainerImage => ({ names: [name], sizeBytes: mi * MI });
const having = (name: string, ...images: ContainerImage[]): Node => ({
  ...node(name),
  status: { ...node(name).status, images },
});

/** Whether what was derived for pods that run the image is out of date after the change. */
function concerns(change: (cluster: ClusterState) => void, ...images: string[]): boolean {
  const cluster = new ClusterState();
  for (const known of [having('a', image('web:v1'), image('proxy:v1')), having('b', image('web:v1'))])
    cluster.setNode(known);
  const shape: PodShape = cluster.shape(
    pod('p', { containers: images.map((name, at) => ({ name: `c${at}`, image: name })) }),
  );
  const before = cluster.topologyFor(shape);
  change(cluster);
  return cluster.topologyFor(shape) !== before;
}

describe('a report of images concerns', () => {
  const rows: readonly { title: string; report: Node; runs: readonly string[]; concerns: boolean }[] = [
    {
      title: 'pods that run the image that came',
      report: having('b', image('web:v1'), image('db:v1')),
      runs: ['db:v1'],
      concerns: true,
    },
    { title: 'no other pods', report: having('b', image('web:v1'), image('db:v1')), runs: ['web:v1'], concerns: false },
    {
      title: 'pods that run the image that went, of many nodes that have it',
      report: having('b'),
      runs: ['web:v1'],
      concerns: true,
    },
    { title: 'no other pods when it went', report: having('b'), runs: ['proxy:v1'], concerns: false },
    {
      title: 'pods that run an image that no node has any more',
      report: having('a', image('web:v1')),
      runs: ['web:v1', 'proxy:v1'],
      concerns: true,
    },
    {
      title: 'pods that run an image whose size is another',
      report: having('b', image('web:v1', 600)),
      runs: ['web:v1'],
      concerns: true,
    },
    {
      title: 'nobody when it says the same again',
      report: having('b', image('web:v1')),
      runs: ['web:v1'],
      concerns: false,
    },
    {
      title: 'every pod when the node changed, too',
      report: { ...having('b', image('web:v1')), spec: { unschedulable: true } },
      runs: ['db:v1'],
      concerns: true,
    },
  ];
  for (const { title, report, runs, concerns: expected } of rows)
    it(title, () =>
      assert.equal(
        concerns((cluster) => cluster.setNode(report), ...runs),
        expected,
      ),
    );

  it('pods that run an image of a node that is gone', () => {
    assert.equal(
      concerns((cluster) => cluster.removeNode('a'), 'proxy:v1'),
      true,
    );
  });
});
