/** Plugins that balance. */
import { describe } from 'node:test';
import {
  several,
  cpu,
  spread,
  nearTo,
  gpu,
  zones,
  table,
  nodes,
  placed,
  policyOf,
  priorityClass,
} from './rebalance-bench.ts';

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
