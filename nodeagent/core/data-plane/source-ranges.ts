/** Who may connect to a load balancer. */
import { formatRange, parseRange, rangeHas, rangeHolds, readRange, type Range } from '../../../contracts/ipv4.ts';
import type { Service } from '../../../contracts/objects/index.ts';

/** As the field, from before there was one. Source: Kubernetes, AnnotationLoadBalancerSourceRangesKey. */
const ANNOTATION = 'service.beta.kubernetes.io/load-balancer-source-ranges';

/**
 * Ranges of clients that may connect to the Service's load balancer, of which none meets another; undefined: everybody.
 * Where this node may, its addresses of load balancers are among them: a connection that a machine makes to an address
 * that it holds itself comes from that very address (Kubernetes pkg/proxy/nftables, allowFromNode).
 */
export function admittedRanges(
  { spec, metadata }: Service,
  balancers: readonly string[],
  ownAddress: string | undefined,
): readonly string[] | undefined {
  const written = spec.loadBalancerSourceRanges?.length
    ? spec.loadBalancerSourceRanges
    : (metadata.annotations?.[ANNOTATION] ?? '').split(',');
  const ranges = written.flatMap((text) => readRange(text.trim()) ?? []);
  if (ranges.length === 0 || ranges.some(({ prefix }) => prefix === 0)) return undefined;
  const hasOwn = ownAddress !== undefined && ranges.some((range) => rangeHas(range, ownAddress));
  return apart([...ranges, ...(hasOwn ? balancers.map((address) => parseRange(`${address}/32`)) : [])]).map(
    formatRange,
  );
}

/** Without those that are part of another: two cuts of the address space meet only so. Ordered. */
function apart(ranges: readonly Range[]): Range[] {
  const kept: Range[] = [];
  for (const range of [...ranges].sort((a, b) => a.first - b.first || a.prefix - b.prefix)) {
    const last = kept.at(-1);
    if (last === undefined || !rangeHolds(last, range.first)) kept.push(range);
  }
  return kept;
}
