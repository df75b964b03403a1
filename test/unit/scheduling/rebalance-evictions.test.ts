/** Which pods of a plan are evicted, and how many. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DEFAULT_SETTINGS } from '../../../contracts/objects/index.ts';
import {
  several,
  cpu,
  spread,
  gpu,
  zones,
  movesOf,
  skippedOf,
  table,
  budget,
  NOW,
  nodes,
  placed,
  plan,
  policyOf,
  priorityClass,
  type PodFacts,
  type Scene,
} from './rebalance-bench.ts';

describe('which pods may be evicted', () => {
  const machines = nodes('a b', { a: { spec: { taints: [gpu] } } });
  const rows: readonly (readonly [name: string, pod: PodFacts, evictor: object, obstacle: string | undefined])[] = [
    ['an ordinary pod', {}, {}, undefined],
    ['no controller', { owner: '' }, {}, 'it has no controller that would replace it'],
    [
      'no controller, but marked',
      { owner: '', annotations: { 'descheduler.alpha.kubernetes.io/evict': 'true' } },
      {},
      undefined,
    ],
    ['of a DaemonSet', { ownerKind: 'DaemonSet' }, {}, 'it is one of a DaemonSet'],
    ['of a DaemonSet, allowed', { ownerKind: 'DaemonSet' }, { evictDaemonSetPods: true }, undefined],
    ['critical', { spec: { priorityClassName: 'system-node-critical' } }, {}, 'it has a system critical priority'],
    [
      'critical, allowed',
      { spec: { priorityClassName: 'system-node-critical' } },
      { podProtections: { defaultDisabled: ['SystemCriticalPods'] } },
      undefined,
    ],
    [
      'emptyDir',
      { spec: { volumes: [{ name: 'v', emptyDir: {} }] } },
      {},
      'it has local storage (emptyDir or hostPath)',
    ],
    [
      'hostPath',
      { spec: { volumes: [{ name: 'v', hostPath: { path: '/x' } }] } },
      {},
      'it has local storage (emptyDir or hostPath)',
    ],
    [
      'hostPath, allowed',
      { spec: { volumes: [{ name: 'v', hostPath: { path: '/x' } }] } },
      { evictLocalStoragePods: true },
      undefined,
    ],
    ['another volume', { spec: { volumes: [{ name: 'v', configMap: { name: 'x' } }] } }, {}, undefined],
    ['of another scheduler', { spec: { schedulerName: 'mine' } }, {}, 'it is placed by scheduler mine'],
    [
      'a label',
      { labels: { app: 'web' } },
      { labelSelector: { matchLabels: { app: 'db' } } },
      "the evictor's labelSelector leaves it out",
    ],
    [
      'the threshold',
      { spec: { priorityClassName: 'high' } },
      { priorityThreshold: { value: 100 } },
      'its priority is 100, the threshold 100',
    ],
    [
      'below the threshold',
      { spec: { priorityClassName: 'high' } },
      { priorityThreshold: { name: 'higher' } },
      undefined,
    ],
    [
      'a threshold that is not there',
      {},
      { priorityThreshold: { name: 'none' } },
      'the priorityThreshold names PriorityClass none, which does not exist',
    ],
    ['too few', {}, { minReplicas: 2 }, 'its owner has 1 pods, minReplicas is 2'],
    ['too young', {}, { minPodAge: '1h' }, 'it has not run for 3600 s'],
    [
      'no budget, which is asked for',
      {},
      { podProtections: { extraEnabled: ['PodsWithoutPDB'] } },
      'no PodDisruptionBudget is over it',
    ],
    [
      'asks to stay',
      { annotations: { 'descheduler.alpha.kubernetes.io/prefer-no-eviction': '' } },
      { noEvictionPolicy: 'Mandatory' },
      'it asks not to be evicted',
    ],
    [
      'would like to stay',
      { annotations: { 'descheduler.alpha.kubernetes.io/prefer-no-eviction': '' } },
      {},
      undefined,
    ],
  ];
  for (const [name, facts, evictor, obstacle] of rows) {
    it(name, () => {
      const scene: Scene = {
        nodes: machines,
        pods: [placed('p', { on: 'a', ...facts })],
        policy: policyOf(['RemovePodsViolatingNodeTaints'], evictor),
        priorityClasses: [priorityClass('high', 100), priorityClass('higher', 101)],
      };
      assert.deepEqual(
        [movesOf(scene), skippedOf(scene)],
        obstacle === undefined ? [['p a b'], []] : [[], [`p: ${obstacle}`]],
      );
    });
  }

  it('old enough', () => {
    const p = placed('p', { on: 'a' });
    const pods = [
      {
        ...p,
        status: { ...p.status, phase: 'Running' as const, startTime: new Date(NOW.getTime() - 91_000).toISOString() },
      },
    ];
    assert.deepEqual(
      movesOf({ nodes: machines, pods, policy: policyOf(['RemovePodsViolatingNodeTaints'], { minPodAge: '1m30s' }) }),
      ['p a b'],
    );
  });
});

describe('how many pods are evicted', () => {
  const policy = policyOf(['RemoveDuplicates']);
  const full =
    "Cannot evict pod as it would violate the pod's disruption budget. The disruption budget web needs 8 healthy pods and has 9 currently";
  const used =
    "Cannot evict pod as it would violate the pod's disruption budget. The disruption budget web needs 9 healthy pods and has 9 currently";
  table([
    {
      name: 'not more than a budget allows',
      nodes: nodes('a b c d'),
      pods: several('web', 4, 'a'),
      budgets: [budget('web', 'web', 1)],
      policy,
      moves: ['web-a0 a d'],
      stays: `web-a1: ${full}`,
    },
    {
      name: 'none where a budget is used up',
      nodes: nodes('a b'),
      pods: several('web', 2, 'a'),
      budgets: [budget('web', 'web', 0)],
      policy,
      moves: [],
      stays: `web-a0: ${used}`,
    },
    {
      name: 'of other apps as before',
      nodes: nodes('a b'),
      pods: several('db', 2, 'a'),
      budgets: [budget('web', 'web', 0)],
      policy,
      moves: ['db-a0 a b'],
    },
    {
      name: 'not more than the policy says',
      nodes: nodes('a b c d'),
      pods: several('web', 4, 'a'),
      policy: { ...policy, maxNoOfPodsToEvictTotal: 2 },
      moves: ['web-a0 a d', 'web-a1 a c'],
      stays: 'web-a2: maxNoOfPodsToEvictTotal is 2',
    },
    {
      name: 'not more from each node than the policy says',
      nodes: nodes('a b'),
      pods: [...several('web', 2, 'a'), ...several('db', 2, 'a'), ...several('api', 2, 'b')],
      policy: { ...policy, maxNoOfPodsToEvictPerNode: 1 },
      moves: ['db-a0 a b', 'api-b0 b a'],
      stays: 'web-a0: maxNoOfPodsToEvictPerNode is 1',
    },
  ]);
});

describe('without a policy', () => {
  it('all that balances is done', () => {
    const pods = [
      ...several('web', 3, 'a', spread('zone')),
      ...several('db', 2, 'b'),
      ...several('big', 4, 'c', cpu('2')),
    ];
    const { moves } = plan({
      nodes: nodes('a b c d', zones('a=x b=x c=x d=y')),
      pods,
      policy: { profiles: [DEFAULT_SETTINGS] },
    });
    assert.deepEqual([...new Set(moves.map(({ plugin }) => plugin))].sort(), [
      'RemoveDuplicates',
      'RemovePodsViolatingTopologySpreadConstraint',
    ]);
    assert.ok(moves.some(({ pod }) => pod.metadata.name.startsWith('big')));
  });
});
