/**
 * What a Kubernetes resource quantity (`100m`, `1.5Gi`, `2e3`) comes to. Free of schemas: a node agent uses it.
 * Source: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
 */

/** Spelling of a quantity: number and suffix. */
export const QUANTITY_PATTERN = /^([+-]?(?:\d+\.?\d*|\.\d+))(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][+-]?\d+)?$/;

const MULTIPLIER: Readonly<Record<string, number>> = {
  n: 1e-9, u: 1e-6, m: 1e-3, k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15, E: 1e18,
  Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40, Pi: 2 ** 50, Ei: 2 ** 60,
};

/** The largest number below 2^63 that is exact here: Kubernetes caps a quantity at the largest int64, which a runtime takes for a limit as well. */
const MOST = 2 ** 63 - 1024;

/** The quantity in its base unit (cores, bytes, count), capped as Kubernetes does. Throws RangeError for text that is no quantity. */
export function parseQuantity(text: string): number {
  const match = QUANTITY_PATTERN.exec(text);
  if (!match?.[1]) throw new RangeError(`not a quantity: ${text}`);
  const suffix = match[2] ?? '';
  const factor = suffix === '' ? 1 : (MULTIPLIER[suffix] ?? Number(`1${suffix}`));
  return capped(Number(match[1]) * factor);
}

/** Whole milli-units, rounded up as Kubernetes' scheduler does: `100m` of cpu is 100, `1` is 1000. */
export function parseMilli(text: string): number {
  return capped(Math.ceil(Number((parseQuantity(text) * 1000).toFixed(6))));
}

/** No digits at all, times a factor too large to count, is no number: it is zero. */
function capped(amount: number): number {
  return Number.isNaN(amount) ? 0 : Math.min(MOST, Math.max(-MOST, amount));
}
