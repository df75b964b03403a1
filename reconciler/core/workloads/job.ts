/**
 * One look at one Job. Source: Kubernetes documentation, "Jobs", and pkg/controller/job/job_controller.go (syncJob); the
 * order of its conditions: KEP-3939, KEP-3998.
 */
import {
  conditionIsTrue,
  findCondition,
  keyOf,
  type Condition,
  type JobStatus,
  type StoredJob,
  type StoredPod,
} from '../../../contracts/objects/index.ts';
import type { Decision, Step } from '../step.ts';
import { canonicalJson } from '../storage/canonical-json.ts';
import { kubeTime } from '../storage/object-form.ts';
import { MOST_AT_ONCE, planActive, type Plan } from './job-active.ts';
import { Indexes } from './indexes.ts';
import {
  allIndexFailures,
  completionIndex,
  finishedAtMs,
  hasFailed,
  indexFailures,
  isEnding,
  isIndexed,
  isTracked,
  jobPodName,
  makeJobPod,
  untracked,
} from './job-pods.ts';
import { judgePodFailure, metSuccessRule } from './job-policies.ts';
import { countedOf, isValid, newlyEnded, track, type Counted, type NewlyEnded } from './job-tracking.ts';
import { SUFFIX, type Naming } from './owned-pods.ts';
import { sortedByAge } from './owners.ts';
import { isActive, isFinished, isReady, isTerminating, restarts } from './pod-state.ts';
import { NONE_HELD, waitsForUnheard, withoutUnheard, type HeldBack } from './unheard.ts';

export interface JobInput extends Naming {
  readonly job: StoredJob;
  /** Those that it controls. */
  readonly pods: readonly StoredPod[];
  readonly now: Date;
  /** Pods that may run on nodes which were not heard since the store was lost; none when absent. */
  readonly held?: HeldBack;
}

/** How a Job ended, or will end once its last pods have. */
interface End {
  readonly type: 'Complete' | 'Failed';
  readonly reason: string;
  readonly message: string;
}

export function isJobFinished({ status }: Pick<StoredJob, 'status'>): boolean {
  return conditionIsTrue(status?.conditions, 'Complete') || conditionIsTrue(status?.conditions, 'Failed');
}

/**
 * Makes pods until the Job is done, counts those that ended ({@link track}), and says how it is. Never more than
 * `parallelism` pods are active, nor more than are still to succeed. Once it has a reason to end, its pods are told to;
 * it is Complete or Failed when the last one has ended. Safe to repeat.
 */
export function planJob(input: JobInput): Decision {
  const { job } = input;
  if (isJobFinished(job)) return planFinished(input);
  if (job.metadata.deletionTimestamp !== undefined) return { steps: releaseAll(input.pods) };
  const held = input.held ?? NONE_HELD;
  if (held.pods === 0 && waitsForUnheard(job))
    return { steps: [{ do: 'update', object: withoutUnheard(job) }], requeueAfterMs: 0 };
  const pods = sortedByAge(input.pods);
  const counted = countedOf(job);
  const ended = newlyEnded(job, pods, counted);
  const active = pods.filter(isActive);
  const totals = totalsOf(job, counted, ended);
  const lastFailed = lastFailedPods(job, pods, counted, totals);
  const known = knownEnd(job);
  const end = known ?? newEnd(input, pods, totals);
  const plan: Plan = end
    ? { remove: active.slice(0, MOST_AT_ONCE), create: [] }
    : planActive(
        job,
        {
          ...totals,
          active,
          ending: pods.filter(isEnding),
          ended: pods.filter((pod) => isFinished(pod) || isTerminating(pod)),
          lastFailed,
          held: held.pods,
        },
        input.now,
      );
  const going = new Set(plan.remove);
  const left = active.length - plan.remove.length + plan.create.length;
  const reached = end ?? (left === 0 && held.pods === 0 ? completion(job, totals.succeeded) : undefined);
  const delayed = new Set([...lastFailed.values()].map(({ metadata }) => metadata.uid));
  const tracking = track(job, pods, counted, { ending: end?.type, delayed });
  const terminating = pods.filter(isEnding).length + plan.remove.length;
  const isOver = known !== undefined && tracking.isDone && left === 0 && terminating === 0;
  const status = statusOf(input, {
    oldest: pods[0],
    succeeded: tracking.succeeded,
    failed: tracking.failed,
    completed: tracking.completed,
    failedIndexes: totals.failedIndexes,
    uncounted: tracking.uncounted,
    active: left,
    ready: active.filter((pod) => isReady(pod) && !going.has(pod)).length,
    terminating,
    reached,
    isOver,
  });
  const isNews = canonicalJson(status) !== canonicalJson(job.status);
  const steps: Step[] = [
    // First: a pod's finalizer goes only once what it was is written.
    ...(isNews ? [{ do: 'updateStatus' as const, object: { ...job, status } }, ...newsOf(job, status)] : []),
    ...tracking.released.filter((pod) => !going.has(pod)).map(release),
    ...plan.remove.flatMap((pod) => removal(job, pod, end === undefined)),
    ...creations(input, plan.create, lastFailed),
  ];
  const waits = [plan.waitMs, deadlineMs(input, status), held.againInMs].filter((ms) => ms !== undefined);
  // Its own status is no news that brings another pass: what follows from it is for the next one.
  if (isNews && (reached !== undefined || tracking.uncounted.succeeded.length + tracking.uncounted.failed.length > 0))
    waits.push(0);
  if (isNews && isIndexed(job) && tracking.completed.size !== counted.completed.size) waits.push(0);
  return { steps, ...(waits.length > 0 && { requeueAfterMs: Math.max(0, Math.min(...waits)) }) };
}

/** A finished Job changes no more: the last finalizers go, and, where it says when, the Job. */
function planFinished({ job, pods, now }: JobInput): Decision {
  const steps: Step[] = [...releaseAll(pods)];
  const { ttlSecondsAfterFinished: seconds } = job.spec;
  if (seconds === undefined || job.metadata.deletionTimestamp !== undefined) return { steps };
  const finished = ['Complete', 'Failed'].map(
    (type) => findCondition(job.status?.conditions, type)?.lastTransitionTime,
  );
  const at = Date.parse(finished.find((time) => time !== undefined) ?? '');
  const leftMs = Math.min(at + seconds * 1000 - now.getTime(), seconds * 1000);
  if (leftMs > 0) return { steps, requeueAfterMs: leftMs };
  return { steps: [...steps, { do: 'delete', key: keyOf(job), uid: job.metadata.uid }] };
}

/** Pods whose Job is gone, or another one: nobody counts them. */
export function releaseAll(pods: readonly StoredPod[]): readonly Step[] {
  return pods.filter(isTracked).map(release);
}

function release(pod: StoredPod): Step {
  return { do: 'update', object: untracked(pod) };
}

/** `withoutCounting`: it is one too many, and neither succeeds nor fails. */
function removal(job: StoredJob, pod: StoredPod, withoutCounting: boolean): readonly Step[] {
  return [
    ...(withoutCounting && isTracked(pod) ? [release(pod)] : []),
    { do: 'delete', key: keyOf(pod), uid: pod.metadata.uid },
    {
      do: 'event',
      regarding: job,
      type: 'Normal',
      reason: 'SuccessfulDelete',
      message: `Deleted pod: ${pod.metadata.name}`,
    },
  ];
}

function creations(
  { job, suffix, nameTaken }: JobInput,
  create: readonly (number | undefined)[],
  lastFailed: ReadonlyMap<number, StoredPod>,
): readonly Step[] {
  const names = new Set<string>();
  return create.flatMap((index): readonly Step[] => {
    let name: string;
    do name = jobPodName(job, index, suffix(SUFFIX));
    while (names.has(name) || nameTaken(name));
    names.add(name);
    const replaced =
      index === undefined || job.spec.backoffLimitPerIndex === undefined
        ? 'not counted'
        : (lastFailed.get(index) ?? 'none');
    return [
      { do: 'create', object: makeJobPod(job, index, name, replaced) },
      { do: 'event', regarding: job, type: 'Normal', reason: 'SuccessfulCreate', message: `Created pod: ${name}` },
    ];
  });
}

interface Totals {
  readonly succeeded: number;
  readonly failed: number;
  readonly completed: Indexes;
  readonly failedIndexes: Indexes;
}

/** What is counted and what has ended since, together. */
function totalsOf(job: StoredJob, counted: Counted, ended: NewlyEnded): Totals {
  const indexesOf = (pods: readonly StoredPod[]): Indexes =>
    Indexes.of(pods.flatMap((pod) => completionIndex(pod) ?? []));
  const completed = isIndexed(job) ? counted.completed.with(indexesOf(ended.succeeded)) : Indexes.none;
  const counting = ended.failed.filter((pod) => judgePodFailure(job.spec, pod).action !== 'Ignore');
  return {
    succeeded: isIndexed(job)
      ? completed.size
      : counted.succeeded + counted.uncounted.succeeded.size + ended.succeeded.length,
    failed: counted.failed + counted.uncounted.failed.size + counting.length,
    completed,
    failedIndexes: counted.failedIndexes.with(
      indexesOf(
        ended.failed.filter((pod) => hasFailedItsIndex(job, pod) && !completed.has(completionIndex(pod) ?? -1)),
      ),
    ),
  };
}

function hasFailedItsIndex(job: StoredJob, pod: StoredPod): boolean {
  const limit = job.spec.backoffLimitPerIndex;
  if (limit === undefined) return false;
  const { action } = judgePodFailure(job.spec, pod);
  return action === 'FailIndex' || (action !== 'Ignore' && indexFailures(pod) >= limit);
}

/**
 * By index with a limit of its own: the pod that failed last, which stays until the next one carries its number of
 * failures on. Source: getPodsWithDelayedDeletionPerIndex.
 */
function lastFailedPods(
  job: StoredJob,
  pods: readonly StoredPod[],
  { uncounted }: Counted,
  { completed, failedIndexes }: Totals,
): ReadonlyMap<number, StoredPod> {
  const last = new Map<number, StoredPod>();
  if (job.spec.backoffLimitPerIndex === undefined) return last;
  const running = new Set(pods.filter(isActive).map(completionIndex));
  for (const pod of pods) {
    const index = completionIndex(pod);
    if (index === undefined || !isTracked(pod) || !isValid(job, pod) || !hasFailed(job, pod)) continue;
    if (completed.has(index) || failedIndexes.has(index) || running.has(index)) continue;
    if (uncounted.failed.has(pod.metadata.uid)) continue;
    const before = last.get(index);
    if (!before || rankOfFailure(before) <= rankOfFailure(pod)) last.set(index, pod);
  }
  return last;
}

function rankOfFailure(pod: StoredPod): string {
  return `${String(allIndexFailures(pod)).padStart(10, '0')} ${new Date(finishedAtMs(pod)).toISOString()}`;
}

/** The end that was decided before, and is final. */
function knownEnd({ status }: StoredJob): End | undefined {
  for (const [target, type] of [
    ['SuccessCriteriaMet', 'Complete'],
    ['FailureTarget', 'Failed'],
  ] as const) {
    const { status: is, reason = '', message = '' } = findCondition(status?.conditions, target) ?? {};
    if (is === 'True') return { type, reason, message };
  }
  return undefined;
}

/** A reason to end before all that is wanted has succeeded. */
function newEnd({ job, now }: JobInput, pods: readonly StoredPod[], totals: Totals): End | undefined {
  const { spec, status } = job;
  const failed = (reason: string, message: string): End => ({ type: 'Failed', reason, message });
  if (spec.podFailurePolicy) {
    for (const pod of pods.filter((one) => hasFailed(job, one))) {
      const { message } = judgePodFailure(spec, pod);
      if (message !== undefined) return failed('PodFailurePolicy', message);
    }
  }
  if (totals.failed > spec.backoffLimit || isPastRestarts(job, pods))
    return failed('BackoffLimitExceeded', 'Job has reached the specified backoff limit');
  if (spec.activeDeadlineSeconds !== undefined && status?.startTime !== undefined && !spec.suspend) {
    if (now.getTime() - Date.parse(status.startTime) >= spec.activeDeadlineSeconds * 1000)
      return failed('DeadlineExceeded', 'Job was active longer than specified deadline');
  }
  const { failedIndexes, completed } = totals;
  if (spec.maxFailedIndexes !== undefined && failedIndexes.size > spec.maxFailedIndexes)
    return failed('MaxFailedIndexesExceeded', 'Job has exceeded the specified maximal number of failed indexes');
  if (failedIndexes.size > 0 && failedIndexes.size + completed.size >= (spec.completions ?? 0))
    return failed('FailedIndexes', 'Job has failed indexes');
  const message = metSuccessRule(job, completed);
  return message === undefined ? undefined : { type: 'Complete', reason: 'SuccessPolicy', message };
}

/** Containers that are started again count as failures, too. Source: pastBackoffLimitOnFailure. */
function isPastRestarts({ spec }: StoredJob, pods: readonly StoredPod[]): boolean {
  if (spec.template.spec.restartPolicy !== 'OnFailure') return false;
  const count = pods
    .filter(({ status }) => status?.phase === 'Running' || status?.phase === 'Pending')
    .reduce((sum, pod) => sum + restarts(pod) + initRestarts(pod), 0);
  return spec.backoffLimit === 0 ? count > 0 : count >= spec.backoffLimit;
}

function initRestarts({ status }: StoredPod): number {
  return (status?.initContainerStatuses ?? []).reduce((sum, { restartCount }) => sum + restartCount, 0);
}

/** All that is wanted has succeeded; to be asked once nothing runs any more. */
function completion({ spec }: StoredJob, succeeded: number): End | undefined {
  const isReached = spec.completions === undefined ? succeeded > 0 : succeeded >= spec.completions;
  return isReached
    ? { type: 'Complete', reason: 'CompletionsReached', message: 'Reached expected number of succeeded pods' }
    : undefined;
}

interface Facts extends Totals {
  /** Of the pods that are there. */
  readonly oldest: StoredPod | undefined;
  readonly uncounted: { readonly succeeded: readonly string[]; readonly failed: readonly string[] };
  readonly active: number;
  readonly ready: number;
  readonly terminating: number;
  /** How it will end. */
  readonly reached: End | undefined;
  readonly isOver: boolean;
}

function statusOf({ job, now }: JobInput, facts: Facts): JobStatus {
  const { spec, status } = job;
  const at = kubeTime(now);
  const conditions = conditionsOf(job, facts, at);
  const wasSuspended = conditionIsTrue(status?.conditions, 'Suspended');
  const isResumed = wasSuspended && !conditionIsTrue(conditions, 'Suspended');
  // Of a Job that came back after a loss of the store its pods tell since when it runs.
  const since = facts.oldest?.metadata.creationTimestamp ?? at;
  const startTime = isResumed ? at : (status?.startTime ?? (spec.suspend ? undefined : since));
  const { succeeded, failed } = facts.uncounted;
  return {
    ...(startTime !== undefined && { startTime }),
    ...(facts.isOver && facts.reached?.type === 'Complete' && { completionTime: at }),
    active: facts.active,
    ready: facts.ready,
    terminating: facts.terminating,
    succeeded: facts.succeeded,
    failed: facts.failed,
    ...(isIndexed(job) && facts.completed.size > 0 && { completedIndexes: facts.completed.toString() }),
    ...(spec.backoffLimitPerIndex !== undefined && { failedIndexes: facts.failedIndexes.toString() }),
    ...(succeeded.length + failed.length > 0 && {
      uncountedTerminatedPods: {
        ...(succeeded.length > 0 && { succeeded }),
        ...(failed.length > 0 && { failed }),
      },
    }),
    ...(conditions.length > 0 && { conditions }),
  };
}

function conditionsOf({ spec, status }: StoredJob, { reached, isOver }: Facts, at: string): readonly Condition[] {
  let conditions = status?.conditions ?? [];
  const set = (type: string, is: Condition['status'], reason: string, message: string): void => {
    const before = findCondition(conditions, type);
    if (before?.status === is && before.reason === reason && before.message === message) return;
    if (!before && is === 'False') return;
    const next: Condition = { type, status: is, reason, message, lastProbeTime: at, lastTransitionTime: at };
    conditions = before ? conditions.map((one) => (one === before ? next : one)) : [...conditions, next];
  };
  if (!reached) {
    if (spec.suspend) set('Suspended', 'True', 'JobSuspended', 'Job suspended');
    else set('Suspended', 'False', 'JobResumed', 'Job resumed');
    return conditions;
  }
  const { type, reason, message } = reached;
  set(type === 'Complete' ? 'SuccessCriteriaMet' : 'FailureTarget', 'True', reason, message);
  if (isOver) set(type, 'True', reason, message);
  return conditions;
}

/** Events for conditions that are new. */
function newsOf(job: StoredJob, status: JobStatus): readonly Step[] {
  const event = (type: 'Normal' | 'Warning', reason: string, message: string): Step => ({
    do: 'event',
    regarding: job,
    type,
    reason,
    message,
  });
  return (status.conditions ?? []).flatMap((condition): readonly Step[] => {
    const before = findCondition(job.status?.conditions, condition.type);
    if (before?.status === condition.status) return [];
    switch (condition.type) {
      case 'Suspended':
        return [event('Normal', condition.status === 'True' ? 'Suspended' : 'Resumed', condition.message ?? '')];
      case 'Complete':
        return [event('Normal', 'Completed', 'Job completed')];
      case 'Failed':
        return [event('Warning', condition.reason ?? 'Failed', condition.message ?? '')];
      default:
        return [];
    }
  });
}

/** Until a deadline ends it. */
function deadlineMs({ job: { spec }, now }: JobInput, { startTime, conditions }: JobStatus): number | undefined {
  if (spec.activeDeadlineSeconds === undefined || startTime === undefined || spec.suspend) return undefined;
  if (conditionIsTrue(conditions, 'FailureTarget') || conditionIsTrue(conditions, 'SuccessCriteriaMet'))
    return undefined;
  return Date.parse(startTime) + spec.activeDeadlineSeconds * 1000 - now.getTime();
}
