/** IPv4 ranges as numbers. */

export interface AddressRange {
  /** First address. */
  readonly first: number;
  /** Last address. */
  readonly last: number;
  readonly prefix: number;
}

/** The range of CIDR text that a schema has accepted; host bits are ignored, as Kubernetes does. */
export function parseRange(cidr: string): AddressRange {
  const [address = '', bits = '32'] = cidr.split('/');
  const prefix = Number(bits);
  const size = 2 ** (32 - prefix);
  const first = Math.floor(parseAddress(address) / size) * size;
  return { first, last: first + size - 1, prefix };
}

export function parseAddress(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

export function rangesOverlap(a: AddressRange, b: AddressRange): boolean {
  return a.first <= b.last && b.first <= a.last;
}

export function inRange(range: AddressRange, address: number): boolean {
  return address >= range.first && address <= range.last;
}
