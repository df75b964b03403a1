/** Plugins that mend what broke a rule after it was placed. */
import { describe } from 'node:test';
import {
  several,
  cpu,
  spread,
  apartFrom,
  nearTo,
  prefers,
  gpu,
  zones,
  table,
  nodes,
  placed,
  policyOf,
  priorityClass,
  type PodFacts,
} from './rebalance-bench.ts';

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
