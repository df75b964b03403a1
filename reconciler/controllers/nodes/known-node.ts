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
 * An address that a Machine in Git states is that machine's; of two nodes that tell the same one, the first to tell has
 * it.
 */
export function neighbourhoodOf(name: string, cache: StoreCache): Neighbourhood {
  const { podCIDR, serviceCIDR } = clusterSettings(cache).network;
  const stated = cache
    .list('Machine')
    .flatMap(({ metadata, spec }) =>
      metadata.name !== name && spec.internalIP !== undefined ? [spec.internalIP] : [],
    );
  const told = cache.list('Node').flatMap((node) => (node.metadata.name === name ? [] : (internalIP(node) ?? [])));
  return { others: new Set([...stated, ...told]), ranges: [podCIDR, serviceCIDR] };
}
