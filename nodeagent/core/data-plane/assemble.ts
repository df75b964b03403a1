/**
 * From the assignment and what the node knows of its pods to the plan: the policy from Cluster and Nodes, forwardings
 * from each Service and each pod with host ports.
 */
import { canonicalRange } from '../../../contracts/ipv4.ts';
import { isKeyOf, objectKey, type ObjectKey } from '../../../contracts/objects/key.ts';
import { internalIP } from '../../../contracts/objects/node-address.ts';
import type { AssignmentView } from '../assignment.ts';
import type { LocalPods } from '../local-pods.ts';
import { planHostPorts } from './host-port.ts';
import { localPodRange, networkSettings, ownAddress } from './network.ts';
import { withOwnPods } from './own-endpoints.ts';
import type { Forwarding, NodePolicy, PlanChange, PlanOwner } from './plan.ts';
import { planService } from './service.ts';
import type { ServiceIndex, ServiceKey } from './service-index.ts';

/** What a plan is made from. */
export interface Scope {
  readonly view: AssignmentView;
  readonly pods: LocalPods;
  readonly index: ServiceIndex;
  /** UDP port that the overlay device of this machine listens on; absent where it has none. */
  readonly overlayPort?: number | undefined;
}

/** What of the plan may have changed. */
export interface Touched {
  readonly services: Iterable<ServiceKey>;
  readonly pods: Iterable<ObjectKey<'Pod'>>;
  readonly policy: boolean;
}

/** What the changed objects concern. Moves the index. */
export function touchedBy({ view, index }: Scope, changed: ReadonlySet<ObjectKey>): Touched {
  const keys = [...changed];
  return {
    services: index.update(view, changed),
    pods: keys.filter((key) => isKeyOf(key, 'Pod')),
    policy: keys.some((key) => isKeyOf(key, 'Cluster', 'Node')),
  };
}

/** Everything of the view, and the owners that are in the plan now. Moves the index. */
export function touchedByAll({ view, index }: Scope, owners: Iterable<PlanOwner>): Touched {
  const services = index.reset(view);
  const pods = new Set(
    view.list('Pod').map((pod): ObjectKey<'Pod'> => objectKey('Pod', pod.metadata.namespace, pod.metadata.name)),
  );
  for (const owner of owners) {
    if (isKeyOf(owner, 'Pod')) pods.add(owner);
    else services.add(owner);
  }
  return { services, pods, policy: true };
}

/** What was touched, as it should be now. */
export function planChange({ view, pods, index, overlayPort }: Scope, touched: Touched): PlanChange {
  const localRange = localPodRange(view);
  const forwardings = new Map<PlanOwner, readonly Forwarding[]>();
  for (const key of touched.services) {
    const service = view.get(key);
    const slices = index
      .slices(view, key)
      .map((slice) => withOwnPods(slice, service?.spec.publishNotReadyAddresses ?? false, view, pods));
    forwardings.set(key, service === undefined ? [] : planService(service, slices, localRange));
  }
  const address = ownAddress(view);
  for (const key of touched.pods) {
    const pod = view.get(key);
    const local = pod && pods.get(pod.metadata.uid ?? '');
    forwardings.set(key, pod === undefined ? [] : planHostPorts(pod, local, address, localRange));
  }
  return { ...(touched.policy && { policy: nodePolicy(view, overlayPort) }), forwardings };
}

function nodePolicy(view: AssignmentView, overlayPort: number | undefined): NodePolicy {
  const network = networkSettings(view);
  return {
    podRange: canonicalRange(network.podCIDR),
    serviceRange: canonicalRange(network.serviceCIDR),
    localRange: localPodRange(view),
    nodeAddresses: view.list('Node').flatMap((node) => internalIP(node) ?? []),
    overlayPort,
  };
}
