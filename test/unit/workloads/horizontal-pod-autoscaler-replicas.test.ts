/**
 * How many pods a measure asks for. Numbers are those of Kubernetes' own tables,
 * pkg/controller/podautoscaler/replica_calculator_test.go; there a cpu's start is 2 minutes and its first readiness 10
 * s, here what the controller has by default.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Pod } from '../../../contracts/objects/index.ts';
import {
  average,
  proposeForPods,
  proposeForShares,
  proposeForValue,
  requestsOf,
  utilization,
  type PodValues,
  type Proposal,
  type Tolerances,
} from '../../../reconciler/core/workloads/horizontal-pod-autoscaler-replicas.ts';
import { condition, pod } from '../controllers/objects.ts';

const NOW = new Date('2026-01-01T01:00:00.000Z');
const MINUTE = 60_000;
const before = (ms: number): string => new Date(NOW.getTime() - ms).toISOString();
const TOLERANCES: Tolerances = { down: 0.1, up: 0.1 };

interface Seen {
  readonly phase?: 'Pending' | 'Running' | 'Failed';
  readonly ready?: boolean;
  /** How long ago it started, and its readiness changed, ms. */
  readonly started?: number;
  readonly since?: number;
  readonly ending?: true;
  /** Of cpu, in thousandths. */
  readonly request?: number;
}

function podOf(name: string, seen: Seen): Pod {
  const { phase = 'Running', ready = true, started = 30 * MINUTE, since = 29 * MINUTE, request = 1000 } = seen;
  const resources = request === 0 ? {} : { requests: { cpu: `${request}m`, memory: '1Gi' } };
  return {
    ...pod(
      name,
      { containers: [{ name: 'app', image: 'a:1', resources }] },
      seen.ending ? { deletionTimestamp: before(0) } : {},
    ),
    status: {
      phase,
      startTime: before(started),
      conditions: [condition('Ready', ready ? 'True' : 'False', { lastTransitionTime: before(since) })],
    },
  };
}

/** Pods of which the first have these values, as they are sampled now. */
function measured(levels: readonly (number | undefined)[], windowMs = MINUTE): PodValues {
  return new Map(
    levels.flatMap((milli, i) =>
      milli === undefined ? [] : [[`p${i}`, { milli, at: NOW.getTime(), windowMs }] as const],
    ),
  );
}

const NOT_YET_READY: Seen = { ready: false, started: 10 * MINUTE, since: 10 * MINUTE };
const BECAME_UNREADY: Seen = { ready: false, started: 30 * MINUTE, since: 3 * MINUTE };
const STARTED_A_MINUTE_AGO: Seen = { started: MINUTE, since: MINUTE / 2 };

interface Row {
  readonly name: string;
  readonly replicas: number;
  readonly pods?: readonly Seen[];
  readonly levels: readonly (number | undefined)[];
  readonly target: number;
  readonly tolerances?: Tolerances;
  readonly expected: number;
  readonly found?: object;
}

const fill = (some: readonly Seen[] | undefined, replicas: number): readonly Pod[] =>
  (some ?? Array.from({ length: replicas }, () => ({}))).map((seen, i) => podOf(`p${i}`, seen));

describe('utilization of a resource', () => {
  const rows: readonly Row[] = [
    {
      name: 'above its target',
      replicas: 3,
      levels: [300, 500, 700],
      target: 30,
      expected: 5,
      found: { averageUtilization: 50, averageValue: '500m' },
    },
    {
      name: 'above it with one pod that was never ready: that one would use nothing',
      replicas: 3,
      pods: [NOT_YET_READY, {}, {}],
      levels: [300, 500, 700],
      target: 30,
      expected: 4,
      found: { averageUtilization: 60, averageValue: '600m' },
    },
    {
      name: 'above it with one pod that is pending',
      replicas: 3,
      pods: [{ phase: 'Pending' }, {}, {}],
      levels: [undefined, 500, 700],
      target: 30,
      expected: 4,
    },
    {
      name: 'above it with one pod that has just started: its start costs cpu',
      replicas: 3,
      pods: [{ ...STARTED_A_MINUTE_AGO, since: 10 }, {}, {}],
      levels: [3000, 500, 700],
      target: 30,
      expected: 4,
    },
    {
      name: 'above it with one that is young and was measured for a whole window since it is ready',
      replicas: 3,
      pods: [{ started: 2 * MINUTE, since: 1.5 * MINUTE }, {}, {}],
      levels: [300, 500, 700],
      target: 30,
      expected: 5,
    },
    {
      name: 'above it with one that was ready and is not now: it counts',
      replicas: 3,
      pods: [BECAME_UNREADY, {}, {}],
      levels: [300, 500, 700],
      target: 30,
      expected: 5,
    },
    {
      name: 'above it with failed pods, which count for nothing',
      replicas: 2,
      pods: [{}, {}, { phase: 'Failed' }, { phase: 'Failed' }],
      levels: [500, 700],
      target: 30,
      expected: 4,
      found: { averageUtilization: 60, averageValue: '600m' },
    },
    {
      name: 'above it with pods that end, which count for nothing',
      replicas: 2,
      pods: [{}, {}, { ending: true }, { ending: true }],
      levels: [500, 700, 900, 900],
      target: 30,
      expected: 4,
    },
    {
      name: 'below its target',
      replicas: 5,
      levels: [100, 300, 500, 250, 250],
      target: 50,
      expected: 3,
      found: { averageUtilization: 28, averageValue: '280m' },
    },
    {
      name: 'below it amid an update, with a pod beyond the number: that there are more turns nothing round',
      replicas: 2,
      pods: [{}, {}, NOT_YET_READY],
      levels: [100, 100],
      target: 50,
      expected: 2,
      found: { averageUtilization: 10, averageValue: '100m' },
    },
    {
      name: 'as near to it as is tolerated',
      replicas: 3,
      pods: [{ request: 900 }, { request: 1000 }, { request: 1100 }],
      levels: [1010, 1030, 1020],
      target: 100,
      expected: 3,
      found: { averageUtilization: 102, averageValue: '1020m' },
    },
    {
      name: 'nearer to it than is tolerated where less is',
      replicas: 3,
      levels: [1030, 1030, 1030],
      target: 100,
      tolerances: { down: 0.1, up: 0.02 },
      expected: 4,
    },
    {
      name: 'below it by less than is tolerated that way',
      replicas: 4,
      levels: [700, 700, 700, 700],
      target: 100,
      tolerances: { down: 0.5, up: 0 },
      expected: 4,
    },
    {
      name: 'below it with pods that were not measured: they would use all of it',
      replicas: 4,
      levels: [400, 95],
      target: 100,
      expected: 3,
      found: { averageUtilization: 24, averageValue: '247m' },
    },
    { name: 'at it with one that was not measured', replicas: 2, levels: [1000], target: 100, expected: 2 },
    {
      name: 'above it, and not, were one that was not measured to use nothing',
      replicas: 2,
      levels: [1900],
      target: 100,
      expected: 2,
    },
    {
      name: 'below it, and not, were one that was not measured to use all',
      replicas: 2,
      levels: [600],
      target: 100,
      expected: 2,
    },
    {
      name: 'below it by little, with one unmeasured and one never ready',
      replicas: 3,
      pods: [NOT_YET_READY, {}, {}],
      levels: [100, 450],
      target: 50,
      expected: 3,
      found: { averageUtilization: 45, averageValue: '450m' },
    },
    {
      name: 'far above it, with one unmeasured and one never ready',
      replicas: 3,
      pods: [NOT_YET_READY, {}, {}],
      levels: [100, 2000],
      target: 50,
      expected: 4,
      found: { averageUtilization: 200, averageValue: '2' },
    },
    {
      name: 'far below it, with one unmeasured and one never ready',
      replicas: 4,
      pods: [NOT_YET_READY, {}, {}, {}],
      levels: [100, 100, 100],
      target: 50,
      expected: 3,
      found: { averageUtilization: 10, averageValue: '100m' },
    },
    {
      name: 'of a target above 100 %: what was not measured would use that',
      replicas: 2,
      levels: [1000],
      target: 200,
      expected: 2,
    },
    {
      name: 'with measurements of pods that are not its own',
      replicas: 1,
      levels: [1000, 5000, 5000],
      pods: [{}],
      target: 100,
      expected: 1,
    },
  ];
  for (const { name, replicas, pods: seen, levels, target, tolerances = TOLERANCES, expected, found } of rows)
    it(name, () => {
      const pods = fill(seen, replicas);
      const requests = requestsOf(pods, 'cpu');
      assert.ok(!('failure' in requests));
      const yardstick = utilization(requests, target);
      const proposal = proposeForPods({
        pods,
        values: measured(levels),
        resource: 'cpu',
        yardstick,
        replicas,
        tolerances,
        now: NOW,
      });
      assertProposal(proposal, expected, found);
    });

  it('is that of one container, and of sidecars too', () => {
    const containers = [
      { name: 'app', image: 'a:1', resources: { requests: { cpu: '100m' } } },
      { name: 'other', image: 'a:1', resources: { requests: { cpu: '1' } } },
    ];
    const init = [
      { name: 'once', image: 'a:1' },
      { name: 'beside', image: 'a:1', restartPolicy: 'Always', resources: { requests: { cpu: '10m' } } },
    ];
    const pods = [pod('p0', { containers, initContainers: init })];
    assert.deepEqual(requestsOf(pods, 'cpu'), new Map([['p0', 1110]]));
    assert.deepEqual(requestsOf(pods, 'cpu', 'app'), new Map([['p0', 100]]));
    assert.deepEqual(requestsOf(pods, 'cpu', 'none'), { failure: 'container none not found in Pod p0' });
  });

  it('cannot be said where a pod does not say what it requests, none is measured, or there is none', () => {
    assert.deepEqual(requestsOf([podOf('p0', { request: 0 })], 'cpu'), {
      failure: 'missing request for cpu in container app of Pod p0',
    });
    const of = (pods: readonly Pod[], levels: readonly number[]): Proposal =>
      proposeForPods({
        pods,
        values: measured(levels),
        yardstick: average(1000),
        replicas: 1,
        tolerances: TOLERANCES,
        now: NOW,
      });
    assert.deepEqual(of([podOf('p0', {})], []), {
      failure: 'did not receive metrics for targeted pods (pods might be unready)',
    });
    assert.deepEqual(of([], [100]), { failure: 'no pods returned by selector while calculating replica count' });
  });

  it('cannot be said of pods that request nothing of it', () => {
    const yardstick = utilization(new Map([['p0', 0]]), 50);
    const pods = [podOf('p0', {})];
    const found = proposeForPods({
      pods,
      values: measured([5]),
      yardstick,
      replicas: 1,
      tolerances: TOLERANCES,
      now: NOW,
    });
    assert.deepEqual(found, { failure: 'the pods request nothing of it' });
  });
});

describe('an average over pods', () => {
  const rows: readonly Row[] = [
    {
      name: 'above its target',
      replicas: 3,
      levels: [20000, 10000, 30000],
      target: 15000,
      expected: 4,
      found: { averageValue: '20' },
    },
    {
      name: 'above it with an unready pod: only a start of cpu is left out',
      replicas: 3,
      pods: [{}, NOT_YET_READY, {}],
      levels: [50000, 10000, 30000],
      target: 15000,
      expected: 6,
      found: { averageValue: '30' },
    },
    {
      name: 'below it',
      replicas: 5,
      levels: [12000, 12000, 12000, 12000, 12000],
      target: 20000,
      expected: 3,
      found: { averageValue: '12' },
    },
    { name: 'as near to it as is tolerated', replicas: 3, levels: [20000, 21000, 21000], target: 20000, expected: 3 },
    {
      name: 'below it, with one that was not measured: it would be at the target',
      replicas: 3,
      levels: [5000, 5000],
      target: 10000,
      expected: 2,
    },
  ];
  for (const { name, replicas, pods: seen, levels, target, tolerances = TOLERANCES, expected, found } of rows)
    it(name, () => {
      const pods = fill(seen, replicas);
      const proposal = proposeForPods({
        pods,
        values: measured(levels),
        yardstick: average(target),
        replicas,
        tolerances,
        now: NOW,
      });
      assertProposal(proposal, expected, found);
    });
});

describe('one value', () => {
  for (const [name, replicas, found, target, expected] of [
    ['above its target', 3, 20000, 15000, 4],
    ['above it, from one pod', 1, 8600, 4400, 2],
    ['below it', 5, 8600, 14334, 3],
    ['as near to it as is tolerated', 3, 8600, 8888, 3],
    ['of what has no pods yet', 0, 5000, 1000, 5],
    ['beyond all bounds', 2, Number.MAX_SAFE_INTEGER, 1, 2 ** 31 - 1],
  ] as const)
    it(name, () => {
      const proposal = proposeForValue(
        { pods: fill(undefined, replicas), found, target, tolerances: TOLERANCES },
        replicas,
      );
      assertProposal(proposal, expected);
    });

  it('is taken in proportion to the pods that are ready', () => {
    const pods = fill([{}, {}, NOT_YET_READY], 3);
    assertProposal(proposeForValue({ pods, found: 2000, target: 1000, tolerances: TOLERANCES }, 3), 4);
  });

  for (const [name, present, found, target, expected, shown] of [
    ['of which each pod has its part, above its target', 3, 40000, 10000, 4, '13334m'],
    ['of which each pod has its part, from outside', 3, 8600, 2150, 4, '2867m'],
    ['of which each pod has its part, below it', 5, 8600, 2867, 3, '1720m'],
    ['of which each pod has its part, as is tolerated', 3, 8600, 2867, 3, '2867m'],
    ['of which no pod has a part yet', 0, 8600, 4300, 2, '8600m'],
    ['of nothing, of which no pod has a part yet', 0, 0, 4300, 0, '0'],
  ] as const)
    it(name, () => {
      const proposal = proposeForShares({ pods: [], found, target, tolerances: TOLERANCES }, present);
      assertProposal(proposal, expected, { averageValue: shown });
    });
});

function assertProposal(proposal: Proposal, replicas: number, current?: object): void {
  assert.ok(!('failure' in proposal), JSON.stringify(proposal));
  assert.equal(proposal.replicas, replicas);
  if (current) assert.deepEqual(proposal.current, current);
}
