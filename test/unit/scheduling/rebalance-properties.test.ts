import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  labelsInclude,
  selectorMatches,
  type DeschedulerPluginName,
  type Node,
  type StoredPod,
  type TopologySpreadConstraint,
} from '../../../contracts/objects/index.ts';
import { capacityOf, requestsOf } from '../../../contracts/objects/pod-requests.ts';
import { tolerates } from '../../../contracts/objects/taints.ts';
import { applied, budget, nodes, placed, plan, policyOf, type Scene } from './rebalance-bench.ts';

/** Apps that differ in what they ask of nodes and of each other. */
const APPS: readonly { readonly name: string; readonly spec: object; readonly requests: Record<string, string> }[] = [
  { name: 'plain', spec: {}, requests: { cpu: '1' } },
  { name: 'big', spec: {}, requests: { cpu: '3', memory: '4Gi' } },
  { name: 'light', spec: {}, requests: {} },
  {
    name: 'even',
    spec: { topologySpreadConstraints: [spreadBy('zone', 1, 'DoNotSchedule', 'even')] },
    requests: { cpu: '500m' },
  },
  {
    name: 'wish',
    spec: {
      topologySpreadConstraints: [
        spreadBy('kubernetes.io/hostname', 1, 'ScheduleAnyway', 'wish'),
        spreadBy('zone', 2, 'DoNotSchedule', 'wish'),
      ],
    },
    requests: { cpu: '1' },
  },
  {
    name: 'alone',
    spec: {
      affinity: {
        podAntiAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [
            termFor('alone', 'kubernetes.io/hostname'),
            termFor('light', 'kubernetes.io/hostname'),
          ],
        },
      },
    },
    requests: { cpu: '1' },
  },
  {
    name: 'friend',
    spec: { affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [termFor('plain', 'zone')] } } },
    requests: { memory: '1Gi' },
  },
  { name: 'picky', spec: { nodeSelector: { disk: 'ssd' } }, requests: { cpu: '1' } },
  {
    name: 'hopes',
    spec: {
      affinity: {
        nodeAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [
            { weight: 50, preference: { matchExpressions: [{ key: 'disk', operator: 'In', values: ['ssd'] }] } },
          ],
        },
      },
    },
    requests: { cpu: '1' },
  },
  { name: 'gpu', spec: { tolerations: [{ key: 'gpu', operator: 'Exists' }] }, requests: { cpu: '2' } },
];
function spreadBy(topologyKey: string, maxSkew: number, whenUnsatisfiable: string, app: string): object {
  return {
    topologyKey,
    maxSkew,
    whenUnsatisfiable,
    labelSelector: { matchLabels: { app } },
    nodeAffinityPolicy: 'Honor',
    nodeTaintsPolicy: 'Ignore',
  };
}
function termFor(app: string, topologyKey: string): object {
  return { topologyKey, labelSelector: { matchLabels: { app } } };
}

const nodeArb = fc.record({
  zone: fc.constantFrom('x', 'x', 'y', 'z'),
  ssd: fc.boolean(),
  cpu: fc.constantFrom('4', '10', '16'),
  taint: fc.constantFrom(
    undefined,
    undefined,
    undefined,
    undefined,
    { key: 'gpu', value: 'true', effect: 'NoSchedule' as const },
    { key: 'old', effect: 'PreferNoSchedule' as const },
  ),
  cordoned: fc.constantFrom(false, false, false, false, false, true),
  ready: fc.constantFrom(...Array<'True'>(9).fill('True'), 'False' as const),
});
const podArb = fc.record({
  on: fc.nat(),
  ready: fc.constantFrom(true, true, true, false),
  terminating: fc.constantFrom(...Array<false>(9).fill(false), true),
  owned: fc.constantFrom(...Array<true>(9).fill(true), false),
  age: fc.nat(50),
});
/** Apps whose pods came to be on few nodes, as after an outage. */
const crowdArb = fc.record({
  app: fc.nat(APPS.length - 1),
  nodes: fc.integer({ min: 1, max: 3 }),
  pods: fc.array(podArb, { minLength: 1, maxLength: 7 }),
});
const sceneArb = fc
  .tuple(fc.array(nodeArb, { minLength: 2, maxLength: 6 }), fc.array(crowdArb, { minLength: 1, maxLength: 5 }))
  .map(([machines, crowds]): Pick<Scene, 'nodes' | 'pods'> => {
    const names = machines.map((_, i) => `n${i}`);
    const made = nodes(
      names.join(' '),
      Object.fromEntries(
        machines.map(({ zone, ssd, cpu, taint, cordoned, ready }, i) => [
          `n${i}`,
          {
            labels: { zone, ...(ssd && { disk: 'ssd' }) },
            allocatable: { cpu, memory: '16Gi', pods: '20' },
            ready,
            spec: { ...(taint && { taints: [taint] }), ...(cordoned && { unschedulable: true }) },
          },
        ]),
      ),
    );
    return {
      nodes: made,
      pods: crowds.flatMap(({ app, nodes: width, pods }, c) =>
        pods.map(({ on, owned, age, ...facts }, i) => {
          const { name, spec, requests } = APPS[app] ?? { name: '', spec: {}, requests: {} };
          const home = names[(c + (on % width)) % names.length] ?? '';
          return placed(`p${c}-${i}`, {
            ...facts,
            owner: owned ? name : '',
            labels: { app: name },
            on: home,
            spec,
            requests,
            created: new Date(Date.UTC(2026, 0, 1, 0, age)).toISOString(),
          });
        }),
      ),
    };
  });
const EVERYTHING = policyOf([
  ['RemovePodsViolatingNodeTaints', { includePreferNoSchedule: true }],
  [
    'RemovePodsViolatingNodeAffinity',
    {
      nodeAffinityType: [
        'requiredDuringSchedulingIgnoredDuringExecution',
        'preferredDuringSchedulingIgnoredDuringExecution',
      ],
    },
  ],
  'RemovePodsViolatingInterPodAntiAffinity',
  ['RemovePodsViolatingTopologySpreadConstraint', { constraints: ['DoNotSchedule', 'ScheduleAnyway'] }],
  'RemoveDuplicates',
  'LowNodeUtilization',
]);
const policyArb = fc.constantFrom(
  EVERYTHING,
  EVERYTHING,
  policyOf(['LowNodeUtilization']),
  policyOf([
    'RemoveDuplicates',
    ['LowNodeUtilization', { useDeviationThresholds: true, thresholds: { cpu: 10 }, targetThresholds: { cpu: 10 } }],
  ]),
  policyOf([['RemovePodsViolatingTopologySpreadConstraint', { constraints: ['ScheduleAnyway'] }]]),
  policyOf(['RemovePodsViolatingNodeTaints', 'LowNodeUtilization']),
);

// ---- what is wrong with a cluster, counted without the code under test ----

const alive = (pods: readonly StoredPod[]): StoredPod[] =>
  pods.filter((p) => p.metadata.deletionTimestamp === undefined);
const labelOf = (machines: readonly Node[], name: string | undefined, key: string): string | undefined =>
  machines.find((n) => n.metadata.name === name)?.metadata.labels?.[key];

/** Required rules that each pod breaks by its own node, and by pods that are near or far. */
function broken(machines: readonly Node[], pods: readonly StoredPod[]): Record<string, number> {
  const counts: Record<string, number> = {};
  const add = (what: string, by = 1): void => {
    counts[what] = (counts[what] ?? 0) + by;
  };
  for (const p of alive(pods)) {
    const machine = machines.find((n) => n.metadata.name === p.spec.nodeName);
    if (
      (machine?.spec.taints ?? []).some(
        (taint) => taint.effect === 'NoSchedule' && !p.spec.tolerations.some((t) => tolerates(t, taint)),
      )
    )
      add('taint');
    if (!labelsInclude(machine?.metadata.labels, p.spec.nodeSelector)) add('selector');
    for (const { topologyKey, labelSelector = {} } of p.spec.affinity?.podAntiAffinity
      ?.requiredDuringSchedulingIgnoredDuringExecution ?? []) {
      const here = labelOf(machines, p.spec.nodeName, topologyKey);
      add(
        `apart ${p.metadata.labels?.['app']}`,
        alive(pods).filter(
          (o) =>
            o !== p &&
            selectorMatches(labelSelector, o.metadata.labels) &&
            labelOf(machines, o.spec.nodeName, topologyKey) === here,
        ).length,
      );
    }
    for (const { topologyKey, labelSelector = {} } of p.spec.affinity?.podAffinity
      ?.requiredDuringSchedulingIgnoredDuringExecution ?? []) {
      const here = labelOf(machines, p.spec.nodeName, topologyKey);
      if (
        !pods.some(
          (o) =>
            o !== p &&
            selectorMatches(labelSelector, o.metadata.labels) &&
            labelOf(machines, o.spec.nodeName, topologyKey) === here,
        )
      )
        add('lonely');
    }
  }
  for (const [what, over] of Object.entries(uneven(machines, pods, 'DoNotSchedule'))) add(what, over);
  return counts;
}

/** Pods above what their domain may have, for each constraint. */
function uneven(
  machines: readonly Node[],
  pods: readonly StoredPod[],
  when: TopologySpreadConstraint['whenUnsatisfiable'],
): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { name, spec } of APPS) {
    const rules = (
      (spec as { topologySpreadConstraints?: TopologySpreadConstraint[] }).topologySpreadConstraints ?? []
    ).filter((c) => c.whenUnsatisfiable === when);
    if (!alive(pods).some((p) => p.metadata.labels?.['app'] === name)) continue;
    for (const { topologyKey, maxSkew } of rules) {
      const domains = [...new Set(machines.flatMap((n) => n.metadata.labels?.[topologyKey] ?? []))];
      const sizes = domains.map(
        (domain) =>
          alive(pods).filter(
            (p) => p.metadata.labels?.['app'] === name && labelOf(machines, p.spec.nodeName, topologyKey) === domain,
          ).length,
      );
      counts[`${name} by ${topologyKey}`] = sizes.reduce(
        (sum, size) => sum + Math.max(0, size - Math.min(...sizes) - maxSkew),
        0,
      );
    }
  }
  return counts;
}

function requested(pods: readonly StoredPod[], name: string, resource: string): number {
  return pods.filter((p) => p.spec.nodeName === name).reduce((sum, p) => sum + (requestsOf(p).get(resource) ?? 0), 0);
}

describe('property: a plan to rebalance', () => {
  it('is followed by an empty one when it was carried out', () => {
    fc.assert(
      fc.property(sceneArb, policyArb, (scene, policy) => {
        const first = plan({ ...scene, policy });
        const second = plan({ ...scene, pods: applied(scene.pods, first), policy });
        assert.deepEqual(
          second.moves.map((m) => `${m.pod.metadata.name}: ${m.from} to ${m.to}: ${m.plugin} ${m.reason}`),
          [],
        );
      }),
      { numRuns: 200 },
    );
  });

  it('breaks no required rule and makes no spread worse', () => {
    fc.assert(
      fc.property(sceneArb, policyArb, (scene, policy) => {
        const { moves } = plan({ ...scene, policy });
        const [before, after] = [
          broken(scene.nodes, scene.pods),
          broken(scene.nodes, applied(scene.pods, { moves, skipped: [] })),
        ];
        for (const [what, count] of Object.entries(after))
          assert.ok(count <= (before[what] ?? 0), `${what}: ${before[what] ?? 0} before, ${count} after`);
        // What must be goes before what is only preferred.
        const preferring: readonly DeschedulerPluginName[] = [
          'RemoveDuplicates',
          'LowNodeUtilization',
          ...(policy === EVERYTHING ? [] : ['RemovePodsViolatingTopologySpreadConstraint' as const]),
        ];
        if (moves.some(({ plugin }) => !preferring.includes(plugin))) return;
        const [wished, got] = [
          uneven(scene.nodes, scene.pods, 'ScheduleAnyway'),
          uneven(scene.nodes, applied(scene.pods, { moves, skipped: [] }), 'ScheduleAnyway'),
        ];
        for (const [what, count] of Object.entries(got))
          assert.ok(count <= (wished[what] ?? 0), `${what}: ${wished[what] ?? 0} before, ${count} after`);
      }),
      { numRuns: 200 },
    );
  });

  it('moves pods that may be moved, once, to nodes that have room for them, whatever the order of its input', () => {
    fc.assert(
      fc.property(sceneArb, policyArb, fc.nat(), (scene, policy, turn) => {
        const { moves, skipped } = plan({ ...scene, policy });
        const after = applied(scene.pods, { moves, skipped });
        assert.equal(new Set(moves.map(({ pod }) => pod.metadata.uid)).size, moves.length);
        for (const { pod, from, to } of moves) {
          assert.equal(pod.spec.nodeName, from);
          assert.notEqual(from, to);
          assert.ok(pod.metadata.ownerReferences && pod.metadata.deletionTimestamp === undefined);
          const machine = scene.nodes.find((n) => n.metadata.name === to);
          assert.ok(machine && machine.spec.unschedulable !== true);
          const has = capacityOf(machine.status?.allocatable);
          for (const [resource, amount] of requestsOf(pod))
            assert.ok(
              amount === 0 || requested(after, to, resource) <= (has.get(resource) ?? 0),
              `${resource} of ${to}`,
            );
        }
        const rotate = <T>(list: readonly T[]): T[] =>
          [...list.slice(turn % Math.max(1, list.length)), ...list.slice(0, turn % Math.max(1, list.length))].reverse();
        const again = plan({ nodes: rotate(scene.nodes), pods: rotate(scene.pods), policy });
        const plain = (p: typeof again): unknown => [
          p.moves.map((m) => [m.pod.metadata.name, m.from, m.to, m.reason]),
          p.skipped.map((s) => [s.pod.metadata.name, s.plugin, s.reason, s.obstacle]),
        ];
        assert.deepEqual(plain(again), plain({ moves, skipped }));
      }),
      { numRuns: 250 },
    );
  });

  it('keeps to budgets and limits, and comes to an end round by round', () => {
    const allowed = fc.tuple(...APPS.map(() => fc.nat(2)));
    const limits = fc.record({
      maxNoOfPodsToEvictPerNode: fc.constantFrom(undefined, 1, 2),
      maxNoOfPodsToEvictTotal: fc.constantFrom(undefined, 1, 3),
    });
    fc.assert(
      fc.property(sceneArb, allowed, limits, (scene, amounts, most) => {
        const budgets = APPS.flatMap(({ name }, i) => (i % 2 === 0 ? [budget(name, name, amounts[i] ?? 0)] : []));
        let pods = scene.pods;
        for (let round = 0; ; round++) {
          assert.ok(round < 60, 'no end');
          const { moves } = plan({ ...scene, pods, budgets, policy: { ...EVERYTHING, ...most } });
          assert.ok(moves.length <= (most.maxNoOfPodsToEvictTotal ?? Infinity));
          for (const {
            metadata: { name },
          } of scene.nodes)
            assert.ok(moves.filter(({ from }) => from === name).length <= (most.maxNoOfPodsToEvictPerNode ?? Infinity));
          for (const { metadata, status } of budgets) {
            // A pod that is not ready takes nothing from a budget that is met.
            const taken = moves.filter(
              ({ pod }) =>
                pod.metadata.labels?.['app'] === metadata.name && pod.status?.conditions?.[0]?.status === 'True',
            );
            assert.ok(taken.length <= (status?.disruptionsAllowed ?? 0));
          }
          if (moves.length === 0) break;
          pods = applied(pods, { moves, skipped: [] });
        }
      }),
      { numRuns: 200 },
    );
  });
});
