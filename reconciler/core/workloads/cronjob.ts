/**
 * One look at one CronJob. Source: Kubernetes documentation, "CronJob", and pkg/controller/cronjob (syncCronJob of
 * cronjob_controllerv2.go, mostRecentScheduleTime of utils.go).
 */
import {
  conditionIsTrue,
  keyOf,
  SCHEDULED_AT,
  type CronJobStatus,
  type Job,
  type StoredCronJob,
  type StoredJob,
} from '../../../contracts/objects/index.ts';
import type { Decision, Step } from '../step.ts';
import { canonicalJson } from '../storage/canonical-json.ts';
import { kubeTime } from '../storage/object-form.ts';
import { cronSchedule, isBad, type CronSchedule } from './cron-schedule.ts';
import { isJobFinished } from './job.ts';
import { compareText, controllerRef } from './owners.ts';
import { podMeta } from './template.ts';
import { TimeZone } from './wall-clock.ts';

export interface CronJobInput {
  readonly cronJob: StoredCronJob;
  /** Those that it controls. */
  readonly jobs: readonly StoredJob[];
  /** The Job of that name in the namespace, whoever controls it. */
  readonly jobNamed: (name: string) => StoredJob | undefined;
  readonly now: Date;
}

const MINUTE = 60_000;
/** As Kubernetes: so that the slot has come when the pass does. */
const DELTA_MS = 100;
/** A clock that is set forward makes a slot late by no more than this. */
const LONGEST_WAIT_MS = 5 * MINUTE;
/** Slots that were missed, from which on somebody is told. */
const MANY_MISSED = 100;

/**
 * Makes the Job of the newest slot that has come and has none, unless its policy is against it, and removes Jobs of the
 * past. A slot's Job has a name of its own, and `lastScheduleTime` follows from the Jobs that are there, so no slot runs
 * twice whatever is interrupted. No slot from before the CronJob's creation runs, nor one that is not after
 * `lastScheduleTime`: a clock that is set back brings none again, and after a loss of the store, when the CronJob is
 * new, none of before does.
 */
export function planCronJob(input: CronJobInput): Decision {
  const { cronJob, jobs, now } = input;
  if (cronJob.metadata.deletionTimestamp !== undefined) return { steps: [] };
  const status = statusOf(cronJob, jobs);
  const steps: Step[] = [
    ...(canonicalJson(status) === canonicalJson(cronJob.status ?? {})
      ? []
      : [{ do: 'updateStatus' as const, object: { ...cronJob, status } }]),
    ...finishedNews(cronJob, jobs),
    ...beyondHistory(cronJob, jobs),
  ];
  const { spec } = cronJob;
  const schedule = cronSchedule(spec.schedule, spec.timeZone ?? 'UTC');
  if (spec.suspend || isBad(schedule)) return { steps };
  const known = new Date(
    Math.max(Date.parse(cronJob.metadata.creationTimestamp), Date.parse(status.lastScheduleTime ?? '') || 0),
  );
  const newest = schedule.last(known, now);
  const deadline = spec.startingDeadlineSeconds === undefined ? 0 : now.getTime() - spec.startingDeadlineSeconds * 1000;
  if (newest && newest.getTime() > deadline) {
    const since = new Date(Math.max(known.getTime(), deadline));
    steps.push(...missedNews(cronJob, schedule, since, now), ...start(input, newest));
  }
  const next = schedule.next(newest ?? known);
  if (!next) return { steps };
  const waitMs = Math.max(0, next.getTime() - now.getTime()) + DELTA_MS;
  return { steps, requeueAfterMs: Math.min(waitMs, LONGEST_WAIT_MS) };
}

function start({ cronJob, jobs, jobNamed }: CronJobInput, slot: Date): readonly Step[] {
  const job = jobOf(cronJob, slot);
  const taken = jobNamed(job.metadata.name);
  if (taken) {
    const isOwn = taken.metadata.ownerReferences?.some(({ uid }) => uid === cronJob.metadata.uid) === true;
    // Its own one is in the status by the next pass.
    return isOwn
      ? []
      : [
          event(
            cronJob,
            'Warning',
            'FailedCreate',
            `Error creating job: ${job.metadata.name} is the name of another Job`,
          ),
        ];
  }
  const active = jobs.filter((one) => !isJobFinished(one) && one.metadata.deletionTimestamp === undefined);
  switch (cronJob.spec.concurrencyPolicy) {
    case 'Forbid':
      if (active.length > 0)
        return [
          event(
            cronJob,
            'Normal',
            'JobAlreadyActive',
            'Not starting job because prior execution is running and concurrency policy is Forbid',
          ),
        ];
      break;
    case 'Replace':
      return [...active.flatMap((one) => removal(cronJob, one)), ...creation(cronJob, job)];
    case 'Allow':
      break;
  }
  return creation(cronJob, job);
}

function creation(cronJob: StoredCronJob, job: Job): readonly Step[] {
  return [
    { do: 'create', object: job },
    event(cronJob, 'Normal', 'SuccessfulCreate', `Created job ${job.metadata.name}`),
  ];
}

function removal(cronJob: StoredCronJob, job: StoredJob): readonly Step[] {
  return [
    { do: 'delete', key: keyOf(job), uid: job.metadata.uid },
    event(cronJob, 'Normal', 'SuccessfulDelete', `Deleted job ${job.metadata.name}`),
  ];
}

/** The Job of a slot. Source: getJobFromTemplate2. */
export function jobOf(cronJob: StoredCronJob, slot: Date): Job {
  const { spec, metadata } = cronJob;
  const { annotations, ...meta } = podMeta(spec.jobTemplate);
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: `${metadata.name}-${Math.floor(slot.getTime() / MINUTE)}`,
      ...(metadata.namespace !== undefined && { namespace: metadata.namespace }),
      ...meta,
      annotations: { ...annotations, [SCHEDULED_AT]: new TimeZone(spec.timeZone ?? 'UTC').rfc3339(slot) },
      ownerReferences: [controllerRef(cronJob)],
    },
    spec: spec.jobTemplate.spec,
  };
}

/** A Job's slot, if a CronJob of that name made it: as it says, in the minute that its name says. */
export function slotOf(
  cronJobName: string,
  { name, annotations }: Pick<Job['metadata'], 'name' | 'annotations'>,
): Date | undefined {
  const minutes = name.startsWith(`${cronJobName}-`) ? name.slice(cronJobName.length + 1) : '';
  if (!/^\d{7,10}$/.test(minutes)) return undefined;
  const minute = Number(minutes) * MINUTE;
  const said = Date.parse(annotations?.[SCHEDULED_AT] ?? '');
  return new Date(said >= minute && said < minute + MINUTE ? said : minute);
}

function statusOf(cronJob: StoredCronJob, jobs: readonly StoredJob[]): CronJobStatus {
  const { status, metadata } = cronJob;
  const active = jobs
    .filter((job) => !isJobFinished(job))
    .map(({ metadata: { name, uid } }) => ({ name, uid }))
    .sort((a, b) => compareText(a.name, b.name));
  const newest = (times: readonly (Date | undefined)[], before: string | undefined): string | undefined => {
    const ms = [...times.map((time) => time?.getTime()), Date.parse(before ?? '')].filter((time) => time !== undefined);
    const known = ms.filter((time) => !Number.isNaN(time));
    return known.length === 0 ? undefined : kubeTime(new Date(Math.max(...known)));
  };
  const lastScheduleTime = newest(
    jobs.map((job) => slotOf(metadata.name, job.metadata)),
    status?.lastScheduleTime,
  );
  const ends = jobs
    .filter((job) => conditionIsTrue(job.status?.conditions, 'Complete'))
    .map((job) => new Date(job.status?.completionTime ?? Number.NaN));
  const lastSuccessfulTime = newest(ends, status?.lastSuccessfulTime);
  return {
    ...(active.length > 0 && { active }),
    ...(lastScheduleTime !== undefined && { lastScheduleTime }),
    ...(lastSuccessfulTime !== undefined && { lastSuccessfulTime }),
  };
}

/** Events of Jobs that were active when it was looked before. */
function finishedNews(cronJob: StoredCronJob, jobs: readonly StoredJob[]): readonly Step[] {
  const byUid = new Map(jobs.map((job) => [job.metadata.uid, job]));
  return (cronJob.status?.active ?? []).flatMap(({ name, uid }): readonly Step[] => {
    const job = byUid.get(uid);
    if (!job) return [event(cronJob, 'Normal', 'MissingJob', `Active job went missing: ${name}`)];
    if (!isJobFinished(job)) return [];
    const how = conditionIsTrue(job.status?.conditions, 'Complete') ? 'Complete' : 'Failed';
    return [event(cronJob, 'Normal', 'SawCompletedJob', `Saw completed job: ${name}, condition: ${how}`)];
  });
}

/** The oldest of those that finished go, as far as there are more than the limits say. */
function beyondHistory(cronJob: StoredCronJob, jobs: readonly StoredJob[]): readonly Step[] {
  const { successfulJobsHistoryLimit, failedJobsHistoryLimit } = cronJob.spec;
  const finished = jobs.filter((job) => job.metadata.deletionTimestamp === undefined && isJobFinished(job));
  const beyond = (condition: string, limit: number): readonly StoredJob[] =>
    finished
      .filter((job) => conditionIsTrue(job.status?.conditions, condition))
      .toSorted((a, b) => compareText(startKey(a), startKey(b)))
      .slice(0, -limit || undefined);
  return [...beyond('Complete', successfulJobsHistoryLimit), ...beyond('Failed', failedJobsHistoryLimit)].flatMap(
    (job) => removal(cronJob, job),
  );
}

function startKey({ metadata, status }: StoredJob): string {
  return `${status?.startTime ?? metadata.creationTimestamp} ${metadata.name}`;
}

function missedNews(cronJob: StoredCronJob, schedule: CronSchedule, since: Date, now: Date): readonly Step[] {
  let missed = 0;
  for (let at = schedule.next(since); at && at <= now && missed <= MANY_MISSED; at = schedule.next(at)) missed++;
  if (missed <= MANY_MISSED) return [];
  return [
    event(
      cronJob,
      'Warning',
      'TooManyMissedTimes',
      'too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew',
    ),
  ];
}

function event(cronJob: StoredCronJob, type: 'Normal' | 'Warning', reason: string, message: string): Step {
  return { do: 'event', regarding: cronJob, type, reason, message };
}
