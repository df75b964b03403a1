/** IPv6 addresses and ranges: text outside, bigints inside. Sources: RFC 4291 (what is read), RFC 5952 (what is written). */

export interface Range6 {
  /** The network's own address. */
  readonly first: bigint;
  /** Number of addresses. */
  readonly size: bigint;
  /** Bits that all its addresses share. */
  readonly prefix: number;
}

const BITS = 128;
const GROUPS = 8;
/** Longest text of an address: eight groups of four, with their colons. Longer ones are not looked at. */
const MOST_CHARACTERS = 45;

/** Undefined for text that is no address; one with a zone (`fe80::1%eth0`) is none. */
export function readAddress6(text: string): bigint | undefined {
  if (text.length > MOST_CHARACTERS || !text.includes(':')) return undefined;
  const plain = withoutDots(text);
  if (plain === undefined) return undefined;
  const [before = '', after, ...more] = plain.split('::');
  if (more.length > 0) return undefined;
  const head = before === '' ? [] : before.split(':');
  const tail = after === undefined || after === '' ? [] : after.split(':');
  const missing = GROUPS - head.length - tail.length;
  // `::` stands for one group at least (RFC 4291, 2.2).
  if (after === undefined ? missing !== 0 : missing < 1) return undefined;
  const groups = [...head, ...Array.from({ length: missing }, () => '0'), ...tail];
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  return groups.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
}

/** The last 32 bits may be written as an IPv4 address (RFC 4291, 2.2). */
function withoutDots(text: string): string | undefined {
  if (!text.includes('.')) return text;
  const [, start, octets] = /^(.*:)(\d{1,3}(?:\.\d{1,3}){3})$/.exec(text) ?? [];
  if (start === undefined || octets === undefined) return undefined;
  const numbers = octets.split('.').map(Number);
  if (numbers.some((n, i) => n > 255 || String(n) !== octets.split('.')[i])) return undefined;
  const [a = 0, b = 0, c = 0, d = 0] = numbers;
  return `${start}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
}

/** Throws RangeError for text that is no address. */
export function parseAddress6(text: string): bigint {
  const address = readAddress6(text);
  if (address === undefined) throw new RangeError(`not an IPv6 address: ${text}`);
  return address;
}

/** In lower case, its longest run of two or more zero groups as `::`, the first of equal ones. */
export function formatAddress6(address: bigint): string {
  const groups = Array.from({ length: GROUPS }, (_, i) => Number((address >> BigInt(16 * (GROUPS - 1 - i))) & 0xffffn));
  let [from, length] = [0, 0];
  for (let start = 0; start < GROUPS; start += 1) {
    let end = start;
    while (end < GROUPS && groups[end] === 0) end += 1;
    if (end - start > length) [from, length] = [start, end - start];
  }
  const text = (some: readonly number[]): string => some.map((group) => group.toString(16)).join(':');
  return length < 2 ? text(groups) : `${text(groups.slice(0, from))}::${text(groups.slice(from + length))}`;
}

/** `fd00:10::/56`, its host bits cut off; undefined for anything else. */
export function readRange6(cidr: string): Range6 | undefined {
  const [text = '', bits = '', ...rest] = cidr.split('/');
  const prefix = Number(bits);
  if (rest.length > 0 || !/^(0|[1-9]\d{0,2})$/.test(bits) || prefix > BITS) return undefined;
  const address = readAddress6(text);
  if (address === undefined) return undefined;
  const size = 1n << BigInt(BITS - prefix);
  return { first: address - (address % size), size, prefix };
}

/** As {@link readRange6}; throws RangeError for what is no range. */
export function parseRange6(cidr: string): Range6 {
  const range = readRange6(cidr);
  if (range === undefined) throw new RangeError(`not an IPv6 range: ${cidr}`);
  return range;
}

export function formatRange6({ first, prefix }: Pick<Range6, 'first' | 'prefix'>): string {
  return `${formatAddress6(first)}/${prefix}`;
}

/** The `index`-th part of `range` with prefix length `prefix`, or undefined beyond its end. */
export function subrange6(range: Range6, prefix: number, index: number): string | undefined {
  const size = 1n << BigInt(BITS - prefix);
  const first = range.first + BigInt(index) * size;
  return size <= range.size && first + size <= range.first + range.size ? formatRange6({ first, prefix }) : undefined;
}
