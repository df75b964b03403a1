/**
 * Source: kube-scheduler, ImageLocality: 0 below 23Mi, 100 from 1000Mi for each container, less where few nodes have
 * the image.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ContainerImage, Node, Pod } from '../../../contracts/objects/index.ts';
import { node, pod } from '../controllers/objects.ts';
import { schedulerFor, scores, stored } from './situation.ts';

const MI = 2 ** 20;
const image = (mi: number, ...names: string[]): ContainerImage => ({ names, sizeBytes: mi * MI });
function having(name: string, ...images: ContainerImage[]): Node {
  const bare = node(name);
  return { ...bare, status: { ...bare.status, images } };
}
const running = (...images: string[]): Pod =>
  pod('p', { containers: images.map((name, at) => ({ name: `c${at}`, image: name })) });
/** Where so many mebibytes lie between the thresholds of so many containers. */
const scored = (mi: number, containers = 1): number =>
  Math.round(((100 * (mi - 23)) / (1000 * containers - 23)) * 100) / 100;

describe('ImageLocality', () => {
  const rows: readonly { title: string; nodes: readonly Node[]; pod: Pod; scores: Record<string, number> }[] = [
    {
      title: 'as large as it gets',
      nodes: [having('n', image(1000, 'app:v1'))],
      pod: running('app:v1'),
      scores: { n: 100 },
    },
    { title: 'larger still', nodes: [having('n', image(9000, 'app:v1'))], pod: running('app:v1'), scores: { n: 100 } },
    { title: 'too small to tell', nodes: [having('n', image(23, 'app:v1'))], pod: running('app:v1'), scores: { n: 0 } },
    {
      title: 'in between',
      nodes: [having('n', image(500, 'app:v1'))],
      pod: running('app:v1'),
      scores: { n: scored(500) },
    },
    {
      title: 'half the nodes have it: it counts half',
      nodes: [having('a', image(500, 'app:v1')), having('b')],
      pod: running('app:v1'),
      scores: { a: scored(250), b: 0 },
    },
    {
      title: 'all have it',
      nodes: [having('a', image(500, 'app:v1')), having('b', image(500, 'app:v1'))],
      pod: running('app:v1'),
      scores: { a: scored(500), b: scored(500) },
    },
    {
      title: 'two containers',
      nodes: [having('n', image(500, 'app:v1'), image(100, 'proxy:v1'))],
      pod: running('app:v1', 'proxy:v1'),
      scores: { n: scored(600, 2) },
    },
    {
      title: 'two containers of one image',
      nodes: [having('n', image(500, 'app:v1'))],
      pod: running('app:v1', 'app:v1'),
      scores: { n: scored(1000, 2) },
    },
    {
      title: 'init containers count',
      nodes: [having('n', image(500, 'app:v1'), image(100, 'setup:v1'))],
      pod: pod('p', {
        containers: [{ name: 'a', image: 'app:v1' }],
        initContainers: [{ name: 'i', image: 'setup:v1' }],
      }),
      scores: { n: scored(600, 2) },
    },
    {
      title: 'no tag means latest',
      nodes: [having('n', image(500, 'app:latest'))],
      pod: running('app'),
      scores: { n: scored(500) },
    },
    {
      title: 'a port is no tag',
      nodes: [having('n', image(500, 'registry:5000/app:latest'))],
      pod: running('registry:5000/app'),
      scores: { n: scored(500) },
    },
    {
      title: 'another name of it',
      nodes: [having('n', image(500, 'app:v1', 'app@sha256:abc'))],
      pod: running('app@sha256:abc'),
      scores: { n: scored(500) },
    },
    {
      title: 'another tag is another image',
      nodes: [having('n', image(500, 'app:v2'))],
      pod: running('app:v1'),
      scores: {},
    },
  ];
  for (const { title, nodes, pod: wanted, scores: expected } of rows)
    it(title, () => assert.deepEqual(scores({ nodes }, wanted, 'ImageLocality'), expected));

  it('follows what nodes report', () => {
    const scheduler = schedulerFor({ nodes: [having('a'), having('b')] });
    const rated = (): number[] =>
      scheduler
        .ranking(stored(running('app:v1')), 9)
        .flatMap(({ plugins }) =>
          plugins.filter(({ plugin }) => plugin === 'ImageLocality').map(({ score }) => Math.round(score * 100) / 100),
        );
    assert.deepEqual(rated(), []);
    scheduler.cluster.setNode(having('a', image(500, 'app:v1')));
    assert.deepEqual(rated(), [scored(250), 0]);
    scheduler.cluster.removeNode('b');
    assert.deepEqual(rated(), [scored(500)]);
    scheduler.cluster.setNode(having('a'));
    assert.deepEqual(rated(), []);
  });
});
