/**
 * Decisions on CronJobs. Source of what is expected: Kubernetes documentation, "CronJob", and
 * cronjob_controllerv2_test.go.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  CronJobManifest,
  keyOf,
  objectKey,
  SCHEDULED_AT,
  type Condition,
  type StoredCronJob,
  type StoredJob,
} from '../../../contracts/objects/index.ts';
import { cronJobController } from '../../../reconciler/controllers/cronjob.ts';
import { cronSchedule, isBad } from '../../../reconciler/core/workloads/cron-schedule.ts';
import { isJobFinished } from '../../../reconciler/core/workloads/job.ts';
import { World } from '../controllers/world.ts';

const KEY = objectKey('CronJob', 'default', 'report');
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** Shorter than what is between two slots. */
const STEP = 10_000;

class CronWorld extends World {
  constructor(spec: object = {}) {
    super([cronJobController]);
    this.now = new Date('2026-01-01T10:30:00.000Z');
    const template = { spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'task:v1' }] } };
    this.put(
      CronJobManifest.parse({
        apiVersion: 'batch/v1',
        kind: 'CronJob',
        metadata: { name: 'report', namespace: 'default' },
        spec: {
          schedule: '@hourly',
          jobTemplate: { metadata: { labels: { app: 'report' }, annotations: { team: 'a' } }, spec: { template } },
          ...spec,
        },
      }),
    );
    this.settle();
  }
  get cronJob(): StoredCronJob {
    const found = this.get(KEY);
    if (!found) throw new Error('the CronJob is gone');
    return found;
  }
  get jobs(): readonly StoredJob[] {
    return this.list('Job');
  }
  get slots(): readonly string[] {
    return this.jobs.map(({ metadata }) => metadata.annotations?.[SCHEDULED_AT] ?? '');
  }
  /** Time passes as it does: in steps that no timer is passed over in. */
  pass(ms: number): void {
    for (let left = ms; left > 0; left -= STEP) {
      this.advance(Math.min(left, STEP));
      this.settle();
    }
  }
  finish(job: StoredJob, type: 'Complete' | 'Failed' = 'Complete'): void {
    const condition: Condition = { type, status: 'True', lastTransitionTime: this.now.toISOString() };
    const time = { startTime: this.now.toISOString(), completionTime: this.now.toISOString() };
    const counts = { active: 0, ready: 0, terminating: 0, succeeded: 1, failed: 0 };
    this.put({ ...job, status: { ...counts, ...time, conditions: [condition] } });
    this.settle();
  }
  reasons(): readonly string[] {
    return this.events.map(({ reason }) => reason);
  }
  set(spec: Partial<StoredCronJob['spec']>): void {
    this.put({ ...this.cronJob, spec: { ...this.cronJob.spec, ...spec } });
    this.settle();
  }
}

describe('a CronJob', () => {
  it('makes the Job of a slot when it has come, under the name of the slot', () => {
    const w = new CronWorld();
    w.pass(30 * MINUTE - 1);
    assert.equal(w.jobs.length, 0);
    w.pass(MINUTE);
    const [job] = w.jobs;
    assert.equal(job?.metadata.name, `report-${Date.parse('2026-01-01T11:00:00Z') / MINUTE}`);
    assert.deepEqual(job.metadata.labels, { app: 'report' });
    assert.deepEqual(job.metadata.annotations, { team: 'a', [SCHEDULED_AT]: '2026-01-01T11:00:00Z' });
    assert.deepEqual(w.cronJob.status, {
      active: [{ name: job.metadata.name, uid: job.metadata.uid }],
      lastScheduleTime: '2026-01-01T11:00:00Z',
    });
    w.finish(job);
    assert.deepEqual(w.cronJob.status, {
      lastScheduleTime: '2026-01-01T11:00:00Z',
      lastSuccessfulTime: '2026-01-01T11:00:59Z',
    });
    assert.ok(w.reasons().includes('SawCompletedJob'));
  });

  it('runs in its time zone, and says so in the slot', () => {
    const w = new CronWorld({ schedule: '0 12 * * *', timeZone: 'Europe/Berlin' });
    w.pass(45 * MINUTE);
    assert.deepEqual(w.slots, ['2026-01-01T12:00:00+01:00']);
  });

  it('of the slots that were missed runs the newest, and tells when there were many', () => {
    const w = new CronWorld({ schedule: '*/10 * * * *' });
    w.now = new Date(w.now.getTime() + 5 * HOUR + 5 * MINUTE);
    w.resync();
    w.settle();
    assert.deepEqual(w.slots, ['2026-01-01T15:30:00Z']);
    assert.ok(!w.reasons().includes('TooManyMissedTimes'));
    w.now = new Date(w.now.getTime() + 24 * HOUR);
    w.resync();
    w.settle();
    assert.deepEqual(w.slots, ['2026-01-01T15:30:00Z', '2026-01-02T15:30:00Z']);
    assert.ok(w.reasons().includes('TooManyMissedTimes'));
  });

  it('starts no slot after its deadline', () => {
    const w = new CronWorld({ startingDeadlineSeconds: 60 });
    w.now = new Date('2026-01-01T11:01:01Z');
    w.resync();
    w.settle();
    assert.deepEqual(w.slots, []);
    w.now = new Date('2026-01-01T12:00:59Z');
    w.resync();
    w.settle();
    assert.deepEqual(w.slots, ['2026-01-01T12:00:00Z']);
  });

  it('with a pause from slot to slot that is longer than its deadline runs all the same', () => {
    const w = new CronWorld({ schedule: '@every 1h', startingDeadlineSeconds: 60 });
    w.pass(2 * HOUR + MINUTE);
    assert.deepEqual(w.slots, ['2026-01-01T11:30:00Z', '2026-01-01T12:30:00Z']);
  });

  it('counts no missed slots that are past their deadline', () => {
    const w = new CronWorld({ schedule: '* * * * *', startingDeadlineSeconds: 90 });
    w.now = new Date(w.now.getTime() + 24 * HOUR);
    w.resync();
    w.settle();
    assert.deepEqual(w.slots, ['2026-01-02T10:30:00Z']);
    assert.ok(!w.reasons().includes('TooManyMissedTimes'));
  });

  it('Allow runs Jobs beside one another', () => {
    const w = new CronWorld({ schedule: '* * * * *' });
    w.pass(3 * MINUTE + 1000);
    assert.equal(w.jobs.length, 3);
  });

  it('Forbid waits for the one before, and then starts late', () => {
    const w = new CronWorld({ concurrencyPolicy: 'Forbid' });
    w.pass(31 * MINUTE);
    w.pass(HOUR);
    assert.deepEqual(w.slots, ['2026-01-01T11:00:00Z']);
    assert.ok(w.reasons().includes('JobAlreadyActive'));
    const [job] = w.jobs;
    assert.ok(job);
    w.finish(job);
    assert.deepEqual(w.slots, ['2026-01-01T11:00:00Z', '2026-01-01T12:00:00Z']);
  });

  it('Replace ends the one before', () => {
    const w = new CronWorld({ concurrencyPolicy: 'Replace' });
    w.pass(31 * MINUTE);
    w.pass(HOUR);
    assert.deepEqual(w.slots, ['2026-01-01T12:00:00Z']);
    assert.equal(w.cronJob.status?.active?.length, 1);
  });

  it('keeps as many finished Jobs as its limits say, the newest', () => {
    const w = new CronWorld({ schedule: '* * * * *', successfulJobsHistoryLimit: 2, failedJobsHistoryLimit: 0 });
    for (const how of ['Complete', 'Failed', 'Complete', 'Complete'] as const) {
      w.pass(MINUTE + 1000);
      const job = w.jobs.find((one) => !isJobFinished(one));
      assert.ok(job);
      w.finish(job, how);
    }
    assert.deepEqual(w.slots, ['2026-01-01T10:33:00Z', '2026-01-01T10:34:00Z']);
  });

  it('suspended starts nothing, and catches up with the newest slot alone', () => {
    const w = new CronWorld({ suspend: true });
    w.pass(5 * HOUR);
    assert.deepEqual(w.slots, []);
    w.set({ suspend: false });
    assert.deepEqual(w.slots, ['2026-01-01T15:00:00Z']);
  });

  it('a clock that is set back brings no slot again, and one set forward is noticed within minutes', () => {
    const w = new CronWorld({ schedule: '*/10 * * * *' });
    w.pass(31 * MINUTE);
    const before = w.slots;
    assert.deepEqual(before, ['2026-01-01T10:40:00Z', '2026-01-01T10:50:00Z', '2026-01-01T11:00:00Z']);
    for (const job of w.jobs) w.remove(keyOf(job));
    w.settle();
    w.now = new Date('2026-01-01T10:35:00Z');
    w.pass(30 * MINUTE);
    assert.deepEqual(w.slots, []);
    w.pass(6 * MINUTE);
    assert.deepEqual(w.slots, ['2026-01-01T11:10:00Z']);
    w.now = new Date('2026-01-01T18:00:30Z');
    w.pass(5 * MINUTE);
    assert.deepEqual(w.slots.at(-1), '2026-01-01T18:00:00Z');
  });

  it('tells when the name of its Job is taken', () => {
    const w = new CronWorld();
    w.pass(29 * MINUTE);
    const name = `report-${Date.parse('2026-01-01T11:00:00Z') / MINUTE}`;
    const spec = w.cronJob.spec.jobTemplate.spec;
    w.put({ apiVersion: 'batch/v1', kind: 'Job', metadata: { name, namespace: 'default' }, spec });
    w.pass(2 * MINUTE);
    assert.equal(w.jobs.length, 1);
    assert.ok(w.reasons().includes('FailedCreate'));
  });

  it('has one Job for each slot that it starts, none twice, whatever happens', () => {
    const happening = fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record({ is: fc.constant('time' as const), ms: fc.integer({ min: 1, max: 20 * MINUTE }) }),
      },
      {
        weight: 1,
        arbitrary: fc.record({ is: fc.constant('step' as const), ms: fc.integer({ min: -3 * HOUR, max: 3 * HOUR }) }),
      },
      { weight: 2, arbitrary: fc.record({ is: fc.constant('finish' as const), which: fc.nat(9) }) },
      { weight: 2, arbitrary: fc.record({ is: fc.constant('remove' as const), which: fc.nat(9) }) },
      { weight: 1, arbitrary: fc.record({ is: fc.constant('restart' as const) }) },
      { weight: 1, arbitrary: fc.record({ is: fc.constant('suspend' as const), suspend: fc.boolean() }) },
    );
    fc.assert(
      fc.property(
        fc.constantFrom('*/7 * * * *', '@hourly', '@every 5m', '30 2 * * *'),
        fc.constantFrom('Allow', 'Forbid', 'Replace'),
        fc.array(happening, { maxLength: 60 }),
        (schedule, concurrencyPolicy, happenings) => {
          const w = new CronWorld({ schedule, concurrencyPolicy });
          const read = cronSchedule(schedule, 'UTC');
          assert.ok(!isBad(read));
          const started = new Set<string>();
          const seen = new Set<string>();
          for (const one of happenings) {
            const pick = (n: number): StoredJob | undefined => w.jobs[n % Math.max(1, w.jobs.length)];
            if (one.is === 'time') w.advance(one.ms);
            else if (one.is === 'step') w.now = new Date(w.now.getTime() + one.ms);
            else if (one.is === 'restart') w.resync();
            else if (one.is === 'suspend') w.set({ suspend: one.suspend });
            else {
              const job = pick(one.which);
              if (job && one.is === 'finish') w.finish(job);
              if (job && one.is === 'remove') w.remove(keyOf(job));
            }
            w.settle();
            for (const { metadata } of w.jobs) {
              if (seen.has(metadata.uid)) continue;
              seen.add(metadata.uid);
              const slot = metadata.annotations?.[SCHEDULED_AT] ?? '';
              assert.ok(!started.has(slot), `${slot} ran twice`);
              started.add(slot);
              if (!schedule.startsWith('@every'))
                assert.equal(read.last(new Date(Date.parse(slot) - 1), new Date(slot))?.getTime(), Date.parse(slot));
            }
            if (concurrencyPolicy !== 'Allow') assert.ok(w.jobs.filter((job) => !isJobFinished(job)).length <= 1);
          }
        },
      ),
      { numRuns: 150 },
    );
  });
});
