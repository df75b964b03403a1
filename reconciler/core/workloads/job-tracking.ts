/**
 * Counts a Job's pods that have ended, each exactly once, whatever is interrupted or comes twice. Each pod has the
 * finalizer `batch.kubernetes.io/job-tracking`, and goes through these states, one write from one to the next:
 *
 * 1. it has ended, and has the finalizer: it is not counted;
 * 2. its uid is in the Job's `uncountedTerminatedPods`: it counts, and is looked at no more;
 * 3. it has no finalizer, or is gone: the uid leaves the list, and the number is raised, in one write of the Job's status.
 *
 * A pod never gets the finalizer back, so a view that is behind only delays. Of an indexed Job those that succeeded are
 * counted by their index. Source: Kubernetes, job_controller.go, trackJobStatusAndRemoveFinalizers (KEP-2307).
 */
import type { StoredJob, StoredPod } from '../../../contracts/objects/index.ts';
import { Indexes } from './indexes.ts';
import { completionIndex, hasFailed, isIndexed, isTracked } from './job-pods.ts';
import { judgePodFailure } from './job-policies.ts';

/** Uids that one pass adds: bounds the object, and the pass. Source: MaxUncountedPods. */
export const MOST_UNCOUNTED = 500;

/** What was written of a Job's pods before. */
export interface Counted {
  readonly succeeded: number;
  readonly failed: number;
  readonly completed: Indexes;
  readonly failedIndexes: Indexes;
  /** Uids that are on their way into the numbers. */
  readonly uncounted: { readonly succeeded: ReadonlySet<string>; readonly failed: ReadonlySet<string> };
}

export function countedOf({ spec, status }: StoredJob): Counted {
  const completions = spec.completions ?? 0;
  return {
    succeeded: status?.succeeded ?? 0,
    failed: status?.failed ?? 0,
    completed: Indexes.parse(status?.completedIndexes, completions),
    failedIndexes: Indexes.parse(status?.failedIndexes, completions),
    uncounted: {
      succeeded: new Set(status?.uncountedTerminatedPods?.succeeded),
      failed: new Set(status?.uncountedTerminatedPods?.failed),
    },
  };
}

/** Whether the pod may count: an indexed Job's has an index below completions. */
export function isValid(job: StoredJob, pod: StoredPod): boolean {
  if (!isIndexed(job)) return true;
  const index = completionIndex(pod);
  return index !== undefined && index < (job.spec.completions ?? 0);
}

/** Pods that have ended since. */
export interface NewlyEnded {
  readonly succeeded: readonly StoredPod[];
  /** Also those that the policy leaves out. */
  readonly failed: readonly StoredPod[];
}

export function newlyEnded(job: StoredJob, pods: readonly StoredPod[], { uncounted }: Counted): NewlyEnded {
  const valid = pods.filter((pod) => isTracked(pod) && isValid(job, pod));
  return {
    succeeded: valid.filter((pod) => pod.status?.phase === 'Succeeded' && !uncounted.succeeded.has(pod.metadata.uid)),
    failed: valid.filter((pod) => hasFailed(job, pod) && !uncounted.failed.has(pod.metadata.uid)),
  };
}

export interface Tracking {
  readonly succeeded: number;
  readonly failed: number;
  readonly completed: Indexes;
  readonly uncounted: { readonly succeeded: readonly string[]; readonly failed: readonly string[] };
  /** Pods whose finalizer is to be removed. */
  readonly released: readonly StoredPod[];
  /** Nothing is left to be counted. */
  readonly isDone: boolean;
}

/**
 * `ending`: the Job will be that, and every pod that has not ended is let go of: as a failed one where the Job failed.
 * `delayed`: pods that keep their finalizer, as the next pod of their index has to follow them.
 */
export function track(
  job: StoredJob,
  pods: readonly StoredPod[],
  counted: Counted,
  { ending, delayed }: { readonly ending: 'Complete' | 'Failed' | undefined; readonly delayed: ReadonlySet<string> },
): Tracking {
  const tracked = new Map(pods.filter(isTracked).map((pod) => [pod.metadata.uid, pod]));
  const waits = (uid: string): boolean => tracked.has(uid);
  const uncounted = {
    succeeded: [...counted.uncounted.succeeded].filter(waits),
    failed: [...counted.uncounted.failed].filter(waits),
  };
  const succeeded = counted.succeeded + counted.uncounted.succeeded.size - uncounted.succeeded.length;
  const failed = counted.failed + counted.uncounted.failed.size - uncounted.failed.length;
  const released: StoredPod[] = [];
  const newIndexes: number[] = [];
  for (const pod of tracked.values()) {
    const { uid } = pod.metadata;
    switch (fateOf(job, pod, counted, ending, delayed)) {
      case 'stays':
        break;
      case 'goes':
        released.push(pod);
        break;
      case 'succeeded': {
        const index = isIndexed(job) ? completionIndex(pod) : undefined;
        if (index === undefined ? counted.uncounted.succeeded.has(uid) : counted.completed.has(index))
          released.push(pod);
        else if (isFull(newIndexes, uncounted)) break;
        else if (index === undefined) uncounted.succeeded.push(uid);
        else newIndexes.push(index);
        break;
      }
      case 'failed':
        if (counted.uncounted.failed.has(uid)) released.push(pod);
        else if (!isFull(newIndexes, uncounted)) uncounted.failed.push(uid);
        break;
    }
  }
  const completed = counted.completed.with(Indexes.of(newIndexes));
  return {
    succeeded: isIndexed(job) ? completed.size : succeeded,
    failed,
    completed,
    uncounted,
    released,
    isDone: tracked.size === 0 && uncounted.succeeded.length + uncounted.failed.length === 0,
  };
}

function isFull(indexes: readonly number[], uncounted: Tracking['uncounted']): boolean {
  return indexes.length + uncounted.succeeded.length + uncounted.failed.length >= MOST_UNCOUNTED;
}

/** `goes`: it counts for nothing. */
function fateOf(
  job: StoredJob,
  pod: StoredPod,
  { uncounted }: Counted,
  ending: 'Complete' | 'Failed' | undefined,
  delayed: ReadonlySet<string>,
): 'stays' | 'goes' | 'succeeded' | 'failed' {
  const isCounted = uncounted.failed.has(pod.metadata.uid);
  if (pod.status?.phase === 'Succeeded' && !isCounted) return isValid(job, pod) ? 'succeeded' : 'goes';
  // Those that are told to end because the Job is done have not failed.
  const failed = isCounted || (ending === 'Complete' ? pod.status?.phase === 'Failed' : hasFailed(job, pod));
  if (!failed && ending !== 'Failed') return ending === undefined ? 'stays' : 'goes';
  if (ending === undefined && delayed.has(pod.metadata.uid)) return 'stays';
  return isValid(job, pod) && (isCounted || judgePodFailure(job.spec, pod).action !== 'Ignore') ? 'failed' : 'goes';
}
