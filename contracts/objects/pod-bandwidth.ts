/**
 * How much a pod may send and get, by the annotations of Kubernetes. Free of schemas: a node agent uses it. Source: Kubernetes
 * pkg/util/bandwidth, ExtractPodBandwidthResources.
 */
import { readKey } from './own-key.ts';
import { parseQuantity, QUANTITY_PATTERN } from './quantity-value.ts';

/** What it gets, and what it sends. */
export const BANDWIDTH_ANNOTATIONS = {
  ingress: 'kubernetes.io/ingress-bandwidth',
  egress: 'kubernetes.io/egress-bandwidth',
} as const;
/** Bits a second. */
const LEAST = 1e3;
const MOST = 1e15;

/** Bits a second; unlimited where absent. */
export interface PodBandwidth {
  readonly ingress?: number;
  readonly egress?: number;
}

/** Bits a second; undefined for text that is no rate. */
export function bandwidthIn(text: string): number | undefined {
  const bits = QUANTITY_PATTERN.test(text) ? parseQuantity(text) : Number.NaN;
  return bits >= LEAST && bits <= MOST ? Math.floor(bits) : undefined;
}

/** Of a pod's annotations those that are about it. */
export function bandwidthAnnotations(
  annotations: Readonly<Record<string, string>> | undefined,
): Record<string, string> {
  const names = Object.values(BANDWIDTH_ANNOTATIONS).map((name) => [name, readKey(annotations, name)] as const);
  return Object.fromEntries(names.filter((one): one is readonly [(typeof one)[0], string] => one[1] !== undefined));
}

/** Undefined for a pod that has no limit. A word where an annotation is no rate. */
export function podBandwidth(
  annotations: Readonly<Record<string, string>> | undefined,
): PodBandwidth | string | undefined {
  const rates: { ingress?: number; egress?: number } = {};
  for (const way of ['ingress', 'egress'] as const) {
    const text = readKey(annotations, BANDWIDTH_ANNOTATIONS[way]);
    if (text === undefined) continue;
    const rate = bandwidthIn(text);
    if (rate === undefined) return `annotation ${BANDWIDTH_ANNOTATIONS[way]} is no rate between 1k and 1P`;
    rates[way] = rate;
  }
  return rates.ingress === undefined && rates.egress === undefined ? undefined : rates;
}
