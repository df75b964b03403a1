/**
 * IPv4 arithmetic that the network's decisions share. Addresses are dotted text outside and unsigned 32-bit numbers
 * inside.
 */
import { isIPv4 } from 'node:net';

export interface Range {
  readonly base: number;
  readonly prefixLength: number;
}

/** The address as a number; RangeError for text that is no IPv4 address. */
export function addressNumber(text: string): number {
  if (!isIPv4(text)) throw new RangeError(`not an IPv4 address: ${text}`);
  return text.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0);
}

export function addressText(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff).join('.');
}

/** Parses `10.244.0.0/16`, cutting host bits off; RangeError for anything else. */
export function parseRange(cidr: string): Range {
  const [address = '', length = '', ...rest] = cidr.split('/');
  const prefixLength = Number(length);
  if (rest.length > 0 || !/^\d{1,2}$/.test(length) || prefixLength > 32)
    throw new RangeError(`not an IPv4 range: ${cidr}`);
  return { base: networkOf(addressNumber(address), prefixLength), prefixLength };
}

/** The range with host bits cut off, as the kernel writes it. */
export function canonicalRange(cidr: string): string {
  const range = parseRange(cidr);
  return `${addressText(range.base)}/${range.prefixLength}`;
}

function networkOf(address: number, prefixLength: number): number {
  const size = 2 ** (32 - prefixLength);
  return Math.floor(address / size) * size;
}

export function rangeHas(range: Range, address: string): boolean {
  return isIPv4(address) && networkOf(addressNumber(address), range.prefixLength) === range.base;
}

/** First address of a range (the network's own) plus `offset`. */
export function nthAddress(cidr: string, offset: number): string {
  return addressText(parseRange(cidr).base + offset);
}
