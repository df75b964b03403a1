import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  findCondition,
  PodDisruptionBudgetManifest,
  type PodDisruptionBudgetStatus,
  type StoredPod,
  type StoredPodDisruptionBudget,
} from '../../../contracts/objects/index.ts';
import { disruptionsAllowed } from '../../../reconciler/core/workloads/disruption.ts';
import { planDisruptionBudget, type Scale } from '../../../reconciler/core/workloads/disruption-budget.ts';
import { condition, pod, TIME } from '../controllers/objects.ts';

const NOW = new Date('2026-01-01T01:00:00.000Z');
const ago = (seconds: number): string => new Date(NOW.getTime() - seconds * 1000).toISOString();

function budget(spec: object, status?: PodDisruptionBudgetStatus, name = 'web'): StoredPodDisruptionBudget {
  const manifest = PodDisruptionBudgetManifest.parse({
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name, namespace: 'default' },
    spec: { selector: { matchLabels: { app: 'web' } }, ...spec },
  });
  return {
    ...manifest,
    metadata: {
      ...manifest.metadata,
      uid: `uid-${name}`,
      resourceVersion: '1',
      generation: 2,
      creationTimestamp: TIME,
    },
    ...(status && { status }),
  };
}

interface PodFacts {
  readonly ready?: boolean;
  readonly phase?: 'Pending' | 'Running' | 'Succeeded';
  /** Its ReplicaSet. */
  readonly owner?: string;
  readonly terminating?: boolean;
  readonly labels?: Record<string, string>;
  readonly created?: string;
}

function podOf(name: string, facts: PodFacts = {}): StoredPod {
  const {
    ready = true,
    phase = 'Running',
    owner = 'rs',
    terminating = false,
    labels = { app: 'web' },
    created = TIME,
  } = facts;
  const made = pod(
    name,
    {},
    {
      labels,
      uid: `uid-${name}`,
      resourceVersion: '1',
      generation: 1,
      creationTimestamp: created,
      ...(owner !== '' && {
        ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: owner, uid: owner, controller: true }],
      }),
      ...(terminating && { deletionTimestamp: TIME }),
    },
  ) as StoredPod;
  return { ...made, status: { phase, conditions: [condition('Ready', ready ? 'True' : 'False')] } };
}

const pods = (count: number, ready = count): StoredPod[] =>
  Array.from({ length: count }, (_, i) => podOf(`web-${i}`, { ready: i < ready }));

function counted(
  b: StoredPodDisruptionBudget,
  matching: readonly StoredPod[],
  scales: Readonly<Record<string, Scale>>,
): { status: PodDisruptionBudgetStatus; events: string[]; requeue?: number } {
  const decision = planDisruptionBudget({ budget: b, pods: matching, scaleOf: ({ name }) => scales[name], now: NOW });
  const written =
    decision.steps.flatMap((step) =>
      step.do === 'updateStatus' && step.object.kind === 'PodDisruptionBudget' ? [step.object.status] : [],
    )[0] ?? b.status;
  assert.ok(written);
  return {
    status: written,
    events: decision.steps.flatMap((step) => (step.do === 'event' ? [step.reason] : [])),
    ...(decision.requeueAfterMs !== undefined && { requeue: decision.requeueAfterMs }),
  };
}

describe('the status of a disruption budget', () => {
  const rs = (replicas: number): Record<string, Scale> => ({ rs: { uid: 'd', replicas } });
  interface Row {
    readonly name: string;
    readonly spec: object;
    readonly pods: readonly StoredPod[];
    readonly scales?: Readonly<Record<string, Scale>>;
    /** expectedPods, desiredHealthy, currentHealthy, disruptionsAllowed */
    readonly says: readonly [number, number, number, number];
    readonly condition?: string;
    readonly events?: readonly string[];
  }
  const rows: readonly Row[] = [
    { name: 'a number of available pods', spec: { minAvailable: 2 }, pods: pods(3), says: [3, 2, 3, 1] },
    {
      name: 'no more than there are',
      spec: { minAvailable: 3 },
      pods: pods(3),
      says: [3, 3, 3, 0],
      condition: 'False InsufficientPods',
    },
    {
      name: 'fewer than there have to be',
      spec: { minAvailable: 3 },
      pods: pods(3, 1),
      says: [3, 3, 1, 0],
      condition: 'False InsufficientPods',
    },
    {
      name: 'a number of unavailable pods',
      spec: { maxUnavailable: 1 },
      pods: pods(3),
      scales: rs(3),
      says: [3, 2, 3, 1],
    },
    {
      name: 'unavailable pods count against what the controller wants, not what is there',
      spec: { maxUnavailable: 1 },
      pods: pods(3),
      scales: rs(5),
      says: [5, 4, 3, 0],
      condition: 'False InsufficientPods',
    },
    {
      name: 'more unavailable pods than there are',
      spec: { maxUnavailable: 9 },
      pods: pods(3),
      scales: rs(3),
      says: [3, 0, 3, 3],
    },
    {
      name: 'a share, rounded up: available',
      spec: { minAvailable: '50%' },
      pods: pods(7),
      scales: rs(7),
      says: [7, 4, 7, 3],
    },
    {
      name: 'a share, rounded up: unavailable',
      spec: { maxUnavailable: '30%' },
      pods: pods(7),
      scales: rs(7),
      says: [7, 4, 7, 3],
    },
    {
      name: 'none unavailable',
      spec: { maxUnavailable: '0%' },
      pods: pods(2),
      scales: rs(2),
      says: [2, 2, 2, 0],
      condition: 'False InsufficientPods',
    },
    {
      name: 'several controllers, each counted once; ReplicaSets of one Deployment are one',
      spec: { minAvailable: '50%' },
      pods: [podOf('a', { owner: 'a1' }), podOf('b', { owner: 'a2' }), podOf('c', { owner: 'b' })],
      scales: { a1: { uid: 'a', replicas: 4 }, a2: { uid: 'a', replicas: 4 }, b: { uid: 'b', replicas: 1 } },
      says: [5, 3, 3, 0],
      condition: 'False InsufficientPods',
    },
    {
      name: 'no pod at all',
      spec: { minAvailable: 0 },
      pods: [],
      says: [0, 0, 0, 0],
      condition: 'False InsufficientPods',
      events: ['NoPods'],
    },
    {
      name: 'pods that are going',
      spec: { minAvailable: 1 },
      pods: [podOf('a'), podOf('b', { terminating: true })],
      says: [2, 1, 1, 0],
      condition: 'False InsufficientPods',
    },
    {
      name: 'pods without a controller, by number',
      spec: { minAvailable: 1 },
      pods: [podOf('a', { owner: '' }), podOf('b', { owner: '' })],
      says: [2, 1, 2, 1],
    },
    {
      name: 'pods without a controller, by share',
      spec: { maxUnavailable: 1 },
      pods: [podOf('a', { owner: '' })],
      says: [0, 0, 1, 0],
      condition: 'False InsufficientPods',
      events: ['UnmanagedPods'],
    },
    {
      name: 'a controller that nobody knows',
      spec: { maxUnavailable: 1 },
      pods: pods(2),
      scales: {},
      says: [0, 0, 2, 0],
      condition: 'False SyncFailed',
      events: ['CalculateExpectedPodCountFailed'],
    },
  ];
  for (const row of rows) {
    it(row.name, () => {
      const { status, events } = counted(budget(row.spec), row.pods, row.scales ?? {});
      assert.deepEqual(
        [status.expectedPods, status.desiredHealthy, status.currentHealthy, status.disruptionsAllowed],
        row.says,
      );
      const allowed = findCondition(status.conditions, 'DisruptionAllowed');
      assert.equal(`${allowed?.status} ${allowed?.reason}`, row.condition ?? 'True SufficientPods');
      assert.deepEqual([status.observedGeneration, allowed?.observedGeneration], [2, 2]);
      assert.deepEqual(events, row.events ?? []);
      const again = planDisruptionBudget({
        budget: { ...budget(row.spec), status },
        pods: row.pods,
        scaleOf: ({ name }) => row.scales?.[name],
        now: NOW,
      });
      assert.deepEqual(again.steps, [], 'nothing to say the second time');
    });
  }

  it('counts a booked eviction as gone until it is seen, for two minutes at most', () => {
    const before = { ...counted(budget({ minAvailable: 1 }), pods(3), {}).status };
    const booked = (name: string, at: string): StoredPodDisruptionBudget =>
      budget({ minAvailable: 1 }, { ...before, disruptionsAllowed: 1, disruptedPods: { [name]: at } });
    const waiting = counted(booked('web-0', ago(30)), pods(3), {});
    assert.deepEqual(
      [waiting.status.currentHealthy, waiting.status.disruptionsAllowed, waiting.status.disruptedPods, waiting.requeue],
      [2, 1, { 'web-0': ago(30) }, 90_000],
    );
    const overdue = counted(booked('web-0', ago(121)), pods(3), {});
    assert.deepEqual(
      [overdue.status.currentHealthy, overdue.status.disruptedPods, overdue.requeue],
      [3, undefined, undefined],
    );
    const going = counted(booked('web-0', ago(1)), [podOf('web-0', { terminating: true }), ...pods(3).slice(1)], {});
    assert.deepEqual([going.status.currentHealthy, going.status.disruptedPods], [2, undefined]);
    const replaced = counted(booked('web-0', ago(10)), [podOf('web-0', { created: ago(5) })], {});
    assert.deepEqual(
      [replaced.status.currentHealthy, replaced.status.disruptedPods],
      [1, undefined],
      'another pod of the name',
    );
  });
});

describe('whether a pod may be evicted', () => {
  const status = (
    disruptionsAllowed: number,
    more: Partial<PodDisruptionBudgetStatus> = {},
  ): PodDisruptionBudgetStatus => ({
    observedGeneration: 2,
    expectedPods: 3,
    desiredHealthy: 2,
    currentHealthy: 2 + disruptionsAllowed,
    disruptionsAllowed,
    ...more,
  });
  const spec = { minAvailable: 2 };
  const processed =
    "Cannot evict pod as it would violate the pod's disruption budget. The disruption budget web is still being processed by the server.";
  const full =
    "Cannot evict pod as it would violate the pod's disruption budget. The disruption budget web needs 2 healthy pods and has 2 currently";
  const few =
    "Cannot evict pod as it would violate the pod's disruption budget. The disruption budget web needs 2 healthy pods and has 1 currently";
  const rows: readonly (readonly [
    name: string,
    pod: StoredPod,
    budgets: readonly StoredPodDisruptionBudget[],
    says: string,
  ])[] = [
    ['no budget', podOf('a'), [], 'yes'],
    ['a budget over others', podOf('a', { labels: { app: 'db' } }), [budget(spec, status(0))], 'yes'],
    ['a budget without a selector', podOf('a'), [budget({ ...spec, selector: undefined }, status(0))], 'yes'],
    [
      'an empty selector is over every pod',
      podOf('a', { labels: {} }),
      [budget({ ...spec, selector: {} }, status(0))],
      full,
    ],
    [
      'a budget of another namespace',
      podOf('a'),
      [{ ...budget(spec, status(0)), metadata: { ...budget(spec).metadata, namespace: 'other' } }],
      'yes',
    ],
    ['room', podOf('a'), [budget(spec, status(1))], 'booked'],
    ['no room', podOf('a'), [budget(spec, status(0))], full],
    ['a budget that was not counted yet', podOf('a'), [budget(spec)], processed],
    [
      'a budget that changed since it was counted',
      podOf('a'),
      [budget(spec, status(1, { observedGeneration: 1 }))],
      processed,
    ],
    ['a pod that waits for its node', podOf('a', { phase: 'Pending', ready: false }), [budget(spec, status(0))], 'yes'],
    ['a pod that ended', podOf('a', { phase: 'Succeeded' }), [budget(spec, status(0))], 'yes'],
    ['a pod that is going', podOf('a', { terminating: true }), [budget(spec, status(0))], 'yes'],
    [
      'a pod that is not ready, while enough others are',
      podOf('a', { ready: false }),
      [budget(spec, status(0))],
      'yes',
    ],
    [
      'a pod that is not ready, while too few are',
      podOf('a', { ready: false }),
      [budget(spec, status(0, { currentHealthy: 1 }))],
      few,
    ],
    [
      'the same, where unhealthy pods may always go',
      podOf('a', { ready: false }),
      [budget({ ...spec, unhealthyPodEvictionPolicy: 'AlwaysAllow' }, status(0, { currentHealthy: 1 }))],
      'yes',
    ],
    [
      'a ready pod, where unhealthy pods may always go',
      podOf('a'),
      [budget({ ...spec, unhealthyPodEvictionPolicy: 'AlwaysAllow' }, status(0))],
      full,
    ],
    [
      'two budgets',
      podOf('a'),
      [budget(spec, status(5)), budget(spec, status(5), 'too')],
      'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
    ],
    ['a booking that is on its way', podOf('a'), [budget(spec, status(0, { disruptedPods: { a: ago(5) } }))], 'yes'],
    ['a booking that came to nothing', podOf('a'), [budget(spec, status(0, { disruptedPods: { a: ago(121) } }))], full],
    [
      'a booking of a pod that had the name before',
      podOf('a', { created: ago(1) }),
      [budget(spec, status(0, { disruptedPods: { a: ago(5) } }))],
      full,
    ],
  ];
  for (const [name, asked, budgets, says] of rows) {
    it(name, () => {
      const verdict = disruptionsAllowed(asked, budgets, NOW);
      assert.equal(verdict.allowed ? (verdict.claim ? 'booked' : 'yes') : verdict.message, says);
    });
  }

  it('books one, and what one takes the next does not get', () => {
    const first = disruptionsAllowed(podOf('a'), [budget(spec, status(1))], NOW);
    assert.ok(first.allowed && first.claim);
    assert.deepEqual(
      [first.claim.status?.disruptionsAllowed, first.claim.status?.disruptedPods, first.claim.metadata.resourceVersion],
      [0, { a: NOW.toISOString() }, '1'],
    );
    assert.deepEqual(disruptionsAllowed(podOf('b'), [first.claim], NOW).allowed, false);
    assert.deepEqual(disruptionsAllowed(podOf('a'), [first.claim], NOW), { allowed: true });
  });
});
