import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { StoredNode } from '../../../contracts/objects/index.ts';
import { podDefaultsOf } from '../../../reconciler/core/nodes/claimed-template.ts';
import { latePods } from '../../../reconciler/core/nodes/late-pods.ts';
import { Claim, type PodReport } from '../../../contracts/agent/index.ts';
import { planReplicaSet } from '../../../reconciler/core/workloads/replicaset.ts';
import { HASH_LABEL, replicaSetWith } from '../../../reconciler/core/workloads/template.ts';
import { heldBack, PODS_KNOWN, UNHEARD_ANNOTATION } from '../../../reconciler/core/workloads/unheard.ts';
import { condition, deployment, node } from '../controllers/objects.ts';
import { stored } from '../nodes/stored.ts';

const NOW = new Date('2026-03-01T12:00:00Z');
const since = (seconds: number): string => new Date(NOW.getTime() - seconds * 1000).toISOString();
const set = replicaSetWith(stored<'Deployment'>(deployment()), deployment().spec.template, 'bcdfg');
const rs = (unheard: number | undefined, replicas = 3) =>
  stored<'ReplicaSet'>({
    ...set,
    metadata: {
      ...set.metadata,
      uid: 'rs',
      ...(unheard !== undefined && { annotations: { [UNHEARD_ANNOTATION]: String(unheard) } }),
    },
    spec: { ...set.spec, replicas },
  });
const unreachable = (seconds: number) => [
  { key: 'node.kubernetes.io/unreachable', effect: 'NoExecute' as const, timeAdded: since(seconds) },
];
function silent(
  name: string,
  known: 'True' | 'False',
  ready?: 'True' | 'Unknown',
  taints: ReturnType<typeof unreachable> = [],
): StoredNode {
  const made = node(name, { spec: { taints } });
  return stored<'Node'>({
    ...made,
    status: { conditions: [condition(PODS_KNOWN, known), ...(ready ? [condition('Ready', ready)] : [])] },
  });
}

describe('pods that may be on nodes which did not answer a recovery', () => {
  const cases: readonly (readonly [string, number | undefined, readonly StoredNode[], number, number | undefined])[] = [
    ['are none of a ReplicaSet that misses none', undefined, [silent('a', 'False')], 0, undefined],
    ['are held back within the grace period', 2, [silent('a', 'False')], 2, undefined],
    [
      'are held back for as long as pods tolerate the silence',
      2,
      [silent('a', 'False', 'Unknown', unreachable(100))],
      2,
      200_000,
    ],
    ['are given up then', 2, [silent('a', 'False', 'Unknown', unreachable(300))], 0, undefined],
    [
      'wait for the slowest of several nodes, and look again at the first',
      2,
      [
        silent('a', 'False', 'Unknown', unreachable(301)),
        silent('b', 'False', 'Unknown', unreachable(10)),
        silent('c', 'False', 'Unknown', unreachable(20)),
      ],
      2,
      280_000,
    ],
    ['are none once all nodes told', 2, [silent('a', 'True', 'True'), silent('b', 'True')], 0, undefined],
  ];
  for (const [what, unheard, nodes, pods, againInMs] of cases)
    it(what, () =>
      assert.deepEqual(
        heldBack(rs(unheard), nodes, (_node, { timeAdded }) => NOW.getTime() - Date.parse(timeAdded ?? '')),
        { pods, againInMs },
      ),
    );

  const plan = (unheard: number | undefined, held: { pods: number; againInMs: number | undefined }) => {
    let suffix = 0;
    return planReplicaSet({
      replicaSet: rs(unheard),
      pods: [],
      related: () => [],
      now: NOW,
      held,
      suffix: () => `s${(suffix += 1)}`,
      nameTaken: () => false,
    });
  };
  it('are not made, the others are', () => {
    const { steps, requeueAfterMs } = plan(2, { pods: 2, againInMs: 500 });
    assert.equal(steps.filter((step) => step.do === 'create').length, 1);
    assert.equal(requeueAfterMs, 500);
  });
  it('are made, and forgotten, when they are given up', () => {
    const { steps } = plan(2, { pods: 0, againInMs: undefined });
    assert.equal(steps.filter((step) => step.do === 'create').length, 3);
    const update = steps.find((step) => step.do === 'update');
    assert.deepEqual(update?.object.metadata.annotations, {});
  });
});

describe('pods of a node that told late', () => {
  const claim = (name: string, over: object = {}, created = '2026-01-01T00:00:00Z'): Claim =>
    Claim.parse({
      kind: 'Pod',
      metadata: {
        name,
        namespace: 'default',
        uid: `uid-${name}`,
        creationTimestamp: created,
        labels: { app: 'web', [HASH_LABEL]: 'bcdfg' },
        ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-bcdfg', controller: true }],
      },
      spec: { ...deployment().spec.template.spec, nodeName: 'a', ...over },
    });
  const late = (claims: readonly Claim[], replicas = 3, has = false, pods: readonly PodReport[] = []): string[] =>
    latePods({
      word: { node: 'a', claims, pods },
      known: { podCIDR: undefined, internalIP: undefined },
      makers: [rs(2, replicas)],
      defaults: podDefaultsOf([]),
      earlier: () => [],
      podsOf: () => [],
      has: () => has,
      now: NOW,
    }).map(({ metadata }) => metadata.name);

  it('are followed, with the ReplicaSet that the store has as their owner', () => {
    const [made] = latePods({
      word: { node: 'a', claims: [claim('p')], pods: [] },
      known: { podCIDR: undefined, internalIP: undefined },
      makers: [rs(2)],
      defaults: podDefaultsOf([]),
      earlier: () => [],
      podsOf: () => [],
      has: () => false,
      now: NOW,
    });
    assert.deepEqual([made?.metadata.uid, made?.metadata.ownerReferences?.[0]?.uid], ['uid-p', 'rs']);
    assert.equal(made?.kind === 'Pod' && made.spec.nodeName, 'a');
  });
  it('are followed as far as they are missing, the oldest first', () =>
    assert.deepEqual(
      late([claim('young', {}, '2026-02-01T00:00:00Z'), claim('old'), claim('mid', {}, '2026-01-15T00:00:00Z')], 2),
      ['old', 'mid'],
    ));
  it('take no place where they have ended', () => {
    const reports: PodReport[] = [
      {
        namespace: 'default',
        name: 'evicted',
        uid: 'uid-evicted',
        gone: false,
        status: { phase: 'Failed', reason: 'Evicted' },
      },
    ];
    assert.deepEqual(late([claim('evicted'), claim('runs', {}, '2026-02-01T00:00:00Z')], 1, false, reports), ['runs']);
  });
  it('are not followed where they are there, elsewhere, or not as Git has them', () => {
    assert.deepEqual(late([claim('p')], 3, true), []);
    assert.deepEqual(late([claim('p', { nodeName: 'b' })]), []);
    assert.deepEqual(late([claim('p', { hostNetwork: true })]), []);
    assert.deepEqual(late([claim('p')], 0), []);
  });
});
