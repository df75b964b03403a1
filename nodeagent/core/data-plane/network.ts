/** What the assignment says of the cluster's network and of this node's part of it. */
import { canonicalRange } from '../../../contracts/ipv4.ts';
import { DEFAULT_NETWORK } from '../../../contracts/objects/default-network.ts';
import type { ClusterSpec, Node } from '../../../contracts/objects/index.ts';
import { objectKey } from '../../../contracts/objects/key.ts';
import { internalIP } from '../../../contracts/objects/node-address.ts';
import type { AssignmentView } from '../assignment.ts';

/** The Cluster's network settings; Kubernetes' usual ranges where the assignment has no Cluster. */
export function networkSettings(view: AssignmentView): ClusterSpec['network'] {
  return view.list('Cluster')[0]?.spec.network ?? DEFAULT_NETWORK;
}

/** Pod range of this node; undefined until it has one. */
export function localPodRange(view: AssignmentView): string | undefined {
  const range = ownNode(view)?.spec.podCIDR;
  return range === undefined ? undefined : canonicalRange(range);
}

/** Where other nodes reach this one; undefined until that is known. */
export function ownAddress(view: AssignmentView): string | undefined {
  const own = ownNode(view);
  return own && internalIP(own);
}

function ownNode(view: AssignmentView): Node | undefined {
  return view.node === '' ? undefined : view.get(objectKey('Node', undefined, view.node));
}
