/**
 * Addresses and ranges of either family, as text. What has one family asks ./ipv4.ts or ./ipv6.ts. Families are spelled
 * as in Kubernetes' `ipFamilies` and `addressType`.
 */
import * as v4 from './ipv4.ts';
import * as v6 from './ipv6.ts';

export type Family = 'IPv4' | 'IPv6';
export const FAMILIES: readonly Family[] = ['IPv4', 'IPv6'];

/** Undefined for text that is no address. */
export function familyOf(address: string): Family | undefined {
  if (v4.isAddress(address)) return 'IPv4';
  return v6.readAddress6(address) === undefined ? undefined : 'IPv6';
}

/** Of a range; undefined for text that is none. */
export function familyOfRange(cidr: string): Family | undefined {
  if (v4.readRange(cidr)) return 'IPv4';
  return v6.readRange6(cidr) ? 'IPv6' : undefined;
}

export function isOfFamily(family: Family, address: string): boolean {
  return familyOf(address) === family;
}

/** The address as the kernel and Go write it. Throws RangeError for text that is none. */
export function canonicalAddress(address: string): string {
  return v4.isAddress(address) ? address : v6.formatAddress6(v6.parseAddress6(address));
}

/** The range with host bits cut off, as the kernel writes it. Throws RangeError. */
export function canonicalCidr(cidr: string): string {
  const range = v4.readRange(cidr);
  return range ? v4.formatRange(range) : v6.formatRange6(v6.parseRange6(cidr));
}

/** First address of a range plus `offset`. Throws RangeError. */
export function nthOf(cidr: string, offset: number): string {
  if (v4.readRange(cidr)) return v4.nthAddress(cidr, offset);
  return v6.formatAddress6(v6.parseRange6(cidr).first + BigInt(offset));
}

/** Whether text is an address of the range; false where one of the two is none, or of the other family. */
export function cidrHas(cidr: string, address: string): boolean {
  const range = v4.readRange(cidr);
  if (range) return v4.rangeHas(range, address);
  const [range6, address6] = [v6.readRange6(cidr), v6.readAddress6(address)];
  return (
    range6 !== undefined && address6 !== undefined && address6 >= range6.first && address6 < range6.first + range6.size
  );
}

/** Whether two ranges share an address. */
export function cidrsOverlap(a: string, b: string): boolean {
  const [first, second] = [v4.readRange(a), v4.readRange(b)];
  if (first && second) return v4.rangesOverlap(first, second);
  const [one, other] = [v6.readRange6(a), v6.readRange6(b)];
  return (
    one !== undefined &&
    other !== undefined &&
    one.first < other.first + other.size &&
    other.first < one.first + one.size
  );
}

/** Order of numbers within a family, IPv4 before IPv6. Throws RangeError for text that is no address. */
export function compareAddresses(a: string, b: string): number {
  const [first, second] = [v4.isAddress(a), v4.isAddress(b)];
  if (first !== second) return first ? -1 : 1;
  if (first) return v4.parseAddress(a) - v4.parseAddress(b);
  const [one, other] = [v6.parseAddress6(a), v6.parseAddress6(b)];
  return one < other ? -1 : Number(one > other);
}
