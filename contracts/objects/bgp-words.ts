/** Communities and times as MetalLB writes them. Free of schemas: a node agent uses it. Sources: RFC 1997, RFC 8092. */

/** Two numbers of 16 bits, or three of 32. */
export type CommunityValue = readonly [number, number] | readonly [number, number, number];

/** `65000:1` or `large:65000:1:2`; undefined for anything else. */
export function parseCommunity(text: string): CommunityValue | undefined {
  const [, large, list = ''] = /^(large:)?(\d{1,10}(?::\d{1,10})+)$/.exec(text) ?? [];
  const numbers = list.split(':').map(Number);
  const [a = 0, b = 0, c = 0] = numbers;
  const most = large === undefined ? 0xffff : 0xffff_ffff;
  if (numbers.length !== (large === undefined ? 2 : 3) || numbers.some((n) => n > most)) return undefined;
  return large === undefined ? [a, b] : [a, b, c];
}

const UNITS: ReadonlyMap<string, number> = new Map([
  ['h', 3600],
  ['m', 60],
  ['s', 1],
  ['ms', 0.001],
]);

/** Whole seconds of a Go duration, as BGP counts them; NaN where it is none. */
export function bgpSeconds(text: string): number {
  const parts = [...text.matchAll(/(\d{1,7})(h|ms|m|s)/g)];
  if (parts.length === 0 || parts.map(([all]) => all).join('') !== text) return NaN;
  return Math.floor(parts.reduce((sum, [, count, unit = '']) => sum + Number(count) * (UNITS.get(unit) ?? 0), 0));
}
