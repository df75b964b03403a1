/** Sets of numbers (ports, addresses) as spans: in order, apart from each other. */
import { formatAddress, parseAddress, readRange } from '../../../../contracts/ipv4.ts';
import { formatAddress6, parseAddress6, parseRange6 } from '../../../../contracts/ipv6.ts';
import type { AddressNumber, AddressSpan } from './plan.ts';

type Numbers<N> = readonly [N, N];

/** Any spans in order; those that meet or touch become one. */
export function mergedSpans<N extends AddressNumber>(spans: readonly Numbers<N>[]): readonly Numbers<N>[] {
  const merged: [N, N][] = [];
  for (const [first, last] of spans.toSorted(([a], [b]) => (a < b ? -1 : Number(a > b)))) {
    const before = merged.at(-1);
    if (before && first <= next(before[1])) before[1] = last > before[1] ? last : before[1];
    else merged.push([first, last]);
  }
  return merged;
}

/** What is in the first and not in the others. */
export function spansWithout<N extends AddressNumber>(
  spans: readonly Numbers<N>[],
  others: readonly Numbers<N>[],
): readonly Numbers<N>[] {
  let left = mergedSpans(spans);
  for (const [from, to] of mergedSpans(others)) {
    left = left.flatMap(([first, last]): Numbers<N>[] => {
      if (to < first || from > last) return [[first, last]];
      const parts: Numbers<N>[] = [];
      if (first < from) parts.push([first, previous(from)]);
      if (last > to) parts.push([next(to), last]);
      return parts;
    });
  }
  return left;
}

/** The addresses of a range, of either family. Throws RangeError for what is none. */
export function rangeSpan(cidr: string): AddressSpan {
  const range = readRange(cidr);
  if (range) return [range.first, range.first + range.size - 1];
  const { first, size } = parseRange6(cidr);
  return [first, first + size - 1n];
}

/** One address. Throws RangeError for text that is none. */
export function addressSpan(address: string): AddressSpan {
  const number = address.includes(':') ? parseAddress6(address) : parseAddress(address);
  return [number, number];
}

export function formatNumber(address: AddressNumber): string {
  return typeof address === 'bigint' ? formatAddress6(address) : formatAddress(address);
}

/** As JSON, but for what JSON has no word for: IPv6 addresses as numbers. */
export function spanKey(value: unknown): string {
  return JSON.stringify(value, (_, one: unknown) => (typeof one === 'bigint' ? `${one}n` : one));
}

function next<N extends AddressNumber>(number: N): N {
  return (typeof number === 'bigint' ? number + 1n : Number(number) + 1) as N;
}

function previous<N extends AddressNumber>(number: N): N {
  return (typeof number === 'bigint' ? number - 1n : Number(number) - 1) as N;
}
