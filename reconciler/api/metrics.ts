/** What nodes and pods take, in the shapes of `metrics.k8s.io/v1beta1`. */
import { labelsInclude, objectKey, type StoredPod } from '../../contracts/objects/index.ts';
import type { Measured } from '../controllers/metrics/measure-now.ts';
import type { StoreView } from '../controllers/runtime/controller.ts';
import type { NodeMetrics, PodMetrics } from '../core/metrics/shapes.ts';
import { ApiError, notFound } from './answers.ts';
import { parseSelector } from './objects.ts';
import type { MetricsList, NodeMetricsObject, PodMetricsObject } from './types.ts';

export interface MetricsNeeds {
  readonly view: StoreView;
  /** Of every node that is named: a sample, or why there is none. */
  readonly measure: (nodes: readonly string[], signal: AbortSignal) => Promise<ReadonlyMap<string, Measured>>;
}

const API = { apiVersion: 'metrics.k8s.io/v1beta1' } as const;
const NO_SAMPLE_YET = 'there is no sample of it yet: what runs there just started; ask again in a few seconds';

/** Of all nodes with these labels. */
export async function nodeMetricsList(
  { view, measure }: MetricsNeeds,
  labelSelector: string | undefined,
  signal: AbortSignal,
): Promise<MetricsList<NodeMetricsObject>> {
  const wanted = parseSelector(labelSelector);
  const names = view
    .list('Node')
    .filter(({ metadata }) => labelsInclude(metadata.labels, wanted))
    .map(({ metadata }) => metadata.name);
  const measured = await measure(names, signal);
  const found = names.map((name) => ({ name, ...nodeOutcome(measured, name) }));
  return {
    ...API,
    kind: 'NodeMetricsList',
    metadata: {},
    items: found.flatMap(({ metrics }) => (metrics ? [nodeObject(metrics)] : [])),
    missing: found.flatMap(({ name, reason }) => (reason === undefined ? [] : [{ name, reason }])),
  };
}

/** ApiError where there is no such node, or no sample of it. */
export async function nodeMetrics(
  { view, measure }: MetricsNeeds,
  name: string,
  signal: AbortSignal,
): Promise<NodeMetricsObject> {
  if (!view.get(objectKey('Node', undefined, name))) throw notFound(`nodes ${JSON.stringify(name)} not found`);
  const { metrics, reason } = nodeOutcome(await measure([name], signal), name);
  if (!metrics) throw notMeasured(reason);
  return nodeObject(metrics);
}

/** Of the pods with these labels, in one namespace or in all. */
export async function podMetricsList(
  { view, measure }: MetricsNeeds,
  query: { readonly namespace: string | undefined; readonly labelSelector: string | undefined },
  signal: AbortSignal,
): Promise<MetricsList<PodMetricsObject>> {
  const wanted = parseSelector(query.labelSelector);
  const pods = view.list('Pod', query.namespace).filter(({ metadata }) => labelsInclude(metadata.labels, wanted));
  const running = pods.filter((pod) => whyNone(pod) === undefined);
  const measured = await measure([...new Set(running.map((pod) => pod.spec.nodeName ?? ''))], signal);
  const found = pods.map((pod) => ({ pod, ...podOutcome(measured, pod) }));
  return {
    ...API,
    kind: 'PodMetricsList',
    metadata: {},
    items: found.flatMap(({ metrics }) => (metrics ? [podObject(metrics)] : [])),
    missing: found.flatMap(({ pod: { metadata }, reason }) =>
      reason === undefined ? [] : [{ namespace: metadata.namespace ?? '', name: metadata.name, reason }],
    ),
  };
}

/** ApiError where there is no such pod, or no sample of it. */
export async function podMetrics(
  { view, measure }: MetricsNeeds,
  namespace: string,
  name: string,
  signal: AbortSignal,
): Promise<PodMetricsObject> {
  const pod = view.get(objectKey('Pod', namespace, name));
  if (!pod) throw notFound(`pods ${JSON.stringify(name)} not found in namespace ${namespace}`);
  const none = whyNone(pod);
  if (none !== undefined) throw notMeasured(none);
  const { metrics, reason } = podOutcome(await measure([pod.spec.nodeName ?? ''], signal), pod);
  if (!metrics) throw notMeasured(reason);
  return podObject(metrics);
}

interface Outcome<T> {
  readonly metrics?: T;
  readonly reason?: string;
}

function nodeOutcome(measured: ReadonlyMap<string, Measured>, name: string): Outcome<NodeMetrics> {
  const of = measured.get(name);
  if (!of || 'problem' in of) return { reason: of?.problem ?? NO_SAMPLE_YET };
  return of.sample.node ? { metrics: of.sample.node } : { reason: NO_SAMPLE_YET };
}

function podOutcome(measured: ReadonlyMap<string, Measured>, pod: StoredPod): Outcome<PodMetrics> {
  const none = whyNone(pod);
  if (none !== undefined) return { reason: none };
  const of = measured.get(pod.spec.nodeName ?? '');
  if (!of || 'problem' in of) return { reason: of?.problem ?? NO_SAMPLE_YET };
  const metrics = of.sample.pods.get(pod.metadata.uid);
  return metrics ? { metrics } : { reason: NO_SAMPLE_YET };
}

/** Why its node need not be asked. */
function whyNone({ spec, status }: StoredPod): string | undefined {
  if (status?.phase === 'Succeeded' || status?.phase === 'Failed') return `it has ended (${status.phase})`;
  return spec.nodeName === undefined ? 'it is on no node yet' : undefined;
}

function notMeasured(reason: string = NO_SAMPLE_YET): ApiError {
  return new ApiError(404, 'NotMeasured', reason);
}

function nodeObject(metrics: NodeMetrics): NodeMetricsObject {
  return { ...API, kind: 'NodeMetrics', ...metrics };
}

function podObject(metrics: PodMetrics): PodMetricsObject {
  return { ...API, kind: 'PodMetrics', ...metrics };
}
