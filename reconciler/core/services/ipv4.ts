/** IPv4 ranges as numbers. Source: RFC 4632. */

export interface Range {
  /** Network address. */
  readonly first: number;
  /** Number of addresses. */
  readonly size: number;
}

export function parseAddress(text: string): number {
  return text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

export function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}

/** Whether text is a dotted-decimal address, as Linux prints it. */
export function isAddress(text: string): boolean {
  return /^(0|[1-9]\d{0,2})(\.(0|[1-9]\d{0,2})){3}$/.test(text) && text.split('.').every((part) => Number(part) <= 255);
}

/** `10.96.0.0/16`; host bits are dropped. The text is one that a schema has accepted. */
export function parseRange(cidr: string): Range {
  const [address = '', prefix = '32'] = cidr.split('/');
  const size = 2 ** (32 - Number(prefix));
  return { first: Math.floor(parseAddress(address) / size) * size, size };
}

export function rangeHolds({ first, size }: Range, address: number): boolean {
  return address >= first && address < first + size;
}

/** The `index`-th part of `range` with prefix length `prefix`, or undefined beyond its end. */
export function subrange(range: Range, prefix: number, index: number): string | undefined {
  const size = 2 ** (32 - prefix);
  const first = range.first + index * size;
  return size <= range.size && first + size <= range.first + range.size
    ? `${formatAddress(first)}/${prefix}`
    : undefined;
}
