/** What the control plane itself knows of a node and of those around it: a node's word is held against it. */
import { internalIP, objectKey } from '../../../contracts/objects/index.ts';
import type { KnownNode, Neighbourhood } from '../../core/nodes/bounded-report.ts';
import { clusterSettings } from '../cluster-settings.ts';
import type { StoreCache } from '../runtime/cache.ts';

export function knownNode(name: string, cache: StoreCache): KnownNode {
  const node = cache.get(objectKey('Node', undefined, name));
  return { podCIDR: node?.spec.podCIDR, internalIP: node && internalIP(node) };
}

/**
 * An address that a Machine in Git states, as its own or as the one to reach it at, is that machine's; of two nodes that
 * tell the same one, the first to tell has it.
 */
export function neighbourhoodOf(name: string, cache: StoreCache): Neighbourhood {
  const { podCIDR, serviceCIDR } = clusterSettings(cache).network;
  const own = new Set<string>();
  const others = new Set<string>();
  for (const { metadata, spec } of cache.list('Machine')) {
    for (const address of [spec.internalIP, spec.address])
      if (address !== undefined) (metadata.name === name ? own : others).add(address);
  }
  // Several machines may be reached at one address, by different ports.
  for (const address of own) others.delete(address);
  for (const node of cache.list('Node')) {
    const told = node.metadata.name === name ? undefined : internalIP(node);
    if (told !== undefined) others.add(told);
  }
  return { others, ranges: [podCIDR, serviceCIDR] };
}
