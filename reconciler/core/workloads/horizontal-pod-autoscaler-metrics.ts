/**
 * What the measures of an autoscaler ask for together: the most. Source: Kubernetes,
 * pkg/controller/podautoscaler/horizontal.go, computeReplicasForMetrics; names of measures and reasons are theirs.
 */
import {
  parseMilli,
  parseQuantity,
  type HorizontalPodAutoscalerSpec,
  type MeasuredResource,
  type MetricSpec,
  type MetricStatus,
  type MetricValueStatus,
  type Pod,
} from '../../../contracts/objects/index.ts';
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
} from './horizontal-pod-autoscaler-replicas.ts';

/** What was found of one measure: pod by pod, in all (thousandths), or nothing. */
export type Reading =
  | { readonly of: 'pods'; readonly values: PodValues }
  | { readonly of: 'all'; readonly milli: number }
  | { readonly of: 'nothing'; readonly why: string };

export interface MetricsInput {
  readonly spec: HorizontalPodAutoscalerSpec;
  /** One for each measure of the spec. */
  readonly readings: readonly Reading[];
  readonly pods: readonly Pod[];
  /** How many pods are wanted now. */
  readonly replicas: number;
  /** How many there are. */
  readonly present: number;
  readonly now: Date;
}

/** A measure that could not be had; the reason is that of the condition and of the Event. */
export interface Unmeasured {
  readonly reason: string;
  readonly message: string;
}

export interface Measured {
  readonly statuses: readonly MetricStatus[];
  readonly unmeasured: readonly Unmeasured[];
  /**
   * The most that any asks for, and by which; undefined where none could be had, or where there would be fewer pods and
   * one could not be had: it may ask for more.
   */
  readonly wanted: { readonly replicas: number; readonly by: string } | undefined;
}

/** Kubernetes' `--horizontal-pod-autoscaler-tolerance`. */
const TOLERANCE = 0.1;

export function measure(input: MetricsInput): Measured {
  const tolerances = tolerancesOf(input.spec);
  const statuses: MetricStatus[] = [];
  const unmeasured: Unmeasured[] = [];
  let wanted: Measured['wanted'];
  for (const [i, metric] of input.spec.metrics.entries()) {
    const { reason, name, status } = wordsOf(metric);
    const proposal = propose(metric, input.readings[i] ?? NOT_ASKED, input, tolerances);
    if ('failure' in proposal) {
      statuses.push({ type: '' });
      unmeasured.push({ reason, message: proposal.failure });
      continue;
    }
    statuses.push(status(proposal.current));
    if (!wanted || proposal.replicas > wanted.replicas) wanted = { replicas: proposal.replicas, by: name };
  }
  const isInDoubt = unmeasured.length > 0 && wanted !== undefined && wanted.replicas < input.replicas;
  return { statuses, unmeasured, wanted: isInDoubt ? undefined : wanted };
}

const NOT_ASKED: Reading = { of: 'nothing', why: 'it has not been asked for yet' };

function tolerancesOf({ behavior }: HorizontalPodAutoscalerSpec): Tolerances {
  const of = (text: string | undefined): number => (text === undefined ? TOLERANCE : parseQuantity(text));
  return { down: of(behavior?.scaleDown.tolerance), up: of(behavior?.scaleUp.tolerance) };
}

function propose(metric: MetricSpec, reading: Reading, input: MetricsInput, tolerances: Tolerances): Proposal {
  switch (metric.type) {
    case 'Resource':
      return proposeForResource(metric.resource, reading, input, tolerances);
    case 'ContainerResource':
      return proposeForResource(metric.containerResource, reading, input, tolerances);
    case 'Pods': {
      const { name } = metric.pods.metric;
      if (reading.of !== 'pods') return { failure: `unable to get metric ${name}: ${whyNot(reading)}` };
      const yardstick = average(parseMilli(metric.pods.target.averageValue));
      return proposeForPods({ ...input, values: reading.values, yardstick, tolerances });
    }
    case 'Object':
      return proposeForWhole(`metric ${metric.object.metric.name}`, metric.object.target, reading, input, tolerances);
    case 'External':
      return proposeForWhole(
        `external metric ${metric.external.metric.name}`,
        metric.external.target,
        reading,
        input,
        tolerances,
      );
  }
}

interface ResourceMeasure {
  readonly name: MeasuredResource;
  readonly container?: string;
  readonly target: Extract<MetricSpec, { readonly type: 'Resource' }>['resource']['target'];
}

function proposeForResource(
  { name, container, target }: ResourceMeasure,
  reading: Reading,
  input: MetricsInput,
  tolerances: Tolerances,
): Proposal {
  const what = target.type === 'Utilization' ? `failed to get ${name} utilization` : `failed to get ${name} usage`;
  if (reading.of !== 'pods')
    return { failure: `${what}: unable to get metrics for resource ${name}: ${whyNot(reading)}` };
  const parts = { ...input, values: reading.values, resource: name, tolerances };
  if (target.type === 'AverageValue')
    return because(what, proposeForPods({ ...parts, yardstick: average(parseMilli(target.averageValue)) }));
  const requests = requestsOf(input.pods, name, container);
  if ('failure' in requests) return because(what, requests);
  return because(what, proposeForPods({ ...parts, yardstick: utilization(requests, target.averageUtilization) }));
}

function proposeForWhole(
  what: string,
  target: Extract<MetricSpec, { readonly type: 'External' }>['external']['target'],
  reading: Reading,
  input: MetricsInput,
  tolerances: Tolerances,
): Proposal {
  if (reading.of !== 'all') return { failure: `unable to get ${what}: ${whyNot(reading)}` };
  const parts = { pods: input.pods, found: reading.milli, tolerances };
  return target.type === 'Value'
    ? proposeForValue({ ...parts, target: parseMilli(target.value) }, input.replicas)
    : proposeForShares({ ...parts, target: parseMilli(target.averageValue) }, input.present);
}

function because(what: string, proposal: Proposal): Proposal {
  return 'failure' in proposal ? { failure: `${what}: ${proposal.failure}` } : proposal;
}

function whyNot(reading: Reading): string {
  return reading.of === 'nothing' ? reading.why : 'it is not measured in this way';
}

/** What is said of a measure. */
interface Words {
  /** Where it cannot be had. */
  readonly reason: string;
  readonly name: string;
  readonly status: (current: MetricValueStatus) => MetricStatus;
}

function wordsOf(metric: MetricSpec): Words {
  switch (metric.type) {
    case 'Resource': {
      const { name, target } = metric.resource;
      return {
        reason: 'FailedGetResourceMetric',
        name: `${name} resource${ofRequest(target.type)}`,
        status: (current) => ({ type: 'Resource', resource: { name, current } }),
      };
    }
    case 'ContainerResource': {
      const { name, container, target } = metric.containerResource;
      return {
        reason: 'FailedGetContainerResourceMetric',
        name: `${name} container resource${ofRequest(target.type)}`,
        status: (current) => ({ type: 'ContainerResource', containerResource: { name, container, current } }),
      };
    }
    case 'Pods':
      return {
        reason: 'FailedGetPodsMetric',
        name: `pods metric ${metric.pods.metric.name}`,
        status: (current) => ({ type: 'Pods', pods: { metric: metric.pods.metric, current } }),
      };
    case 'Object': {
      const { describedObject, metric: identifier } = metric.object;
      return {
        reason: 'FailedGetObjectMetric',
        name: `${describedObject.kind} metric ${identifier.name}`,
        status: (current) => ({ type: 'Object', object: { describedObject, metric: identifier, current } }),
      };
    }
    case 'External':
      return {
        reason: 'FailedGetExternalMetric',
        name: `external metric ${metric.external.metric.name}`,
        status: (current) => ({ type: 'External', external: { metric: metric.external.metric, current } }),
      };
  }
}

function ofRequest(type: 'Utilization' | 'AverageValue'): string {
  return type === 'Utilization' ? ' utilization (percentage of request)' : '';
}
