/** The pods of a Job: how they are made, and how far they are. Source: Kubernetes, pkg/controller/job. */
import {
  COMPLETION_INDEX,
  COMPLETION_INDEX_VARIABLE,
  findCondition,
  INDEX_FAILURES,
  INDEX_IGNORED_FAILURES,
  JOB_NAME_LABELS,
  JOB_TRACKING,
  JOB_UID_LABELS,
  readKey,
  selectorMatches,
  type Container,
  type Job,
  type LabelSelector,
  type Pod,
  type PodTemplateSpec,
  type StoredJob,
  type StoredPod,
} from '../../../contracts/objects/index.ts';
import type { Step } from '../step.ts';
import { MAX_POD_NAME, SUFFIX } from './owned-pods.ts';
import { adoptedBy, controllerRef, releasedFrom } from './owners.ts';
import { isActive, isFinished, isTerminating } from './pod-state.ts';
import { podMeta } from './template.ts';
import { judgePodFailure } from './job-policies.ts';

export function isIndexed({ spec }: Job): boolean {
  return spec.completionMode === 'Indexed';
}

/** Its pods carry its uid, unless it says itself which are its own. */
export function selectorOf({ metadata, spec }: Job): LabelSelector | undefined {
  if (spec.manualSelector) return spec.selector;
  return metadata.uid === undefined ? undefined : { matchLabels: { [JOB_UID_LABELS[0]]: metadata.uid } };
}

/**
 * Labels that every pod of a Job has beside its template's; those of the uid once there is one. Source: Kubernetes,
 * generateSelector of registry/batch/job.
 */
function generatedLabels({ metadata: { name, uid }, spec }: Job): Readonly<Record<string, string>> {
  if (spec.manualSelector) return {};
  const names = JOB_NAME_LABELS.map((label) => [label, name] as const);
  const uids = uid === undefined ? [] : JOB_UID_LABELS.map((label) => [label, uid] as const);
  return Object.fromEntries([...names, ...uids]);
}

/** A template of the Job's as its pods have it, of that index where it is indexed. */
export function jobPodTemplate(job: Job, template: PodTemplateSpec, index: number | undefined): PodTemplateSpec {
  const { labels, finalizers = [], ...metadata } = template.metadata;
  const common = {
    ...metadata,
    labels: { ...labels, ...generatedLabels(job) },
    finalizers: [...finalizers.filter((one) => one !== JOB_TRACKING), JOB_TRACKING],
  };
  if (index === undefined) return { metadata: common, spec: template.spec };
  const mark = { [COMPLETION_INDEX]: String(index) };
  const withIndex = (container: Container): Container =>
    (container.env ?? []).some(({ name }) => name === COMPLETION_INDEX_VARIABLE)
      ? container
      : { ...container, env: [...(container.env ?? []), INDEX_VARIABLE] };
  const { initContainers, containers } = template.spec;
  return {
    metadata: {
      ...common,
      labels: { ...common.labels, ...mark },
      annotations: { ...metadata.annotations, ...mark },
    },
    spec: {
      ...template.spec,
      hostname: `${job.metadata.name}-${index}`,
      containers: containers.map(withIndex),
      ...(initContainers && { initContainers: initContainers.map(withIndex) }),
    },
  };
}
const INDEX_VARIABLE = {
  name: COMPLETION_INDEX_VARIABLE,
  valueFrom: { fieldRef: { fieldPath: `metadata.labels['${COMPLETION_INDEX}']`, apiVersion: 'v1' as const } },
};

/** Undefined for a pod without a valid one. */
export function completionIndex(pod: Pod): number | undefined {
  const text = pod.metadata.annotations?.[COMPLETION_INDEX];
  return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}

/** `replaced`: the last pod of the index that failed, where its failures are counted. */
export function makeJobPod(
  job: StoredJob,
  index: number | undefined,
  name: string,
  replaced: StoredPod | 'none' | 'not counted',
): Pod {
  const template = jobPodTemplate(job, job.spec.template, index);
  const { annotations, ...metadata } = podMeta(template);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      ...(job.metadata.namespace !== undefined && { namespace: job.metadata.namespace }),
      ...metadata,
      ...((annotations !== undefined || replaced !== 'not counted') && {
        annotations: { ...annotations, ...(replaced !== 'not counted' && failuresBefore(job, replaced)) },
      }),
      ownerReferences: [controllerRef(job)],
    },
    spec: template.spec,
    status: { phase: 'Pending' },
  };
}

/** What a pod tells of its place among those of its Job. */
interface MarkedPlace {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/**
 * The template in a pod of that place; undefined where the Job makes none there: its pods are known by their index, and
 * by the failures of it that they carry on.
 */
export function jobPodFilled(
  job: Job,
  template: PodTemplateSpec,
  { labels, annotations }: MarkedPlace,
): PodTemplateSpec | undefined {
  if (!isIndexed(job)) return jobPodTemplate(job, template, undefined);
  const index = count(labels[COMPLETION_INDEX]);
  if (index === undefined || index >= (job.spec.completions ?? 0)) return undefined;
  const filled = jobPodTemplate(job, template, index);
  if (job.spec.backoffLimitPerIndex === undefined) return filled;
  const failures = [INDEX_FAILURES, INDEX_IGNORED_FAILURES].flatMap((name) => {
    const value = count(readKey(annotations, name));
    return value === undefined ? [] : [[name, String(value)] as const];
  });
  const { metadata } = filled;
  return {
    ...filled,
    metadata: { ...metadata, annotations: { ...metadata.annotations, ...Object.fromEntries(failures) } },
  };
}

/** Those that run, and those that ended, as far as its limits let them come to be. */
export function mostJobPods({ spec }: Job): number {
  const wanted = spec.completions ?? spec.parallelism;
  const failures =
    spec.backoffLimitPerIndex === undefined ? spec.backoffLimit + 1 : wanted * (spec.backoffLimitPerIndex + 1);
  return spec.parallelism + wanted + failures;
}

function failuresBefore(job: Job, replaced: StoredPod | 'none'): Readonly<Record<string, string>> {
  if (replaced === 'none') return { [INDEX_FAILURES]: '0' };
  const counts = judgePodFailure(job.spec, replaced).action !== 'Ignore';
  const failures = indexFailures(replaced) + Number(counts);
  const ignored = ignoredFailures(replaced) + Number(!counts);
  return { [INDEX_FAILURES]: String(failures), ...(ignored > 0 && { [INDEX_IGNORED_FAILURES]: String(ignored) }) };
}

/** How many pods of its index failed before it. */
export function indexFailures(pod: Pod): number {
  return annotatedCount(pod, INDEX_FAILURES);
}
function ignoredFailures(pod: Pod): number {
  return annotatedCount(pod, INDEX_IGNORED_FAILURES);
}
/** Those that a policy ignores, too. */
export function allIndexFailures(pod: Pod): number {
  return indexFailures(pod) + ignoredFailures(pod);
}
function annotatedCount({ metadata }: Pod, annotation: string): number {
  return count(readKey(metadata.annotations, annotation)) ?? 0;
}
function count(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

/** Name of a new pod, always begun the same way. */
export function jobPodName(job: Job, index: number | undefined, suffix: string): string {
  const middle = index === undefined ? '-' : `-${index}-`;
  return `${job.metadata.name.slice(0, MAX_POD_NAME - SUFFIX - middle.length)}${middle}${suffix}`;
}

export function isTracked({ metadata }: Pod): boolean {
  return (metadata.finalizers ?? []).includes(JOB_TRACKING);
}

/** The pods of a Job, and what makes them so. */
export interface ClaimedPods {
  readonly pods: readonly StoredPod[];
  readonly steps: readonly Step[];
}

/**
 * Of the pods that it controls those that its selector matches, and the `orphans` that it takes over: those that it
 * matches, and that run. From then on they count. One that it matches no more is let go of, and counts for nothing.
 * `isOver`: it takes over none any more. Source: Kubernetes, ClaimPods of pkg/controller/controller_ref_manager.go.
 */
export function claimPods(
  job: StoredJob,
  owned: readonly StoredPod[],
  orphans: readonly StoredPod[],
  isOver: boolean,
): ClaimedPods {
  const selector = selectorOf(job);
  if (!selector || job.metadata.deletionTimestamp !== undefined) return { pods: owned, steps: [] };
  const matches = ({ metadata }: StoredPod): boolean => selectorMatches(selector, metadata.labels);
  const adopted = orphans
    .filter((pod) => !isOver && isActive(pod) && matches(pod))
    .map((pod) => tracked(adoptedBy(pod, job)));
  const released = owned.filter((pod) => !matches(pod)).map((pod) => untracked(releasedFrom(pod, job.metadata.uid)));
  return {
    pods: [...owned.filter(matches), ...adopted],
    steps: [...adopted, ...released].map((object) => ({ do: 'update', object })),
  };
}

function tracked(pod: StoredPod): StoredPod {
  if (isTracked(pod)) return pod;
  const { finalizers = [] } = pod.metadata;
  return { ...pod, metadata: { ...pod.metadata, finalizers: [...finalizers, JOB_TRACKING] } };
}

export function untracked(pod: StoredPod): StoredPod {
  const finalizers = (pod.metadata.finalizers ?? []).filter((name) => name !== JOB_TRACKING);
  return { ...pod, metadata: { ...pod.metadata, finalizers } };
}

/** Its node has ended it, or it never had one, and finalizers alone keep the object: what is known of it is final. */
export function isGone({ metadata, spec }: Pod): boolean {
  return (
    metadata.deletionTimestamp !== undefined &&
    (metadata.deletionGracePeriodSeconds === undefined || spec.nodeName === undefined) &&
    (metadata.finalizers ?? []).length > 0
  );
}

/** It is told to end, and its node has not said yet that it has. */
export function isEnding(pod: Pod): boolean {
  return isTerminating(pod) && !isFinished(pod) && !isGone(pod);
}

/**
 * A pod that is told to end is a failed one at once, as it may be one that never comes to an end; where a replacement
 * has to wait for its end, it is once it has ended.
 */
export function hasFailed({ spec }: Job, pod: Pod): boolean {
  if (pod.status?.phase === 'Failed') return true;
  if (pod.status?.phase === 'Succeeded') return false;
  return isGone(pod) || (isTerminating(pod) && !replacesOnlyFailed(spec));
}

export function replacesOnlyFailed({ podReplacementPolicy, podFailurePolicy }: Job['spec']): boolean {
  return podReplacementPolicy === 'Failed' || podFailurePolicy !== undefined;
}

/** When a pod ended, as near as it is known. Source: backoff_utils.go, getFinishedTime. */
export function finishedAtMs({ metadata, status }: StoredPod): number {
  const ends = (status?.containerStatuses ?? []).map(({ state }) => Date.parse(state.terminated?.finishedAt ?? ''));
  if (ends.length > 0 && ends.every((end) => !Number.isNaN(end))) return Math.max(...ends);
  const ready = findCondition(status?.conditions, 'Ready');
  const since = ready?.status === 'False' ? Date.parse(ready.lastTransitionTime ?? '') : Number.NaN;
  if (!Number.isNaN(since)) return since;
  const deleted = Date.parse(metadata.deletionTimestamp ?? '');
  if (!Number.isNaN(deleted)) return deleted - (metadata.deletionGracePeriodSeconds ?? 0) * 1000;
  return Date.parse(metadata.creationTimestamp);
}
