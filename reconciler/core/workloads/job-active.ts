/**
 * How many pods of a Job run, and which come and go next. Source: Kubernetes, job_controller.go (manageJob) and
 * backoff_utils.go.
 */
import type { StoredJob, StoredPod } from '../../../contracts/objects/index.ts';
import { groupBy } from '../group-by.ts';
import { Indexes } from './indexes.ts';
import {
  allIndexFailures,
  completionIndex,
  finishedAtMs,
  hasFailed,
  isIndexed,
  replacesOnlyFailed,
} from './job-pods.ts';
import { isValid } from './job-tracking.ts';
import { pickSurplus } from './pod-ranking.ts';

/** Pods that one pass makes or deletes. Source: MaxPodCreateDeletePerSync. */
export const MOST_AT_ONCE = 500;
const FIRST_BACKOFF_MS = 10_000;
const LONGEST_BACKOFF_MS = 600_000;

export interface Progress {
  readonly succeeded: number;
  readonly completed: Indexes;
  readonly failedIndexes: Indexes;
  readonly active: readonly StoredPod[];
  readonly ending: readonly StoredPod[];
  /** All pods that have ended, whether they are counted or not. */
  readonly ended: readonly StoredPod[];
  /** Of each index that has a limit of its own: the pod that the next one follows. */
  readonly lastFailed: ReadonlyMap<number, StoredPod>;
  /** Pods that may run where nobody can look. */
  readonly held: number;
}

export interface Plan {
  readonly remove: readonly StoredPod[];
  /** One pod each; undefined where the Job is not indexed. */
  readonly create: readonly (number | undefined)[];
  /** Milliseconds until there may be more to create. */
  readonly waitMs?: number;
}
const NOTHING: Plan = { remove: [], create: [] };

export function planActive(job: StoredJob, progress: Progress, now: Date): Plan {
  const { spec } = job;
  const { active, ending, succeeded, held } = progress;
  if (spec.suspend) return { ...NOTHING, remove: active.slice(0, MOST_AT_ONCE) };
  const wanted = wantedActive(job, succeeded, active.length);
  const remove = surplus(job, active, Math.max(0, active.length - wanted), now);
  if (remove.length > 0) return { ...NOTHING, remove: remove.slice(0, MOST_AT_ONCE) };
  const taken = active.length + held + (replacesOnlyFailed(spec) ? ending.length : 0);
  const missing = Math.min(wanted - taken, MOST_AT_ONCE);
  if (missing <= 0) return NOTHING;
  if (spec.backoffLimitPerIndex !== undefined) return perIndex(job, progress, missing, now);
  const waitMs = backoffMs(job, progress.ended, now);
  if (waitMs > 0) return { ...NOTHING, waitMs };
  const create = isIndexed(job)
    ? pendingIndexes(job, progress, missing)
    : Array.from({ length: missing }, () => undefined);
  return { ...NOTHING, create };
}

function wantedActive({ spec }: StoredJob, succeeded: number, active: number): number {
  if (spec.completions === undefined) return succeeded > 0 ? active : spec.parallelism;
  return Math.max(0, Math.min(spec.parallelism, spec.completions - succeeded));
}

/** Of an indexed Job first those that are the second of their index, or of none. */
function surplus(job: StoredJob, active: readonly StoredPod[], least: number, now: Date): readonly StoredPod[] {
  const pick = (pods: readonly StoredPod[], count: number): readonly StoredPod[] =>
    pickSurplus(pods, pods, count, 0, now);
  if (!isIndexed(job)) return least > 0 ? pick(active, least) : [];
  const byIndex = groupBy(active, (pod) => (isValid(job, pod) ? completionIndex(pod) : undefined));
  const removed = [...byIndex].flatMap(([index, pods]) => {
    if (index === undefined) return pods;
    return pods.length > 1 ? pick(pods, pods.length - 1) : [];
  });
  if (removed.length >= least) return removed;
  const going = new Set(removed);
  const left = active.filter((pod) => !going.has(pod));
  return [...removed, ...pick(left, least - removed.length)];
}

/** The lowest indexes that nothing runs for and that are not over. */
function pendingIndexes(job: StoredJob, progress: Progress, count: number): readonly number[] {
  const running = [...progress.active, ...(replacesOnlyFailed(job.spec) ? progress.ending : [])];
  return progress.completed
    .with(progress.failedIndexes)
    .with(Indexes.of(running.flatMap((pod) => completionIndex(pod) ?? [])))
    .firstMissing(count, job.spec.completions ?? 0);
}

function perIndex(job: StoredJob, progress: Progress, missing: number, now: Date): Plan {
  const pending = pendingIndexes(job, progress, missing).map((index) => ({
    index,
    waitMs: indexBackoffMs(progress.lastFailed.get(index), now),
  }));
  const create = pending.filter(({ waitMs }) => waitMs === 0).map(({ index }) => index);
  const waits = pending.map(({ waitMs }) => waitMs).filter((ms) => ms > 0);
  return { ...NOTHING, create, ...(waits.length > 0 && { waitMs: Math.min(...waits) }) };
}

function indexBackoffMs(last: StoredPod | undefined, now: Date): number {
  return last ? remainingMs(allIndexFailures(last) + 1, finishedAtMs(last), now) : 0;
}

/**
 * By the pods that failed after the last one that succeeded. Kubernetes remembers their number as long as its process
 * lives; here they are counted among the pods that are there, so that a restart forgets nothing.
 */
function backoffMs(job: StoredJob, ended: readonly StoredPod[], now: Date): number {
  const latest = (pods: readonly StoredPod[]): number =>
    pods.reduce((newest, pod) => Math.max(newest, finishedAtMs(pod)), -Infinity);
  const lastSuccess = latest(ended.filter(({ status }) => status?.phase === 'Succeeded'));
  const failures = ended.filter((pod) => hasFailed(job, pod) && finishedAtMs(pod) > lastSuccess);
  return remainingMs(failures.length, latest(failures), now);
}

/** 10 s, doubled with each failure up to 10 minutes; never longer than that, whatever the clocks say. */
function remainingMs(failures: number, since: number, now: Date): number {
  if (failures === 0) return 0;
  const pauseMs = Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** Math.min(failures - 1, 10));
  return Math.min(pauseMs, Math.max(0, since + pauseMs - now.getTime()));
}
