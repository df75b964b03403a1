/** The address at which other nodes reach a node, where its Machine does not state it (docs/adr/0004). */
import { cidrHas, isOfFamily } from '../../../contracts/ip.ts';
import { isAddress, parseRange, rangeHas } from '../../../contracts/ipv4.ts';

/** What the control plane knows of the other nodes and ranges. */
export interface Neighbourhood {
  /** Whether the address belongs to another node, by Git, by where that one is reached, or by its word. */
  readonly isAnothers: (address: string) => boolean;
  /** As above, but not by its word alone. */
  readonly isSurelyAnothers: (address: string) => boolean;
  /** The cluster's ranges: no machine has an address in them. */
  readonly ranges: readonly string[];
}

export interface AddressEvidence {
  /** The agent's word; of any length and content. */
  readonly told: string;
  /** IPv4 address at which the machine showed its host key; undefined where it is reached by IPv6. */
  readonly reachedAt: string | undefined;
  /** The Machine's `address` is a host name: only the connection tells what it stands for. */
  readonly byName: boolean;
  /** What is in force. */
  readonly before: string | undefined;
}

/**
 * Of a Machine by host name, where it is reached: nobody but the holder of its host key can be there, so no other
 * node's word takes that away, and no word of its own counts against it. Of one by address, and where the connection
 * shows none that can be a machine's (a tunnel, IPv6), what the node tells, if no other node has it. Else what was in
 * force, while it still can be. Empty: none.
 */
export function hostAddress({ told, reachedAt, byName, before }: AddressEvidence, around: Neighbourhood): string {
  if (byName && reachedAt !== undefined && canBeHost(reachedAt, around.ranges) && !around.isSurelyAnothers(reachedAt))
    return reachedAt;
  const candidates = [told, before, reachedAt];
  return (
    candidates.find(
      (address) => address !== undefined && canBeHost(address, around.ranges) && !around.isAnothers(address),
    ) ?? ''
  );
}

/**
 * No machine is reached by others at these: this network, loopback, link-local, multicast and reserved. Sources: RFC
 * 6890; Kubernetes' pkg/kubelet/kubelet_node_status.go (validateNodeIP).
 */
const NO_HOST_RANGES = ['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3'].map(parseRange);

/** The same of IPv6 (RFC 6890): unspecified and loopback, those of IPv4 in other clothes, of a link alone, multicast. */
const NO_HOST_RANGES_IPV6 = ['::/96', '::ffff:0:0/96', 'fe80::/10', 'ff00::/8'];

/** Whether it is the address of one host, outside the cluster's ranges. */
export function canBeHost(address: string, ranges: readonly string[]): boolean {
  return (
    isAddress(address) &&
    !NO_HOST_RANGES.some((range) => rangeHas(range, address)) &&
    !ranges.some((range) => cidrHas(range, address))
  );
}

/** Of IPv6 what the node tells, if it can be a machine's and no other node has it; else what was in force. */
export function hostAddressIPv6(
  { told, before }: { readonly told: string | undefined; readonly before: string | undefined },
  around: Pick<Neighbourhood, 'isAnothers' | 'ranges'>,
): string | undefined {
  return [told, before].find(
    (address) =>
      address !== undefined &&
      isOfFamily('IPv6', address) &&
      ![...NO_HOST_RANGES_IPV6, ...around.ranges].some((range) => cidrHas(range, address)) &&
      !around.isAnothers(address),
  );
}
