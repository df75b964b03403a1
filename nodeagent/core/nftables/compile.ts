/** From the assignment to fragments: the frame from Cluster and Nodes, one fragment a Service. */
import type { ClusterSpec } from '../../../contracts/objects/index.ts';
import { objectKey, parseKey, type ObjectKey } from '../../../contracts/objects/key.ts';
import { internalIP } from '../../../contracts/objects/node-address.ts';
import { DEFAULT_NETWORK } from '../../../contracts/objects/well-known.ts';
import type { AssignmentView } from '../assignment.ts';
import { canonicalRange } from '../routes/ipv4.ts';
import type { FragmentChanges } from './delta.ts';
import { compileFrame, FRAME } from './frame.ts';
import type { Fragment } from './model.ts';
import { compileService } from './service.ts';
import type { ServiceId, ServiceIndex } from './service-index.ts';

/** The Cluster's network settings; Kubernetes' usual ranges where the assignment has no Cluster. */
export function networkSettings(view: AssignmentView): ClusterSpec['network'] {
  return view.list('Cluster')[0]?.spec.network ?? DEFAULT_NETWORK;
}

/** Pod range of this node; undefined until it has one. */
export function localPodRange(view: AssignmentView): string | undefined {
  if (view.node === '') return undefined;
  const range = view.get(objectKey('Node', undefined, view.node))?.spec.podCIDR;
  return range === undefined ? undefined : canonicalRange(range);
}

/** Whether a change to this object may change the frame. */
export function concernsFrame(key: ObjectKey): boolean {
  const { kind } = parseKey(key);
  return kind === 'Cluster' || kind === 'Node';
}

export function frameOf(view: AssignmentView): Fragment {
  const network = networkSettings(view);
  return compileFrame({
    podRange: canonicalRange(network.podCIDR),
    serviceRange: canonicalRange(network.serviceCIDR),
    localRange: localPodRange(view),
    nodeAddresses: view.list('Node').flatMap((node) => internalIP(node) ?? []),
  });
}

/** The fragments of these Services as the view has them now, and the frame where asked for. */
export function compileChanges(view: AssignmentView, index: ServiceIndex, ids: Iterable<ServiceId>, withFrame: boolean): FragmentChanges {
  const localRange = localPodRange(view);
  const changes = new Map<string, Fragment | undefined>();
  if (withFrame) changes.set(FRAME, frameOf(view));
  for (const id of ids) {
    const [namespace = '', name = ''] = id.split('/');
    const service = view.get(objectKey('Service', namespace, name));
    changes.set(id, service && compileService(service, index.slices(view, id), localRange));
  }
  return changes;
}
