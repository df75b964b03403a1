/** What the assignment says of the cluster's network and of this node's part of it. */
import { canonicalCidr, FAMILIES, type Family } from '../../../contracts/ip.ts';
import { DEFAULT_NETWORK } from '../../../contracts/objects/default-network.ts';
import type { ClusterSpec, Node } from '../../../contracts/objects/index.ts';
import { objectKey } from '../../../contracts/objects/key.ts';
import { ZONE_LABEL } from '../../../contracts/objects/well-known.ts';
import { familyNetwork, podRangeOf, type FamilyNetwork } from '../../../contracts/objects/network-families.ts';
import { internalIPOf } from '../../../contracts/objects/node-address.ts';
import type { AssignmentView } from '../assignment.ts';

/** The Cluster's network settings; Kubernetes' usual ranges where the assignment has no Cluster. */
export function networkSettings(view: AssignmentView): ClusterSpec['network'] {
  return view.list('Cluster')[0]?.spec.network ?? DEFAULT_NETWORK;
}

/** Whether pods' links, their addresses and the ways between them are a CNI plugin's of the user's, and none of ours. */
export function isPodNetworkForeign(view: AssignmentView): boolean {
  return isForeign(networkSettings(view));
}

/** The same, by the settings. */
export function isForeign({ overlay }: Pick<ClusterSpec['network'], 'overlay'>): boolean {
  return overlay === 'cni';
}

/** Of such a network this node's pod ranges, of both families; undefined where it is ours. */
export function foreignPodRanges(view: AssignmentView): readonly string[] | undefined {
  return isPodNetworkForeign(view) ? FAMILIES.flatMap((family) => localPodRange(view, family) ?? []) : undefined;
}

/** The cluster's ranges of that family; undefined where it has none. */
export function familySettings(view: AssignmentView, family: Family): FamilyNetwork | undefined {
  return familyNetwork(networkSettings(view), family);
}

/** Pod range of this node; undefined until it has one. */
export function localPodRange(view: AssignmentView, family: Family = 'IPv4'): string | undefined {
  const own = ownNode(view);
  const range = own && podRangeOf(own, networkSettings(view), family);
  return range === undefined ? undefined : canonicalCidr(range);
}

/** Where other nodes reach this one; undefined until that is known. */
export function ownAddress(view: AssignmentView, family: Family = 'IPv4'): string | undefined {
  const own = ownNode(view);
  return own && internalIPOf(own, family);
}

/** The zone that this node is in; empty where nobody said. */
export function ownZone(view: AssignmentView): string {
  return ownNode(view)?.metadata.labels?.[ZONE_LABEL] ?? '';
}

function ownNode(view: AssignmentView): Node | undefined {
  return view.node === '' ? undefined : view.get(objectKey('Node', undefined, view.node));
}
