import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DEFAULT_SETTINGS, type StoredPod } from '../../../contracts/objects/index.ts';
import {
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

/** `count` pods NAME-0, NAME-1, ... on the node. */
const several = (name: string, count: number, on: string, facts: PodFacts = {}): StoredPod[] =>
  Array.from({ length: count }, (_, i) => placed(`${name}-${on}${i}`, { owner: name, on, ...facts }));
const cpu = (amount: string): PodFacts => ({ requests: { cpu: amount } });
const spread = (topologyKey: string, whenUnsatisfiable = 'DoNotSchedule', maxSkew = 1): PodFacts => ({
  spec: {
    topologySpreadConstraints: [
      {
        topologyKey,
        maxSkew,
        whenUnsatisfiable,
        labelSelector: { matchLabels: { app: 'web' } },
        nodeAffinityPolicy: 'Honor',
        nodeTaintsPolicy: 'Ignore',
      },
    ],
  },
});
const apartFrom = (app: string, topologyKey = 'kubernetes.io/hostname'): object => ({
  podAntiAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey, labelSelector: { matchLabels: { app } } }],
  },
});
const nearTo = (app: string, topologyKey: string): object => ({
  podAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey, labelSelector: { matchLabels: { app } } }],
  },
});
const prefers = (key: string): object => ({
  nodeAffinity: {
    preferredDuringSchedulingIgnoredDuringExecution: [
      { weight: 30, preference: { matchExpressions: [{ key, operator: 'Exists' }] } },
    ],
  },
});
const gpu = { key: 'gpu', value: 'true', effect: 'NoSchedule' } as const;
const zones = (names: string): Parameters<typeof nodes>[1] =>
  Object.fromEntries(
    names.split(' ').map((pair) => {
      const [name = '', zone = ''] = pair.split('=');
      return [name, { labels: { zone }, allocatable: { cpu: '10', memory: '10Gi', pods: '100' } }];
    }),
  );

const movesOf = (scene: Scene): string[] =>
  plan(scene).moves.map(({ pod, from, to }) => `${pod.metadata.name} ${from} ${to}`);
const skippedOf = (scene: Scene): string[] =>
  plan(scene).skipped.map(({ pod, obstacle }) => `${pod.metadata.name}: ${obstacle}`);

interface Row extends Scene {
  readonly name: string;
  /** `POD FROM TO`. */
  readonly moves: readonly string[];
  /** Of the first move. */
  readonly why?: string;
  /** `POD: OBSTACLE` of the first that stays. */
  readonly stays?: string;
}

function table(rows: readonly Row[]): void {
  for (const row of rows) {
    it(row.name, () => {
      const { moves, skipped } = plan(row);
      assert.deepEqual(
        moves.map(({ pod, from, to }) => `${pod.metadata.name} ${from} ${to}`),
        row.moves,
      );
      if (row.why !== undefined) assert.equal(moves[0]?.reason, row.why);
      if (row.stays !== undefined)
        assert.ok(
          skipped.map(({ pod, obstacle }) => `${pod.metadata.name}: ${obstacle}`).includes(row.stays),
          skipped.map(({ pod, obstacle }) => `${pod.metadata.name}: ${obstacle}`).join('\n'),
        );
    });
  }
}

describe('RemoveDuplicates', () => {
  const policy = policyOf(['RemoveDuplicates']);
  table([
    {
      name: 'spreads the pods of one owner, as many as each node is to have',
      nodes: nodes('a b c'),
      pods: several('web', 3, 'a'),
      policy,
      moves: ['web-a0 a c', 'web-a1 a b'],
      why: '3 of 3 pods of ReplicaSet web are on a, which has to have no more than 1',
    },
    {
      name: 'has nothing against two on a node where there are more pods than nodes',
      nodes: nodes('a b'),
      pods: [...several('web', 2, 'a'), ...several('web', 1, 'b')],
      policy,
      moves: [],
    },
    {
      name: 'counts other images apart',
      nodes: nodes('a b'),
      pods: [
        placed('x', { on: 'a' }),
        placed('y', { on: 'a', spec: { containers: [{ name: 'app', image: 'app:v2' }] } }),
      ],
      policy,
      moves: [],
    },
    {
      name: 'counts only nodes that may have them',
      nodes: nodes('a b c', { b: { spec: { taints: [gpu] } }, c: { spec: { unschedulable: true } } }),
      pods: several('web', 3, 'a'),
      policy,
      moves: [],
    },
    {
      name: 'leaves owners out by kind',
      nodes: nodes('a b'),
      pods: several('web', 2, 'a'),
      policy: policyOf([['RemoveDuplicates', { excludeOwnerKinds: ['ReplicaSet'] }]]),
      moves: [],
    },
    {
      name: 'leaves namespaces out',
      nodes: nodes('a b'),
      pods: several('web', 2, 'a', { namespace: 'kube-system' }),
      policy: policyOf([['RemoveDuplicates', { namespaces: { exclude: ['kube-system'] } }]]),
      moves: [],
    },
    {
      name: 'takes other namespaces only',
      nodes: nodes('a b'),
      pods: several('web', 2, 'a'),
      policy: policyOf([['RemoveDuplicates', { namespaces: { include: ['shop'] } }]]),
      moves: [],
    },
    {
      name: 'leaves a pod where no other node has room',
      nodes: nodes('a b'),
      pods: [...several('web', 2, 'a', cpu('2')), ...several('db', 1, 'b', cpu('9'))],
      policy,
      moves: [],
      stays: 'web-a0: the scheduler would place it on a again',
    },
    {
      name: 'says nothing of pods that are going',
      nodes: nodes('a b'),
      pods: [...several('web', 1, 'a'), ...several('old', 1, 'a', { owner: 'web', terminating: true })],
      policy,
      moves: [],
    },
    {
      name: 'counts pods that are to be placed first',
      nodes: nodes('a b'),
      policy,
      moves: [],
      pods: [
        ...several('web', 2, 'a'),
        placed('web-new', { spec: { nodeSelector: { 'kubernetes.io/hostname': 'b' } } }),
      ],
    },
  ]);
});

describe('RemovePodsViolatingTopologySpreadConstraint', () => {
  const policy = policyOf(['RemovePodsViolatingTopologySpreadConstraint']);
  const soft = policyOf([['RemovePodsViolatingTopologySpreadConstraint', { constraints: ['ScheduleAnyway'] }]]);
  const machines = nodes('a b c', zones('a=x b=x c=y'));
  table([
    {
      name: 'moves as few pods as bring a spread within its skew',
      nodes: machines,
      pods: several('web', 5, 'a', spread('zone')),
      policy,
      moves: ['web-a0 a c', 'web-a1 a c'],
      why: 'zone=x has 5 of its pods, the least is 0, maxSkew 1',
    },
    {
      name: 'leaves a spread alone that is within its skew',
      nodes: machines,
      pods: [
        ...several('web', 3, 'a', spread('zone', 'DoNotSchedule', 2)),
        ...several('web', 1, 'c', spread('zone', 'DoNotSchedule', 2)),
      ],
      policy,
      moves: [],
    },
    {
      name: 'lets soft ones be unless asked',
      nodes: machines,
      pods: several('web', 4, 'a', spread('zone', 'ScheduleAnyway')),
      policy,
      moves: [],
    },
    {
      name: 'takes soft ones when asked',
      nodes: machines,
      pods: several('web', 4, 'a', spread('zone', 'ScheduleAnyway')),
      policy: soft,
      moves: ['web-a0 a c', 'web-a1 a c'],
    },
    {
      name: 'and leaves the others then',
      nodes: machines,
      pods: several('web', 4, 'a', spread('zone')),
      policy: soft,
      moves: [],
    },
    {
      name: 'moves the least important pods, then those that are not ready',
      nodes: machines,
      policy,
      priorityClasses: [priorityClass('low', -5)],
      pods: [
        ...several('web', 2, 'a', spread('zone')),
        placed('unready', { on: 'a', ready: false, ...spread('zone') }),
        placed('cheap', { on: 'a', spec: { ...spread('zone').spec, priorityClassName: 'low' } }),
      ],
      moves: ['cheap a c', 'unready a c'],
    },
    {
      name: 'moves nothing where the other domain is full',
      nodes: machines,
      pods: [...several('web', 3, 'a', { ...cpu('1'), ...spread('zone') }), ...several('db', 1, 'c', cpu('10'))],
      policy,
      moves: [],
      stays:
        "web-a0: 0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't match pod topology spread constraints.",
    },
    {
      name: 'selects pods by label',
      nodes: machines,
      pods: several('web', 3, 'a', spread('zone')),
      policy: policyOf([
        ['RemovePodsViolatingTopologySpreadConstraint', { labelSelector: { matchLabels: { app: 'db' } } }],
      ]),
      moves: [],
    },
    {
      name: 'never leaves a pod alone that has to be near others',
      nodes: machines,
      policy,
      moves: [],
      stays: 'web-a0: the scheduler would place it on c, which would be worse for other rules',
      pods: [
        ...several('web', 1, 'a', spread('zone')),
        placed('bare', { owner: '', labels: { app: 'web' }, on: 'b', ...spread('zone') }),
        placed('friend', { on: 'a', owner: 'friend', spec: { affinity: nearTo('web', 'kubernetes.io/hostname') } }),
      ],
    },
  ]);
});

describe('LowNodeUtilization', () => {
  const policy = policyOf(['LowNodeUtilization']);
  table([
    {
      name: 'moves pods from a full node to an empty one until the target is reached',
      nodes: nodes('a b'),
      pods: several('web', 8, 'a', cpu('1')),
      policy,
      moves: ['web-a0 a b', 'web-a1 a b', 'web-a2 a b'],
      why: 'a has 80% of its cpu requested, the target is 50%',
    },
    {
      name: 'lets be what is between the thresholds',
      nodes: nodes('a b'),
      pods: several('web', 5, 'a', cpu('1')),
      policy,
      moves: [],
    },
    {
      name: 'does nothing where no node is empty enough',
      nodes: nodes('a b'),
      pods: [...several('web', 8, 'a', cpu('1')), ...several('db', 3, 'b', cpu('1'))],
      policy,
      moves: [],
    },
    {
      name: 'looks at every resource',
      nodes: nodes('a b'),
      pods: several('web', 3, 'a', { requests: { memory: '2Gi' } }),
      policy,
      moves: ['web-a0 a b'],
      why: 'a has 60% of its memory requested, the target is 50%',
    },
    {
      name: 'looks at extended resources where they have a threshold',
      nodes: nodes('a b', {
        a: { allocatable: { cpu: '10', memory: '10Gi', pods: '100', 'example.com/gpu': '4' } },
        b: { allocatable: { cpu: '10', memory: '10Gi', pods: '100', 'example.com/gpu': '4' } },
      }),
      pods: several('web', 3, 'a', { requests: { 'example.com/gpu': '1' } }),
      policy: policyOf([
        ['LowNodeUtilization', { thresholds: { 'example.com/gpu': 25 }, targetThresholds: { 'example.com/gpu': 50 } }],
      ]),
      moves: ['web-a0 a b'],
    },
    {
      name: 'moves no pod that asks for nothing of what is short',
      nodes: nodes('a b'),
      pods: [
        ...several('web', 3, 'a', { requests: { memory: '1Gi' } }),
        placed('big', { owner: '', on: 'a', requests: { cpu: '8' } }),
      ],
      policy,
      moves: [],
      stays: 'big: it has no controller that would replace it',
    },
    {
      name: 'fills no node above the target',
      nodes: nodes('a b'),
      pods: [...several('web', 1, 'a', cpu('6')), placed('other', { owner: '', on: 'a', ...cpu('1') })],
      policy,
      moves: [],
      stays: 'web-a0: no node below the thresholds could take it without passing the target',
    },
    {
      name: 'waits for enough empty nodes',
      nodes: nodes('a b'),
      pods: several('web', 8, 'a', cpu('1')),
      policy: policyOf([
        ['LowNodeUtilization', { thresholds: { cpu: 20 }, targetThresholds: { cpu: 50 }, numberOfNodes: 1 }],
      ]),
      moves: [],
    },
    {
      name: 'takes no node for empty that is cordoned',
      nodes: nodes('a b', { b: { spec: { unschedulable: true } } }),
      pods: several('web', 8, 'a', cpu('1')),
      policy,
      moves: [],
    },
    {
      name: 'takes no node for empty that is silent',
      nodes: nodes('a b', { b: { ready: 'Unknown' } }),
      pods: several('web', 8, 'a', cpu('1')),
      policy,
      moves: [],
    },
    {
      name: 'counts pods that are going as gone',
      nodes: nodes('a b'),
      pods: [...several('web', 4, 'a', cpu('1')), ...several('old', 4, 'a', { ...cpu('1'), terminating: true })],
      policy,
      moves: [],
    },
    {
      name: 'measures from the mean where asked',
      nodes: nodes('a b c'),
      pods: [...several('web', 4, 'a', cpu('1')), ...several('web', 1, 'c', cpu('1'))],
      policy: policyOf([
        ['LowNodeUtilization', { useDeviationThresholds: true, thresholds: { cpu: 5 }, targetThresholds: { cpu: 5 } }],
      ]),
      moves: ['web-a0 a b', 'web-a1 a c'],
    },
    {
      name: 'leaves namespaces out',
      nodes: nodes('a b'),
      pods: several('web', 8, 'a', { ...cpu('1'), namespace: 'kube-system' }),
      policy: policyOf([['LowNodeUtilization', { evictableNamespaces: { exclude: ['kube-system'] } }]]),
      moves: [],
    },
    {
      name: 'makes no soft spread less even',
      nodes: nodes('a b', {
        ...zones('b=y'),
        a: {
          labels: { zone: 'x' },
          allocatable: { cpu: '10', memory: '10Gi', pods: '100' },
          spec: { unschedulable: true },
        },
      }),
      policy,
      moves: [],
      pods: [
        placed('other', { owner: '', on: 'a', ...cpu('3') }),
        ...several('web', 1, 'a', { ...cpu('3'), ...spread('zone', 'ScheduleAnyway') }),
        ...several('web', 2, 'b', { requests: {}, ...spread('zone', 'ScheduleAnyway') }),
      ],
      stays: 'web-a0: the scheduler would place it on b, which would be worse for other rules',
    },
    {
      name: 'makes no duplicates where those are looked at too',
      nodes: nodes('a b'),
      pods: [...several('web', 2, 'a', cpu('3')), ...several('web', 2, 'b', { requests: {} })],
      policy: policyOf(['RemoveDuplicates', 'LowNodeUtilization']),
      moves: [],
    },
  ]);
});

describe('RemovePodsViolatingNodeAffinity', () => {
  const policy = policyOf(['RemovePodsViolatingNodeAffinity']);
  const both = policyOf([
    [
      'RemovePodsViolatingNodeAffinity',
      {
        nodeAffinityType: [
          'requiredDuringSchedulingIgnoredDuringExecution',
          'preferredDuringSchedulingIgnoredDuringExecution',
        ],
      },
    ],
  ]);
  const ssd = { b: { labels: { disk: 'ssd' }, allocatable: { cpu: '10', memory: '10Gi', pods: '100' } } };
  const wants: PodFacts = { spec: { nodeSelector: { disk: 'ssd' } } };
  table([
    {
      name: 'moves pods from a node that lost its label',
      nodes: nodes('a b', ssd),
      pods: several('web', 1, 'a', wants),
      policy,
      moves: ['web-a0 a b'],
      why: 'a does not match its node affinity/selector',
    },
    {
      name: 'lets them be where no node has it',
      nodes: nodes('a b'),
      pods: several('web', 1, 'a', wants),
      policy,
      moves: [],
      stays: "web-a0: 0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.",
    },
    {
      name: 'does not look at what is preferred',
      nodes: nodes('a b', ssd),
      pods: several('web', 1, 'a', { spec: { affinity: prefers('disk') } }),
      policy,
      moves: [],
    },
    {
      name: 'unless asked',
      nodes: nodes('a b', ssd),
      pods: several('web', 1, 'a', { spec: { affinity: prefers('disk') } }),
      policy: both,
      moves: ['web-a0 a b'],
      why: 'it prefers b to a (node affinity 30, not 0)',
    },
    {
      name: 'where it would find room',
      nodes: nodes('a b', ssd),
      pods: [
        ...several('web', 1, 'a', { ...cpu('2'), spec: { affinity: prefers('disk') } }),
        ...several('db', 1, 'b', cpu('9')),
      ],
      policy: both,
      moves: [],
      stays: 'web-a0: the scheduler would place it on a again',
    },
  ]);
});

describe('RemovePodsViolatingInterPodAntiAffinity', () => {
  const policy = policyOf(['RemovePodsViolatingInterPodAntiAffinity']);
  table([
    {
      name: 'parts pods that must be apart',
      nodes: nodes('a b'),
      pods: [
        placed('x', { on: 'a', owner: 'x', spec: { affinity: apartFrom('y') } }),
        placed('y', { on: 'a', owner: 'y' }),
      ],
      policy,
      moves: ['x a b'],
      why: 'required anti-affinity keeps it and others that are near a apart',
    },
    {
      name: 'moves the one that disturbs most',
      nodes: nodes('a b'),
      policy,
      moves: ['x a b'],
      pods: [
        placed('x', { on: 'a', owner: 'x' }),
        placed('y', { on: 'a', owner: 'y', spec: { affinity: apartFrom('x') } }),
        placed('z', { on: 'a', owner: 'z', spec: { affinity: apartFrom('x') } }),
      ],
    },
    {
      name: 'moves the least important',
      nodes: nodes('a b'),
      policy,
      moves: ['y a b'],
      priorityClasses: [priorityClass('high', 100)],
      pods: [
        placed('x', { on: 'a', owner: 'x', spec: { priorityClassName: 'high' } }),
        placed('y', { on: 'a', owner: 'y', spec: { affinity: apartFrom('x') } }),
      ],
    },
    {
      name: 'parts pods in one zone',
      nodes: nodes('a b c', zones('a=x b=x c=y')),
      policy,
      moves: ['x a c'],
      pods: [
        placed('x', { on: 'a', owner: 'x', spec: { affinity: apartFrom('y', 'zone') } }),
        placed('y', { on: 'b', owner: 'y' }),
      ],
    },
    {
      name: 'lets them be where there is one zone',
      nodes: nodes('a b', zones('a=x b=x')),
      policy,
      moves: [],
      pods: [
        placed('x', { on: 'a', owner: 'x', spec: { affinity: apartFrom('y', 'zone') } }),
        placed('y', { on: 'b', owner: 'y' }),
      ],
    },
    {
      name: 'spreads pods that are apart from their own kind',
      nodes: nodes('a b c'),
      policy,
      pods: several('web', 3, 'a', { spec: { affinity: apartFrom('web') } }),
      moves: ['web-a0 a c', 'web-a1 a b'],
    },
    {
      name: 'takes no account of pods that are going',
      nodes: nodes('a b'),
      pods: [
        placed('x', { on: 'a', owner: 'x', spec: { affinity: apartFrom('y') } }),
        placed('y', { on: 'a', owner: 'y', terminating: true }),
      ],
      policy,
      moves: [],
    },
    {
      name: 'leaves pods near whom others have to be',
      nodes: nodes('a b'),
      policy,
      moves: ['y a b'],
      pods: [
        placed('x', { on: 'a', owner: 'x' }),
        placed('y', { on: 'a', owner: 'y', spec: { affinity: apartFrom('x') } }),
        placed('friend', { on: 'a', owner: 'f', spec: { affinity: nearTo('x', 'kubernetes.io/hostname') } }),
      ],
    },
  ]);
});

describe('RemovePodsViolatingNodeTaints', () => {
  const policy = policyOf(['RemovePodsViolatingNodeTaints']);
  const tainted = (...taints: readonly object[]): ReturnType<typeof nodes> =>
    nodes('a b', { a: { spec: { taints: taints as never } } });
  const old = { key: 'old', effect: 'PreferNoSchedule' };
  const pods = several('web', 1, 'a');
  table([
    {
      name: 'moves pods from a node that was tainted',
      nodes: tainted(gpu),
      pods,
      policy,
      moves: ['web-a0 a b'],
      why: 'it does not tolerate the taint gpu=true:NoSchedule of a',
    },
    {
      name: 'leaves pods that tolerate it',
      nodes: tainted(gpu),
      pods: several('web', 1, 'a', { spec: { tolerations: [{ key: 'gpu', operator: 'Exists' }] } }),
      policy,
      moves: [],
    },
    {
      name: 'leaves NoExecute to whom it concerns',
      nodes: tainted({ key: 'x', effect: 'NoExecute' }),
      pods,
      policy,
      moves: [],
    },
    { name: 'leaves PreferNoSchedule', nodes: tainted(old), pods, policy, moves: [] },
    {
      name: 'unless asked',
      nodes: tainted(old),
      pods,
      policy: policyOf([['RemovePodsViolatingNodeTaints', { includePreferNoSchedule: true }]]),
      moves: ['web-a0 a b'],
    },
    {
      name: 'excludes taints by key',
      nodes: tainted(gpu),
      pods,
      policy: policyOf([['RemovePodsViolatingNodeTaints', { excludedTaints: ['gpu'] }]]),
      moves: [],
    },
    {
      name: 'excludes taints by key and value',
      nodes: tainted(gpu),
      pods,
      policy: policyOf([['RemovePodsViolatingNodeTaints', { excludedTaints: ['gpu=false'] }]]),
      moves: ['web-a0 a b'],
    },
    {
      name: 'includes taints',
      nodes: tainted(gpu),
      pods,
      policy: policyOf([['RemovePodsViolatingNodeTaints', { includedTaints: ['disk'] }]]),
      moves: [],
    },
    {
      name: 'leaves a cordoned node alone',
      nodes: nodes('a b', { a: { spec: { unschedulable: true } } }),
      pods,
      policy,
      moves: [],
    },
    {
      name: 'leaves a silent node alone',
      nodes: nodes('a b', { a: { ready: 'Unknown', spec: { taints: [gpu] } } }),
      pods,
      policy,
      moves: [],
    },
    {
      name: 'goes before a soft spread',
      nodes: nodes('a b', { ...zones('b=y'), a: { labels: { zone: 'x' }, spec: { taints: [gpu] } } }),
      policy,
      pods: [
        ...several('web', 1, 'a', spread('zone', 'ScheduleAnyway')),
        ...several('web', 1, 'b', spread('zone', 'ScheduleAnyway')),
      ],
      moves: ['web-a0 a b'],
    },
  ]);
});

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
