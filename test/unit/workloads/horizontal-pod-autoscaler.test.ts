/**
 * What an autoscaler makes of its measures. Source of what is expected: Kubernetes documentation, "Horizontal Pod
 * Autoscaling", and pkg/controller/podautoscaler/horizontal_test.go.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  HorizontalPodAutoscalerManifest,
  findCondition,
  keyOf,
  objectKey,
  type Condition,
  type Pod,
  type StoredHorizontalPodAutoscaler,
} from '../../../contracts/objects/index.ts';
import { Rounds } from '../../../reconciler/controllers/autoscaling/rounds.ts';
import { allScaled } from '../../../reconciler/controllers/autoscaling/targets.ts';
import { horizontalPodAutoscalerController } from '../../../reconciler/controllers/horizontalpodautoscaler.ts';
import { finish } from '../../../reconciler/core/paced.ts';
import type { Reading } from '../../../reconciler/core/workloads/horizontal-pod-autoscaler-metrics.ts';
import { condition, deployment, pod } from '../controllers/objects.ts';
import { World } from '../controllers/world.ts';

const KEY = objectKey('HorizontalPodAutoscaler', 'default', 'web');
const TARGET = objectKey('Deployment', 'default', 'web');
const BEAT = 15_000;
const CPU = { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } };
const QUEUE = {
  type: 'External',
  external: { metric: { name: 'queue' }, target: { type: 'AverageValue', averageValue: '10' } },
};
const NOTHING: Reading = { of: 'nothing', why: 'nobody answers' };

/** A Deployment whose pods are there at once, each with a request of one core. */
class ScaledWorld extends World {
  readonly rounds: Rounds;
  constructor(spec: object = {}, replicas = 2) {
    const rounds = new Rounds();
    super([horizontalPodAutoscalerController(rounds)]);
    this.rounds = rounds;
    this.now = new Date('2026-01-01T10:00:00.000Z');
    this.put(deployment({ replicas }));
    this.follow();
    this.put(
      HorizontalPodAutoscalerManifest.parse({
        apiVersion: 'autoscaling/v2',
        kind: 'HorizontalPodAutoscaler',
        metadata: { name: 'web', namespace: 'default' },
        spec: {
          scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
          maxReplicas: 10,
          metrics: [QUEUE],
          ...spec,
        },
      }),
    );
    this.settle();
  }
  get autoscaler(): StoredHorizontalPodAutoscaler {
    const found = this.get(KEY);
    if (!found) throw new Error('the autoscaler is gone');
    return found;
  }
  get replicas(): number {
    return this.get(TARGET)?.spec.replicas ?? 0;
  }
  set replicas(replicas: number) {
    const target = this.get(TARGET);
    if (target) this.put({ ...target, spec: { ...target.spec, replicas } });
    this.follow();
  }
  /** Makes and takes away pods, as the Deployment wants them. */
  follow(): void {
    const target = this.get(TARGET);
    if (!target) return;
    for (const { metadata } of this.list('Pod')) this.remove(objectKey('Pod', 'default', metadata.name));
    for (let i = 0; i < this.replicas; i++) this.put(podOf(`p${i}`, this.now));
    const counts = { updatedReplicas: 0, readyReplicas: this.replicas, availableReplicas: 0, unavailableReplicas: 0 };
    this.put({ ...target, status: { ...counts, replicas: this.replicas } });
  }
  /** Something was measured; its Deployment has followed since. */
  measured(...readings: readonly Reading[]): number {
    for (const { autoscaler, rivals } of allScaled(this)) {
      const { uid, generation } = autoscaler.metadata;
      this.rounds.begin(uid, { generation, readings, rivals });
      this.ask(autoscaler);
    }
    this.settle();
    this.follow();
    return this.replicas;
  }
  /** A pass that is asked for when something was measured. */
  private ask(autoscaler: StoredHorizontalPodAutoscaler): void {
    const decided = horizontalPodAutoscalerController(this.rounds).decide(keyOf(autoscaler), this.context);
    this.apply('steps' in decided ? decided : finish(decided));
  }
  /** Of `all` messages in the queue. */
  messages(all: number): number {
    return this.measured({ of: 'all', milli: all * 1000 });
  }
  condition(type: string): string {
    const found: Condition | undefined = findCondition(this.autoscaler.status?.conditions, type);
    return `${found?.status ?? 'none'} ${found?.reason ?? ''}`;
  }
  reasons(): readonly string[] {
    return this.events.map(({ reason }) => reason);
  }
}

function podOf(name: string, now: Date): Pod {
  const at = new Date(now.getTime() - 3_600_000).toISOString();
  return {
    ...pod(
      name,
      { containers: [{ name: 'app', image: 'a:1', resources: { requests: { cpu: '1' } } }] },
      { labels: { app: 'web' } },
    ),
    status: { phase: 'Running', startTime: at, conditions: [condition('Ready', 'True', { lastTransitionTime: at })] },
  };
}

describe('an autoscaler', () => {
  it('sets what is asked for, and says so', () => {
    const w = new ScaledWorld();
    assert.equal(w.messages(40), 4);
    assert.deepEqual(
      w.events.map(({ type, reason, message }) => [type, reason, message]),
      [['Normal', 'SuccessfulRescale', 'New size: 4; reason: external metric queue above target']],
    );
    const { status } = w.autoscaler;
    assert.equal(status?.lastScaleTime, '2026-01-01T10:00:00Z');
    assert.deepEqual([status.currentReplicas, status.desiredReplicas], [2, 4]);
    assert.deepEqual(status.currentMetrics, [
      { type: 'External', external: { metric: { name: 'queue' }, current: { averageValue: '20' } } },
    ]);
    assert.equal(w.condition('AbleToScale'), 'True SucceededRescale');
    assert.equal(w.condition('ScalingActive'), 'True ValidMetricFound');
    assert.equal(w.condition('ScalingLimited'), 'False DesiredWithinRange');
  });

  it('changes nothing while nothing changes', () => {
    const w = new ScaledWorld();
    w.messages(40);
    w.advance(BEAT);
    w.messages(40);
    const before = w.autoscaler.metadata.resourceVersion;
    for (let i = 0; i < 10; i++) {
      w.advance(BEAT);
      assert.equal(w.messages(40), 4);
    }
    assert.equal(w.autoscaler.metadata.resourceVersion, before);
    assert.deepEqual(w.reasons(), ['SuccessfulRescale']);
  });

  it('decides once on what was measured, however often it is looked at', () => {
    const w = new ScaledWorld();
    w.messages(1000);
    assert.equal(w.replicas, 4);
    w.resync();
    w.settle();
    assert.equal(w.replicas, 4);
  });

  it('keeps its bounds as soon as a commit changes them, before anything is measured', () => {
    const w = new ScaledWorld({ minReplicas: 3 });
    assert.equal(w.replicas, 3);
    assert.match(
      w.events[0]?.message ?? '',
      /^New size: 3; reason: Current number of replicas below Spec\.MinReplicas$/,
    );
    w.put({ ...w.autoscaler, spec: { ...w.autoscaler.spec, minReplicas: 1, maxReplicas: 2 } });
    w.settle();
    assert.equal(w.replicas, 2);
  });

  it('does not decide on what was measured for another form of it', () => {
    const w = new ScaledWorld();
    w.rounds.begin(w.autoscaler.metadata.uid, { generation: 0, readings: [{ of: 'all', milli: 90_000 }], rivals: [] });
    w.resync();
    w.settle();
    assert.equal(w.replicas, 2);
  });

  it('leaves a target alone that was scaled to none', () => {
    const w = new ScaledWorld({ minReplicas: 2 }, 3);
    w.replicas = 0;
    assert.equal(w.messages(90), 0);
    assert.equal(w.condition('ScalingActive'), 'False ScalingDisabled');
    w.replicas = 2;
    assert.equal(w.messages(40), 4);
  });

  it('says that its target is not there', () => {
    const w = new ScaledWorld();
    w.remove(TARGET);
    w.messages(90);
    assert.equal(w.condition('AbleToScale'), 'False FailedGetScale');
    assert.match(w.events[0]?.message ?? '', /deployments\.apps "web" not found/);
  });

  it('does nothing where two are over the same pods', () => {
    const w = new ScaledWorld();
    const { metadata, ...rest } = w.autoscaler;
    w.put({ ...rest, metadata: { name: 'too', namespace: metadata.namespace ?? '' } });
    assert.equal(w.messages(90), 2);
    assert.equal(w.condition('ScalingActive'), 'False AmbiguousSelector');
    w.remove(objectKey('HorizontalPodAutoscaler', 'default', 'too'));
    assert.equal(w.messages(90), 4);
  });

  it('writes again what lost a race, and says what is refused', () => {
    const w = new ScaledWorld();
    const { uid, generation } = w.autoscaler.metadata;
    w.rounds.begin(uid, { generation, readings: [{ of: 'all', milli: 40_000 }], rivals: [] });
    const controller = horizontalPodAutoscalerController(w.rounds);
    controller.decide(KEY, w.context);
    const again = controller.decide(KEY, w.context) as { steps: readonly { do: string; reason?: string }[] };
    assert.deepEqual(
      again.steps.map((step) => step.reason ?? step.do),
      ['update', 'SuccessfulRescale', 'updateStatus'],
    );
    w.advance(BEAT);
    assert.equal(w.messages(40), 4);
    assert.deepEqual(w.reasons(), ['FailedRescale']);
    assert.equal(w.condition('AbleToScale'), 'False FailedUpdateScale');
  });
});

describe('several measures', () => {
  const two = (): ScaledWorld =>
    new ScaledWorld({ metrics: [QUEUE, { ...QUEUE, external: { ...QUEUE.external, metric: { name: 'other' } } }] }, 4);
  const all = (milli: number): Reading => ({ of: 'all', milli });

  it('have the one that asks for the most', () => {
    const w = two();
    assert.equal(w.measured(all(20_000), all(60_000)), 6);
    assert.match(w.events[0]?.message ?? '', /external metric other above target/);
  });

  it('make more of it where one cannot be had, and no fewer', () => {
    const w = two();
    assert.equal(w.measured(NOTHING, all(60_000)), 6);
    assert.equal(w.condition('ScalingActive'), 'True ValidMetricFound');
    assert.deepEqual(w.reasons(), ['FailedGetExternalMetric', 'SuccessfulRescale']);
    w.advance(1000 * BEAT);
    assert.equal(w.measured(NOTHING, all(10_000)), 6);
    assert.equal(w.condition('ScalingActive'), 'False FailedGetExternalMetric');
    assert.deepEqual(
      w.autoscaler.status?.currentMetrics?.map(({ type }) => type),
      ['', 'External'],
    );
  });

  it('change nothing where none can be had', () => {
    const w = two();
    assert.equal(w.measured(NOTHING, NOTHING), 4);
    assert.match(
      findCondition(w.autoscaler.status?.conditions, 'ScalingActive')?.message ?? '',
      /^the HPA was unable to compute the replica count: unable to get external metric queue: nobody answers$/,
    );
  });

  it('of a resource are told as a share of the request', () => {
    const w = new ScaledWorld({ metrics: [CPU] });
    const values = new Map(['p0', 'p1'].map((name) => [name, { milli: 900, at: w.now.getTime(), windowMs: BEAT }]));
    assert.equal(w.measured({ of: 'pods', values }), 4);
    assert.match(w.events[0]?.message ?? '', /cpu resource utilization \(percentage of request\) above target/);
    assert.deepEqual(w.autoscaler.status?.currentMetrics, [
      { type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: 90, averageValue: '900m' } } },
    ]);
  });
});

describe('how fast an autoscaler follows', () => {
  it('at most doubles, or has four, from one time to the next where there is no behavior', () => {
    const w = new ScaledWorld({ maxReplicas: 100 }, 1);
    const seen = [w.messages(1000)];
    assert.equal(w.condition('ScalingLimited'), 'True ScaleUpLimit');
    for (let i = 0; i < 5; i++) {
      w.advance(BEAT);
      seen.push(w.messages(1000));
    }
    assert.deepEqual(seen, [4, 8, 16, 32, 64, 100]);
  });

  it('falls to the highest of the last five minutes where there is no behavior', () => {
    const w = new ScaledWorld({}, 8);
    const seen = [];
    for (let passed = 0; passed < 330_000; passed += BEAT) {
      seen.push(w.messages(passed < 60_000 ? 60 : 20));
      w.advance(BEAT);
    }
    // The number at the first look stays for five minutes, then the 6 of the first minute for as long as those were
    // asked for.
    assert.deepEqual(seen, [...Array<number>(20).fill(8), 6, 6]);
    assert.equal(w.condition('AbleToScale'), 'True ScaleDownStabilized');
    w.advance(60_000);
    assert.equal(w.messages(20), 2);
  });

  it('rises to the lowest of its window', () => {
    const w = new ScaledWorld({ behavior: { scaleUp: { stabilizationWindowSeconds: 60 } } });
    const seen = [];
    for (const asked of [40, 50, 30, 50, 50, 50, 50]) {
      seen.push(w.messages(asked));
      w.advance(BEAT);
    }
    // Two at the first look; then the 3 of the third is the lowest for a minute.
    assert.deepEqual(seen, [2, 2, 2, 2, 3, 3, 5]);
  });

  const down = (policies: object[], more: object = {}): object => ({
    maxReplicas: 100,
    behavior: { scaleDown: { stabilizationWindowSeconds: 0, policies, ...more } },
  });
  const minutes = (w: ScaledWorld, count: number, all: number): number[] =>
    Array.from({ length: count }, () => {
      const seen = w.messages(all);
      w.advance(60_000);
      return seen;
    });

  it('takes away a tenth a minute, and four where that is more: the example of the documentation', () => {
    const w = new ScaledWorld(
      down([
        { type: 'Pods', value: 4, periodSeconds: 60 },
        { type: 'Percent', value: 10, periodSeconds: 60 },
      ]),
      80,
    );
    assert.deepEqual(minutes(w, 12, 100), [72, 64, 57, 51, 45, 40, 36, 32, 28, 24, 20, 16]);
  });

  it('takes away the least that a policy allows where that is chosen, and nothing where it is disabled', () => {
    const policies = [
      { type: 'Pods', value: 5, periodSeconds: 60 },
      { type: 'Percent', value: 10, periodSeconds: 60 },
    ];
    assert.deepEqual(minutes(new ScaledWorld(down(policies, { selectPolicy: 'Min' }), 80), 3, 100), [75, 70, 65]);
    const disabled = new ScaledWorld(down(policies, { selectPolicy: 'Disabled' }), 80);
    assert.deepEqual(minutes(disabled, 2, 100), [80, 80]);
    assert.equal(disabled.condition('ScalingLimited'), 'True ScaleDownLimit');
  });

  it('counts what it changed within the period of a policy', () => {
    const w = new ScaledWorld(down([{ type: 'Pods', value: 4, periodSeconds: 60 }]), 20);
    const seen = [];
    for (let i = 0; i < 9; i++) {
      seen.push(w.messages(10));
      w.advance(BEAT);
    }
    assert.deepEqual(seen, [16, 16, 16, 16, 12, 12, 12, 12, 8]);
  });

  it('counts what brought the number back within changed bounds', () => {
    const policies = [{ type: 'Pods', value: 4, periodSeconds: 60 }];
    const w = new ScaledWorld({ ...down(policies), maxReplicas: 17 }, 20);
    w.follow();
    assert.equal(w.replicas, 17, 'before anything was measured');
    assert.equal(w.messages(10), 16);
    w.advance(61_000);
    w.put({ ...w.autoscaler, spec: { ...w.autoscaler.spec, maxReplicas: 13 } });
    w.settle();
    w.follow();
    assert.equal(w.replicas, 13, 'after a commit');
    assert.equal(w.messages(10), 12);
    assert.equal(w.conflicts, 0);
  });

  it('counts no change that somebody else made', () => {
    const w = new ScaledWorld(down([{ type: 'Pods', value: 4, periodSeconds: 60 }]), 20);
    w.messages(200);
    w.replicas = 14;
    w.advance(BEAT);
    assert.equal(w.messages(10), 10);
  });

  it('is not limited in what it adds by what it took away, within a period', () => {
    const w = new ScaledWorld(
      {
        maxReplicas: 100,
        behavior: {
          scaleUp: { policies: [{ type: 'Pods', value: 1, periodSeconds: 60 }] },
          scaleDown: { stabilizationWindowSeconds: 0 },
        },
      },
      10,
    );
    assert.equal(w.messages(40), 4);
    w.advance(BEAT);
    assert.equal(w.messages(200), 11);
  });

  it('begins anew with the number that there is where another control plane takes over', () => {
    const w = new ScaledWorld({}, 8);
    w.messages(80);
    w.advance(200_000);
    w.messages(80);
    w.rounds.keep(new Set());
    w.advance(200_000);
    assert.equal(w.messages(10), 8);
    w.advance(301_000);
    assert.equal(w.messages(10), 1);
  });
});

describe('whatever is measured', () => {
  const policy = fc.record({
    type: fc.constantFrom('Pods', 'Percent'),
    value: fc.integer({ min: 1, max: 200 }),
    periodSeconds: fc.integer({ min: 1, max: 120 }),
  });
  const rules = fc.record({
    stabilizationWindowSeconds: fc.integer({ min: 0, max: 120 }),
    selectPolicy: fc.constantFrom('Max', 'Min', 'Disabled'),
    policies: fc.array(policy, { minLength: 1, maxLength: 3 }),
  });
  const run = fc.record({
    minReplicas: fc.integer({ min: 1, max: 5 }),
    above: fc.integer({ min: 0, max: 40 }),
    behavior: fc.option(fc.record({ scaleUp: rules, scaleDown: rules }), { nil: undefined }),
    start: fc.integer({ min: 1, max: 60 }),
    beats: fc.array(
      fc.tuple(fc.option(fc.integer({ min: 0, max: 900 }), { nil: undefined }), fc.integer({ min: 1, max: 90 })),
      {
        minLength: 1,
        maxLength: 25,
      },
    ),
  });

  it('the number stays within its bounds, changes no faster than the policies allow, and not for what is unknown', () => {
    fc.assert(
      fc.property(run, ({ minReplicas, above, behavior, start, beats }) => {
        const maxReplicas = minReplicas + above;
        const w = new ScaledWorld({ minReplicas, maxReplicas, ...(behavior && { behavior }) }, start);
        w.follow();
        for (const [all, seconds] of beats) {
          const before = w.replicas;
          const after: number = all === undefined ? w.measured(NOTHING) : w.messages(all);
          assert.ok(
            after >= minReplicas && after <= maxReplicas,
            `${after} is not in [${minReplicas}, ${maxReplicas}]`,
          );
          if (all === undefined) assert.equal(after, before);
          if (!behavior) assert.ok(after <= Math.max(2 * before, 4));
          if (behavior && after > before) assert.notEqual(behavior.scaleUp.selectPolicy, 'Disabled');
          if (behavior && after < before) assert.notEqual(behavior.scaleDown.selectPolicy, 'Disabled');
          w.advance(seconds * 1000);
        }
        assert.equal(w.conflicts, 0);
      }),
      { numRuns: 60 },
    );
  });

  it('no change goes beyond so many pods of what there was when the period of a policy began', () => {
    const times = fc.array(fc.tuple(fc.integer({ min: 0, max: 900 }), fc.integer({ min: 1, max: 40 })), {
      minLength: 5,
      maxLength: 40,
    });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10 }),
        fc.integer({ min: 1, max: 90 }),
        times,
        (value, periodSeconds, beats) => {
          const one = { stabilizationWindowSeconds: 0, policies: [{ type: 'Pods', value, periodSeconds }] };
          const w = new ScaledWorld({ maxReplicas: 90, behavior: { scaleUp: one, scaleDown: one } }, 20);
          const seen: { at: number; replicas: number }[] = [{ at: -1, replicas: 20 }];
          for (const [all, seconds] of beats) {
            const before = w.replicas;
            const replicas: number = w.messages(all);
            const start = seen.findLast(({ at }) => at <= w.monotonic - periodSeconds * 1000) ?? seen[0];
            // What is beyond it already may stay there; it does not go further.
            if (replicas > before) assert.ok(replicas <= (start?.replicas ?? 0) + value);
            if (replicas < before) assert.ok(replicas >= (start?.replicas ?? 0) - value);
            seen.push({ at: w.monotonic, replicas });
            w.advance(seconds * 1000);
          }
        },
      ),
      { numRuns: 50 },
    );
  });
});
