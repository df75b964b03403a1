/** From a measure that has a name to the series that hold it. */
import type { LabelSelector, MetricSpec } from '../../../contracts/objects/index.ts';
import type { Reading } from './horizontal-pod-autoscaler-metrics.ts';

/** Whether a label has one of these values, or none of them; a label that is not there is empty. */
export interface LabelMatcher {
  readonly label: string;
  readonly is: 'in' | 'not in';
  readonly values: readonly string[];
}

/** Series of one name, and what is summed up of them. */
export interface SeriesSelection {
  readonly metric: string;
  readonly matchers: readonly LabelMatcher[];
  /** One sum for each value of this label; one of all when absent. */
  readonly by?: string;
}

type Named = Extract<MetricSpec, { readonly type: 'Pods' | 'Object' | 'External' }>;

/**
 * Of pods: the label `pod` is their name, and `namespace` the autoscaler's. Of an object: a label that is called as its
 * kind, in lower case, is its name. From outside the cluster: nothing but the measure's own selector. These are the names
 * that Prometheus' Kubernetes adapter has for them.
 */
export function selectionOf(measure: Named, namespace: string, pods: readonly string[]): SeriesSelection {
  const inNamespace: LabelMatcher = { label: 'namespace', is: 'in', values: [namespace] };
  switch (measure.type) {
    case 'Pods': {
      const { name, selector } = measure.pods.metric;
      const matchers = [inNamespace, { label: 'pod', is: 'in', values: pods } as const, ...matchersOf(selector)];
      return { metric: name, matchers, by: 'pod' };
    }
    case 'Object': {
      const { describedObject, metric } = measure.object;
      const named: LabelMatcher = { label: labelOf(describedObject.kind), is: 'in', values: [describedObject.name] };
      return { metric: metric.name, matchers: [inNamespace, named, ...matchersOf(metric.selector)] };
    }
    case 'External':
      return {
        metric: measure.external.metric.name,
        matchers: matchersOf(measure.external.metric.selector),
      };
  }
}

/** What the sums of the selected series are to the measure. */
export function seriesReading(measure: Named, sums: ReadonlyMap<string, number>, now: Date): Reading {
  if (sums.size === 0) return { of: 'nothing', why: 'no series has it' };
  if (measure.type !== 'Pods') return { of: 'all', milli: milliOf(sums.get('') ?? 0) };
  const at = now.getTime();
  return {
    of: 'pods',
    values: new Map([...sums].map(([pod, value]) => [pod, { milli: milliOf(value), at, windowMs: 0 }])),
  };
}

/** Exact as far as numbers are: what is beyond that is more than any target. */
function milliOf(value: number): number {
  return Math.max(-Number.MAX_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, Math.round(value * 1000)));
}

function matchersOf(selector: LabelSelector | undefined): readonly LabelMatcher[] {
  return [
    ...Object.entries(selector?.matchLabels ?? {}).map(([label, value]): LabelMatcher => ({
      label,
      is: 'in',
      values: [value],
    })),
    ...(selector?.matchExpressions ?? []).map(({ key: label, operator, values = [] }): LabelMatcher => {
      switch (operator) {
        case 'In':
          return { label, is: 'in', values };
        case 'NotIn':
          return { label, is: 'not in', values };
        case 'Exists':
          return { label, is: 'not in', values: [''] };
        case 'DoesNotExist':
          return { label, is: 'in', values: [''] };
      }
    }),
  ];
}

function labelOf(kind: string): string {
  return kind.toLowerCase().replaceAll(/[^a-z0-9_]/g, '_');
}
