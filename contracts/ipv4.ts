/** IPv4 addresses and ranges: text outside, unsigned 32-bit numbers inside. Source: RFC 4632. */

export interface Range {
  /** The network's own address. */
  readonly first: number;
  /** Number of addresses. */
  readonly size: number;
  /** Bits that all its addresses share. */
  readonly prefix: number;
}

const ZERO = 48;
const DOT = 46;
/** `255.255.255.255`. */
const LONGEST = 15;

/**
 * An address as Linux prints it: four decimal numbers, none with a leading zero; undefined for other text. Read in one
 * go: each question of a pod for a name, and each object that tells an address, comes by here.
 */
export function readAddress(text: string): number | undefined {
  if (text.length > LONGEST) return undefined;
  let [address, part, digits, dots] = [0, 0, 0, 0];
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === DOT) {
      if (digits === 0) return undefined;
      address = address * 256 + part;
      dots += 1;
      part = digits = 0;
      continue;
    }
    const digit = code - ZERO;
    // Nothing follows a zero that comes first.
    if (digit < 0 || digit > 9 || (digits > 0 && part === 0)) return undefined;
    part = part * 10 + digit;
    digits += 1;
    if (part > 255) return undefined;
  }
  return dots === 3 && digits > 0 ? address * 256 + part : undefined;
}

/** Whether text is an address; see {@link readAddress}. */
export function isAddress(text: string): boolean {
  return readAddress(text) !== undefined;
}

/** Throws RangeError for text that is no address. */
export function parseAddress(text: string): number {
  const address = readAddress(text);
  if (address === undefined) throw new RangeError(`not an IPv4 address: ${text}`);
  return address;
}

export function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}

/** `10.96.0.0/16`, its host bits cut off; undefined for anything else. */
export function readRange(cidr: string): Range | undefined {
  const [address = '', bits = '', ...rest] = cidr.split('/');
  const prefix = Number(bits);
  const start = readAddress(address);
  if (rest.length > 0 || !/^\d{1,2}$/.test(bits) || prefix > 32 || start === undefined) return undefined;
  const size = 2 ** (32 - prefix);
  return { first: Math.floor(start / size) * size, size, prefix };
}

/** As {@link readRange}; throws RangeError for what is no range. */
export function parseRange(cidr: string): Range {
  const range = readRange(cidr);
  if (range === undefined) throw new RangeError(`not an IPv4 range: ${cidr}`);
  return range;
}

export function formatRange({ first, prefix }: Pick<Range, 'first' | 'prefix'>): string {
  return `${formatAddress(first)}/${prefix}`;
}

/** The range with host bits cut off, as the kernel writes it. Throws RangeError. */
export function canonicalRange(cidr: string): string {
  return formatRange(parseRange(cidr));
}

export function rangeHolds({ first, size }: Pick<Range, 'first' | 'size'>, address: number): boolean {
  return address >= first && address < first + size;
}

/** Whether text is an address of the range. */
export function rangeHas(range: Range, text: string): boolean {
  const address = readAddress(text);
  return address !== undefined && rangeHolds(range, address);
}

/** Whether two ranges share an address. */
export function rangesOverlap(a: Range, b: Range): boolean {
  return a.first < b.first + b.size && b.first < a.first + a.size;
}

/** First address of a range (the network's own) plus `offset`. Throws RangeError. */
export function nthAddress(cidr: string, offset: number): string {
  return formatAddress(parseRange(cidr).first + offset);
}

/** The `index`-th part of `range` with prefix length `prefix`, or undefined beyond its end. */
export function subrange(range: Range, prefix: number, index: number): string | undefined {
  const size = 2 ** (32 - prefix);
  const first = range.first + index * size;
  return size <= range.size && first + size <= range.first + range.size ? formatRange({ first, prefix }) : undefined;
}

/** A run of addresses: a range (`192.0.2.0/28`), or its first and last (`192.0.2.10-192.0.2.20`); undefined for other text. */
export function addressBlock(text: string): Pick<Range, 'first' | 'size'> | undefined {
  const [from = '', to, ...more] = text.split('-').map((part) => part.trim());
  if (to === undefined) return readRange(from);
  const [first, last] = [readAddress(from), readAddress(to)];
  if (more.length > 0 || first === undefined || last === undefined) return undefined;
  const size = last - first + 1;
  return size < 1 ? undefined : { first, size };
}
