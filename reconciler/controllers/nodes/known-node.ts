/** What the control plane itself knows of a node and of those around it: a node's word is held against it. */
import { FAMILIES } from '../../../contracts/ip.ts';
import { isAddress } from '../../../contracts/ipv4.ts';
import {
  familyNetwork,
  internalIP,
  internalIPOf,
  objectKey,
  podRangeOf,
  type Machine,
} from '../../../contracts/objects/index.ts';
import type { KnownNode } from '../../core/nodes/bounded-report.ts';
import type { Neighbourhood } from '../../core/nodes/host-address.ts';
import { clusterSettings } from '../cluster-settings.ts';
import type { StoreCache } from '../runtime/cache.ts';
import type { StoreView } from '../runtime/controller.ts';

export function knownNode(name: string, cache: StoreCache): KnownNode {
  const node = cache.get(objectKey('Node', undefined, name));
  const known = { podCIDR: node?.spec.podCIDR, internalIP: node && internalIP(node) };
  const { network } = clusterSettings(cache);
  return node && familyNetwork(network, 'IPv6')
    ? { ...known, podRangeIPv6: podRangeOf(node, network, 'IPv6'), internalIPv6: internalIPOf(node, 'IPv6') }
    : known;
}

/**
 * The WireGuard key that is a node's by its own word, which nobody else's word takes from it: of two nodes that tell the
 * same one, the first to tell has it. Its public half is known to all, and all that is sent to a range goes by it.
 */
export function isAnothersKey(name: string, key: string, cache: StoreView): boolean {
  if (cache.get(objectKey('Node', undefined, name))?.status?.wireguard?.publicKey === key) return false;
  return cache
    .list('Node')
    .some(({ metadata, status }) => metadata.name !== name && status?.wireguard?.publicKey === key);
}

/** Whether the Machine is reached by a host name, which only the connection makes an address of. */
export function isByName({ spec }: Pick<Machine, 'spec'>): boolean {
  return !isAddress(spec.address);
}

/**
 * An address that a Machine in Git states, as its own or as the one to reach it at, is that machine's, and so is the one
 * that a Machine's host name was found to stand for; of two nodes that merely tell the same one, the first to tell has
 * it.
 */
export function neighbourhoodOf(name: string, cache: StoreView & Pick<StoreCache, 'withAddress'>): Neighbourhood {
  const { network } = clusterSettings(cache);
  const ranges = FAMILIES.flatMap((family) => {
    const settings = familyNetwork(network, family);
    return settings ? [settings.podCIDR, settings.serviceCIDR] : [];
  });
  const others = (address: string): ReturnType<StoreCache['withAddress']> => {
    const found = cache.withAddress(address);
    // Several machines may be reached at one address, by different ports.
    const isOwn = found.some(({ kind, metadata }) => kind === 'Machine' && metadata.name === name);
    return found.filter(({ kind, metadata }) => metadata.name !== name && (kind === 'Node' || !isOwn));
  };
  const isReachedByName = (node: string): boolean => {
    const machine = cache.get(objectKey('Machine', undefined, node));
    return machine !== undefined && isByName(machine);
  };
  return {
    isAnothers: (address) => others(address).length > 0,
    isSurelyAnothers: (address) =>
      others(address).some(({ kind, metadata }) => kind === 'Machine' || isReachedByName(metadata.name)),
    ranges,
  };
}
