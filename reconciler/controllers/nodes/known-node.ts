/** What the control plane itself knows of a node and of those around it: a node's word is held against it. */
import { internalIP, objectKey } from '../../../contracts/objects/index.ts';
import type { KnownNode, Neighbourhood } from '../../core/nodes/bounded-report.ts';
import { clusterSettings } from '../cluster-settings.ts';
import type { StoreCache } from '../runtime/cache.ts';
import type { StoreView } from '../runtime/controller.ts';

export function knownNode(name: string, cache: StoreCache): KnownNode {
  const node = cache.get(objectKey('Node', undefined, name));
  return { podCIDR: node?.spec.podCIDR, internalIP: node && internalIP(node) };
}

/**
 * An address that a Machine in Git states, as its own or as the one to reach it at, is that machine's; of two nodes that
 * tell the same one, the first to tell has it.
 */
export function neighbourhoodOf(name: string, cache: StoreView & Pick<StoreCache, 'withAddress'>): Neighbourhood {
  const { podCIDR, serviceCIDR } = clusterSettings(cache).network;
  return {
    isAnothers(address) {
      const found = cache.withAddress(address);
      // Several machines may be reached at one address, by different ports.
      const isOwn = found.some(({ kind, metadata }) => kind === 'Machine' && metadata.name === name);
      return found.some(({ kind, metadata }) => metadata.name !== name && (kind === 'Node' || !isOwn));
    },
    ranges: [podCIDR, serviceCIDR],
  };
}
