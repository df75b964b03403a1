/** From samples of what pods take to the readings of an autoscaler. */
import { parseMilli, type MeasuredResource, type StoredPod } from '../../../contracts/objects/index.ts';
import { windowMs, type NodeSample } from '../metrics/shapes.ts';
import type { Reading } from './horizontal-pod-autoscaler-metrics.ts';
import type { PodValue } from './horizontal-pod-autoscaler-replicas.ts';

/** Samples of nodes, by name. */
export type Samples = ReadonlyMap<string, NodeSample>;

/**
 * What each pod took, all its containers together or one of them. Source: Kubernetes, the metrics client of
 * pkg/controller/podautoscaler/metrics.
 */
export function resourceReading(
  pods: readonly StoredPod[],
  samples: Samples,
  resource: MeasuredResource,
  container?: string,
): Reading {
  const values = new Map<string, PodValue>();
  for (const { metadata, spec } of pods) {
    const sample = samples.get(spec.nodeName ?? '')?.pods.get(metadata.uid);
    const counted = sample?.containers.filter(({ name }) => container === undefined || name === container) ?? [];
    if (!sample || counted.length === 0) continue;
    values.set(metadata.name, {
      milli: counted.reduce((sum, { usage }) => sum + parseMilli(usage[resource]), 0),
      at: Date.parse(sample.timestamp),
      windowMs: windowMs(sample.window),
    });
  }
  return values.size > 0
    ? { of: 'pods', values }
    : { of: 'nothing', why: 'no metrics returned from resource metrics API' };
}
