/**
 * What a Kubernetes resource quantity (`100m`, `1.5Gi`, `2e3`) comes to. Free of schemas: a node agent uses it.
 * Source: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
 */
import { readKey } from './own-key.ts';

/** Spelling of a quantity: number and suffix. */
export const QUANTITY_PATTERN = /^([+-]?(?:\d+\.?\d*|\.\d+))(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][+-]?\d+)?$/;

/** Powers of ten. */
const DECIMAL: Readonly<Record<string, number>> = { n: -9, u: -6, m: -3, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };
/** Powers of two. */
const BINARY: Readonly<Record<string, number>> = { Ki: 10, Mi: 20, Gi: 30, Ti: 40, Pi: 50, Ei: 60 };

/**
 * The largest number below 2^63 that is exact here: Kubernetes caps a quantity at the largest int64, which a runtime
 * takes for a limit as well.
 */
const MOST = 2 ** 63 - 1024;

/**
 * The quantity in its base unit (cores, bytes, count), capped as Kubernetes does. Throws RangeError for text that is no
 * quantity.
 */
export function parseQuantity(text: string): number {
  const match = QUANTITY_PATTERN.exec(text);
  if (!match?.[1]) throw new RangeError(`not a quantity: ${text}`);
  const [, digits, suffix = ''] = match;
  const binary = readKey(BINARY, suffix);
  if (binary !== undefined) return capped(Number(digits) * 2 ** binary);
  const decimal = readKey(DECIMAL, suffix);
  return capped(Number(decimal === undefined ? `${digits}${suffix}` : `${digits}e${decimal}`));
}

/** Whole milli-units, rounded up as Kubernetes' scheduler does: `100m` of cpu is 100, `1` is 1000. */
export function parseMilli(text: string): number {
  return capped(Math.ceil(Number((parseQuantity(text) * 1000).toFixed(6))));
}

function capped(amount: number): number {
  return Math.min(MOST, Math.max(-MOST, amount));
}

const SUFFIXES = ['', 'k', 'M', 'G', 'T', 'P', 'E'] as const;

/** Thousandths as Kubernetes writes them: `1500` is `1500m`, `2000` is `2`, `3000000` is `3k`. */
export function quantityOfMilli(milli: number): string {
  const whole = Math.round(milli);
  if (whole % 1000 !== 0) return `${whole}m`;
  let [amount, thousands] = [whole / 1000, 0];
  for (; amount !== 0 && amount % 1000 === 0 && thousands < SUFFIXES.length - 1; thousands++) amount /= 1000;
  return `${amount}${SUFFIXES[thousands] ?? ''}`;
}

/** Bytes as Kubernetes writes them: `104857600` is `100Mi`, `1500` is `1500`. */
export function quantityOfBytes(bytes: number): string {
  const [suffix, power] = Object.entries(BINARY).findLast(([, power]) => bytes !== 0 && bytes % 2 ** power === 0) ?? [
    '',
    0,
  ];
  return `${bytes / 2 ** power}${suffix}`;
}
