/**
 * How many pods one measure asks for. Source: Kubernetes, pkg/controller/podautoscaler/replica_calculator.go and
 * metrics/utilization.go; the arithmetic is theirs, whole numbers of thousandths included. Values are in thousandths: of
 * cores, of bytes, of whatever a metric counts.
 */
import {
  findCondition,
  parseMilli,
  quantityOfMilli,
  readKey,
  type MeasuredResource,
  type MetricValueStatus,
  type Pod,
} from '../../../contracts/objects/index.ts';
import { lastingContainers } from '../../../contracts/objects/pod-containers.ts';
import { MAX_INT32 } from '../../../contracts/objects/schema.ts';
import { isReady, isTerminating } from './pod-state.ts';

/** What one pod was measured to use, over `windowMs` up to `at` (ms since the epoch). */
export interface PodValue {
  readonly milli: number;
  readonly at: number;
  readonly windowMs: number;
}
/** By the pod's name. */
export type PodValues = ReadonlyMap<string, PodValue>;

/** Shares that a measure may be below and above its target without a change. */
export interface Tolerances {
  readonly down: number;
  readonly up: number;
}

/** What a measure asks for and was found to be; or why it cannot be said. */
export type Proposal =
  { readonly replicas: number; readonly current: MetricValueStatus } | { readonly failure: string };

/** While a pod is younger than this, its use of cpu counts only once it is ready: its start costs more than its work. */
const CPU_INITIALIZATION_MS = 300_000;
/** A pod that became unready within this of its start has never been ready. */
const INITIAL_READINESS_MS = 30_000;

/** How values stand to a target. */
export interface Yardstick {
  /** `ratio` is 1 at the target, and NaN where that says nothing of these pods. */
  readonly weigh: (values: ReadonlyMap<string, number>) => {
    readonly ratio: number;
    readonly current: MetricValueStatus;
  };
  /** What a pod that was not measured is taken to use where the others would have fewer. */
  readonly assumed: (pod: string) => number;
}

/** A share of what the pods request, in percent. `requests` are those of all pods, in thousandths. */
export function utilization(requests: ReadonlyMap<string, number>, percent: number): Yardstick {
  return {
    weigh(values) {
      const [used, requested] = [sum(values.values()), sum([...values.keys()].map((pod) => requests.get(pod) ?? 0))];
      const averageUtilization = Math.min(MAX_INT32, Math.trunc((used * 100) / requested));
      const averageValue = quantityOfMilli(Math.trunc(used / values.size));
      return {
        ratio: requested === 0 ? NaN : averageUtilization / percent,
        current: { averageUtilization, averageValue },
      };
    },
    assumed: (pod) => Math.trunc(((requests.get(pod) ?? 0) * Math.max(100, percent)) / 100),
  };
}

/** An amount on average, in thousandths. */
export function average(target: number): Yardstick {
  return {
    weigh(values) {
      const found = Math.trunc(sum(values.values()) / values.size);
      return { ratio: found / target, current: { averageValue: quantityOfMilli(found) } };
    },
    assumed: () => target,
  };
}

/** What every pod requests, or the first that does not say it. Of one container, or of all that run together. */
export function requestsOf(
  pods: readonly Pod[],
  resource: MeasuredResource,
  container?: string,
): ReadonlyMap<string, number> | { readonly failure: string } {
  const requests = new Map<string, number>();
  for (const { metadata, spec } of pods) {
    const running = lastingContainers(spec);
    const counted = container === undefined ? running : running.filter(({ name }) => name === container);
    if (counted.length === 0) return { failure: `container ${container ?? ''} not found in Pod ${metadata.name}` };
    const ofPod = container === undefined ? readKey(spec.resources?.requests, resource) : undefined;
    let all = ofPod === undefined ? 0 : parseMilli(ofPod);
    for (const { name, resources } of ofPod === undefined ? counted : []) {
      const request = readKey(resources.requests, resource);
      if (request === undefined)
        return { failure: `missing request for ${resource} in container ${name} of Pod ${metadata.name}` };
      all += parseMilli(request);
    }
    requests.set(metadata.name, all);
  }
  return requests;
}

export interface PodMeasure {
  /** All that the target's selector matches. */
  readonly pods: readonly Pod[];
  readonly values: PodValues;
  /** Set where a resource is measured. */
  readonly resource?: MeasuredResource;
  readonly yardstick: Yardstick;
  readonly replicas: number;
  readonly tolerances: Tolerances;
  readonly now: Date;
}

/**
 * Of what is measured pod by pod. Pods that were not measured hold a change up: they are taken to use nothing where
 * there would be more pods, and all that they may where there would be fewer. So are those that are not ready where
 * there would be more. Where that turns the answer round, nothing changes.
 */
export function proposeForPods(measure: PodMeasure): Proposal {
  const { pods, yardstick, replicas, tolerances } = measure;
  if (pods.length === 0) return { failure: NO_PODS };
  const { ready, unready, missing, values } = sorted(measure);
  if (values.size === 0) return { failure: 'did not receive metrics for targeted pods (pods might be unready)' };
  const { ratio, current } = yardstick.weigh(values);
  if (Number.isNaN(ratio)) return { failure: 'the pods request nothing of it' };
  const stay: Proposal = { replicas, current };
  const isUpWithUnready = unready.length > 0 && ratio > 1;
  if (!isUpWithUnready && missing.length === 0)
    return isWithin(ratio, tolerances) ? stay : { replicas: whole(ratio * ready), current };
  const filled = new Map(values);
  if (ratio !== 1) for (const pod of missing) filled.set(pod, ratio < 1 ? yardstick.assumed(pod) : 0);
  if (isUpWithUnready) for (const pod of unready) filled.set(pod, 0);
  const { ratio: rather } = yardstick.weigh(filled);
  const turned = (ratio < 1 && rather > 1) || (ratio > 1 && rather < 1);
  if (isWithin(rather, tolerances) || turned) return stay;
  const proposed = whole(rather * filled.size);
  return (rather < 1 && proposed > replicas) || (rather > 1 && proposed < replicas)
    ? stay
    : { replicas: proposed, current };
}

const NO_PODS = 'no pods returned by selector while calculating replica count';

export interface WholeMeasure {
  readonly pods: readonly Pod[];
  /** What was found in all, in thousandths. */
  readonly found: number;
  /** In thousandths. */
  readonly target: number;
  readonly tolerances: Tolerances;
}

/** Of one value, as the ratio of the ready pods; `replicas`: those that are wanted now. */
export function proposeForValue({ pods, found, target, tolerances }: WholeMeasure, replicas: number): Proposal {
  const current = { value: quantityOfMilli(found) };
  const ratio = found / target;
  if (replicas === 0) return { replicas: whole(ratio), current };
  if (isWithin(ratio, tolerances)) return { replicas, current };
  if (pods.length === 0) return { failure: `unable to calculate ready pods: ${NO_PODS}` };
  const ready = pods.filter((pod) => pod.status?.phase === 'Running' && isReady(pod)).length;
  return { replicas: whole(ratio * ready), current };
}

/** Of one value that each pod bears a part of; `present`: the pods that there are. */
export function proposeForShares({ found, target, tolerances }: WholeMeasure, present: number): Proposal {
  const current = { averageValue: quantityOfMilli(Math.ceil(found / Math.max(1, present))) };
  return isWithin(found / (target * present), tolerances)
    ? { replicas: present, current }
    : { replicas: whole(found / target), current };
}

interface Sorted {
  /** How many count as they were measured. */
  readonly ready: number;
  readonly unready: readonly string[];
  readonly missing: readonly string[];
  /** Of those that count. */
  readonly values: ReadonlyMap<string, number>;
}

/** Pods that end, or have failed, count for nothing. */
function sorted({ pods, values, resource, now }: PodMeasure): Sorted {
  const unready: string[] = [];
  const missing: string[] = [];
  const counted = new Map<string, number>();
  for (const pod of pods) {
    const { name } = pod.metadata;
    const value = values.get(name);
    if (isTerminating(pod) || pod.status?.phase === 'Failed') continue;
    if ((pod.status?.phase ?? 'Pending') === 'Pending') unready.push(name);
    else if (!value) missing.push(name);
    else if (resource === 'cpu' && !isPastItsStart(pod, value, now)) unready.push(name);
    else counted.set(name, value.milli);
  }
  return { ready: counted.size, unready, missing, values: counted };
}

/** Whether what a pod uses of cpu is for its work. */
function isPastItsStart({ status }: Pod, { at, windowMs }: PodValue, now: Date): boolean {
  const readiness = findCondition(status?.conditions, 'Ready');
  const since = Date.parse(readiness?.lastTransitionTime ?? '');
  const start = Date.parse(status?.startTime ?? '');
  if (!readiness || Number.isNaN(start)) return false;
  if (start + CPU_INITIALIZATION_MS > now.getTime()) return readiness.status !== 'False' && !(at < since + windowMs);
  return !(readiness.status === 'False' && start + INITIAL_READINESS_MS > since);
}

function isWithin(ratio: number, { down, up }: Tolerances): boolean {
  return 1 - down <= ratio && ratio <= 1 + up;
}

function whole(replicas: number): number {
  return Math.min(MAX_INT32, Math.ceil(replicas));
}

function sum(numbers: Iterable<number>): number {
  let all = 0;
  for (const one of numbers) all += one;
  return all;
}
