/** The cluster's ranges by address family. Free of schemas: a node agent uses it. */
import { familyOfRange, type Family } from '../ip.ts';
import { rangeHolds, readRange } from '../ipv4.ts';
import { parseRange6, subrange6 } from '../ipv6.ts';
import type { Node } from './nodes.ts';
import type { ClusterSpec } from './own.ts';

export interface FamilyNetwork {
  readonly podCIDR: string;
  readonly serviceCIDR: string;
  /** Prefix length of one node's pod range. */
  readonly nodeMaskSize: number;
}

/** As kube-controller-manager's --node-cidr-mask-size-ipv6. */
const NODE_MASK_SIZE_IPV6 = 64;

/** Undefined for a family that the cluster does not have. */
export function familyNetwork(network: ClusterSpec['network'], family: Family): FamilyNetwork | undefined {
  if (family === 'IPv4') return network;
  const [podCIDR, serviceCIDR] = [network.podCIDRs, network.serviceCIDRs].map((ranges) =>
    ranges?.find((range) => familyOfRange(range) === family),
  );
  return podCIDR === undefined || serviceCIDR === undefined
    ? undefined
    : { podCIDR, serviceCIDR, nodeMaskSize: network.nodeMaskSizeIPv6 ?? NODE_MASK_SIZE_IPV6 };
}

/** Those that the cluster has, IPv4 first. */
export function clusterFamilies(network: ClusterSpec['network']): readonly Family[] {
  return familyNetwork(network, 'IPv6') ? ['IPv4', 'IPv6'] : ['IPv4'];
}

/**
 * The node's pod range of that family; undefined until it has one. That of IPv6 follows from that of IPv4: the part of
 * the cluster's range with the same number. So nothing has to remember it, and two nodes that have different ranges of
 * one family have different ones of the other. A node whose range is smaller than a part, from before the size of parts
 * was changed, has none.
 */
export function podRangeOf(
  { spec: { podCIDR } }: Pick<Node, 'spec'>,
  network: ClusterSpec['network'],
  family: Family,
): string | undefined {
  if (family === 'IPv4' || podCIDR === undefined) return podCIDR;
  const settings = familyNetwork(network, family);
  const [whole, own] = [readRange(network.podCIDR), readRange(podCIDR)];
  if (!settings || !whole || !own || own.prefix > network.nodeMaskSize || !rangeHolds(whole, own.first))
    return undefined;
  const index = Math.floor((own.first - whole.first) / 2 ** (32 - network.nodeMaskSize));
  return subrange6(parseRange6(settings.podCIDR), settings.nodeMaskSize, index);
}
