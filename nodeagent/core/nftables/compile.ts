/**
 * From the assignment and what the node knows of its pods to fragments: the frame from Cluster and Nodes, one for each
 * Service and each pod with host ports.
 */
import type { ClusterSpec } from '../../../contracts/objects/index.ts';
import { isKeyOf, isObjectKey, objectKey, type ObjectKey } from '../../../contracts/objects/key.ts';
import { internalIP } from '../../../contracts/objects/node-address.ts';
import { DEFAULT_NETWORK } from '../../../contracts/objects/default-network.ts';
import type { AssignmentView } from '../assignment.ts';
import type { LocalPods } from '../local-pods.ts';
import { canonicalRange } from '../../../contracts/ipv4.ts';
import type { FragmentChanges } from './delta.ts';
import { compileFrame, FRAME } from './frame.ts';
import { compileForwardings, type Forwarding } from './forwarding.ts';
import { planHostPorts } from './host-port.ts';
import type { Fragment } from './model.ts';
import { withOwnPods } from './own-endpoints.ts';
import { planService } from './service.ts';
import type { ServiceIndex, ServiceKey } from './service-index.ts';

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

/** What fragments are made from. */
export interface Scope {
  readonly view: AssignmentView;
  readonly pods: LocalPods;
  readonly index: ServiceIndex;
  /** UDP port that the overlay device of this machine listens on; absent where it has none. */
  readonly overlayPort?: number | undefined;
}

/** Owners whose fragments may have changed. */
export interface Touched {
  readonly services: Iterable<ServiceKey>;
  readonly pods: Iterable<ObjectKey<'Pod'>>;
  readonly frame: boolean;
}

/** What the changed objects concern. Moves the index. */
export function touchedBy({ view, index }: Scope, changed: ReadonlySet<ObjectKey>): Touched {
  const keys = [...changed];
  return {
    services: index.update(view, changed),
    pods: keys.filter((key) => isKeyOf(key, 'Pod')),
    frame: keys.some((key) => isKeyOf(key, 'Cluster', 'Node')),
  };
}

/** Everything of the view, and the owners that are in force now. Moves the index. */
export function touchedByAll({ view, index }: Scope, owners: Iterable<string>): Touched {
  const services = index.reset(view);
  const pods = new Set(
    view.list('Pod').map((pod): ObjectKey<'Pod'> => objectKey('Pod', pod.metadata.namespace, pod.metadata.name)),
  );
  for (const owner of owners) {
    if (owner === FRAME || !isObjectKey(owner)) continue;
    if (isKeyOf(owner, 'Pod')) pods.add(owner);
    else if (isKeyOf(owner, 'Service')) services.add(owner);
  }
  return { services, pods, frame: true };
}

/** The fragments of what was touched, as they should be now. */
export function compileChanges({ view, pods, index, overlayPort }: Scope, touched: Touched): FragmentChanges {
  const localRange = localPodRange(view);
  const changes = new Map<string, Fragment | undefined>();
  if (touched.frame) changes.set(FRAME, frameOf(view, overlayPort));
  const put = (owner: string, plans: readonly Forwarding[]): void => {
    changes.set(owner, plans.length === 0 ? undefined : compileForwardings(plans, localRange));
  };
  for (const key of touched.services) {
    const service = view.get(key);
    const slices = index
      .slices(view, key)
      .map((slice) => withOwnPods(slice, service?.spec.publishNotReadyAddresses ?? false, view, pods));
    put(key, service === undefined ? [] : planService(service, slices));
  }
  for (const key of touched.pods) {
    const pod = view.get(key);
    const own = view.get(objectKey('Node', undefined, view.node));
    put(key, pod === undefined ? [] : planHostPorts(pod, pods.get(pod.metadata.uid ?? ''), own && internalIP(own)));
  }
  return changes;
}

function frameOf(view: AssignmentView, overlayPort: number | undefined): Fragment {
  const network = networkSettings(view);
  return compileFrame({
    podRange: canonicalRange(network.podCIDR),
    serviceRange: canonicalRange(network.serviceCIDR),
    localRange: localPodRange(view),
    nodeAddresses: view.list('Node').flatMap((node) => internalIP(node) ?? []),
    overlayPort,
  });
}
