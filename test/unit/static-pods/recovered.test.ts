/** Pods of a node's own files after the store was lost. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Claim } from '../../../contracts/agent/index.ts';
import { recoverState } from '../../../reconciler/core/nodes/recovered-state.ts';
import { finish } from '../../../reconciler/core/paced.ts';
import { staticPods } from '../../../reconciler/core/static-pods/files.ts';
import { machine } from '../controllers/objects.ts';

const TEXT =
  "apiVersion: v1\nkind: Pod\nmetadata: {name: proxy}\nspec: {containers: [{name: main, image: 'proxy:1'}]}\n";

describe("pods of a node's own files, when the store was lost", () => {
  const { pods } = finish(staticPods('n1', [{ name: 'proxy.yaml', text: TEXT }]));
  const claim = (spec: object = {}, metadata: object = {}): Claim => {
    const [pod = assert.fail()] = pods;
    return Claim.parse({
      ...pod,
      metadata: { ...pod.metadata, uid: 'kept', creationTimestamp: '2026-02-01T00:00:00Z', ...metadata },
      spec: { ...pod.spec, ...spec },
    });
  };
  /** What is there again of what a node tells. */
  const found = (node: string, one: Claim) => {
    const { objects, refused } = recoverState({
      words: [{ node, claims: [one], pods: [] }],
      silent: [],
      machines: ['n1', 'n2'].map((name) => machine(name, { maxPods: 20 })),
      source: { name: 'main', url: 'git', branch: 'main' },
      appliedRevision: 'f'.repeat(40),
      applied: new Map(),
      templates: new Map(),
      incarnation: 'i',
      now: new Date('2026-03-01T12:00:00Z'),
    });
    const there = objects.flatMap((object) =>
      object.kind === 'Pod' ? [[object.metadata.uid, object.spec.containers[0]?.image, object.spec.nodeName]] : [],
    );
    return { there, refused: refused.map(({ why }) => why) };
  };

  it('go on as the node tells them, who has the files', () =>
    assert.deepEqual(found('n1', claim()), { there: [['kept', 'proxy:1', 'n1']], refused: [] }));

  it('are none of another node', () =>
    assert.deepEqual(found('n2', claim()), { there: [], refused: ['it is bound to another node'] }));

  for (const [what, one] of [
    ['that has pull secrets', claim({ imagePullSecrets: [{ name: 'registry' }] })],
    ['that has labels, by which others would send to it', claim({}, { labels: { app: 'web' } })],
    ['in another namespace', claim({}, { namespace: 'default' })],
  ] as const)
    it(`are none ${what}`, () => assert.deepEqual(found('n1', one), { there: [], refused: ['no such pod is in Git'] }));
});
