/**
 * From the assignment and what the node knows of its pods to the plan: the policy from Cluster and Nodes, forwardings
 * from each Service and each pod with host ports.
 */
import { canonicalCidr, type Family } from '../../../contracts/ip.ts';
import { isKeyOf, objectKey, type ObjectKey } from '../../../contracts/objects/key.ts';
import { internalIPOf } from '../../../contracts/objects/node-address.ts';
import type { ClusterSpec } from '../../../contracts/objects/own.ts';
import type { FamilyNetwork } from '../../../contracts/objects/network-families.ts';
import { SERVICE_NAME_LABEL } from '../../../contracts/objects/well-known.ts';
import type { AssignmentView } from '../assignment.ts';
import type { LocalPods } from '../local-pods.ts';
import { planHostPorts } from './host-port.ts';
import { familySettings, isPodNetworkForeign, localPodRange, networkSettings, ownAddress, ownZone } from './network.ts';
import { withOwnPods } from './own-endpoints.ts';
import type { Forwarding, NodePolicy, PlanChange, PlanOwner } from './plan.ts';
import { planService, type ServiceScene } from './service.ts';
import type { ServiceIndex, ServiceKey } from './service-index.ts';

/** What a plan is made from. */
export interface Scope {
  /** Whose rules are made; the cluster has it. IPv4 when absent. */
  readonly family?: Family;
  readonly view: AssignmentView;
  readonly pods: LocalPods;
  readonly index: ServiceIndex;
  /** UDP port that the overlay device of this machine listens on, at an address of this family; absent where it has none. */
  readonly overlayPort?: number | undefined;
  /** The user that the proxy runs as, by number; absent where there is none of its own. */
  readonly proxyUser?: number | undefined;
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
export function planChange(
  { family = 'IPv4', view, pods, index, overlayPort, proxyUser }: Scope,
  touched: Touched,
): PlanChange {
  const localRange = localPodRange(view, family);
  const scene = serviceScene(view, family);
  const forwardings = new Map<PlanOwner, readonly Forwarding[]>();
  for (const key of touched.services) {
    const service = view.get(key);
    const slices = index
      .slices(view, key)
      .map((slice) => withOwnPods(slice, service?.spec.publishNotReadyAddresses ?? false, view, pods));
    forwardings.set(key, service === undefined ? [] : planService(service, slices, scene));
  }
  const node = { family, address: ownAddress(view, family), localRange };
  for (const key of touched.pods) {
    const pod = view.get(key);
    const local = pod && pods.get(pod.metadata.uid ?? '');
    forwardings.set(key, pod === undefined ? [] : planHostPorts(pod, local, node));
  }
  return { ...(touched.policy && { policy: nodePolicy(view, family, overlayPort, proxyUser) }), forwardings };
}

/** What is forwarded for one Service, worked out anew: reads all slices. */
export function forwardingsOf(view: AssignmentView, pods: LocalPods, key: ServiceKey): readonly Forwarding[] {
  const service = view.get(key);
  if (service === undefined) return [];
  const { name, namespace } = service.metadata;
  const always = service.spec.publishNotReadyAddresses ?? false;
  const slices = view
    .list('EndpointSlice')
    .filter(({ metadata }) => metadata.namespace === namespace && metadata.labels?.[SERVICE_NAME_LABEL] === name)
    .map((slice) => withOwnPods(slice, always, view, pods));
  return planService(service, slices, serviceScene(view, 'IPv4'));
}

/** What all forwardings of Services depend on: where it differs, all are made anew. */
export function sceneDigest(view: AssignmentView, family: Family = 'IPv4'): string {
  const { isNodeAddress: _, ...scene } = serviceScene(view, family);
  return JSON.stringify(scene);
}

function serviceScene(view: AssignmentView, family: Family): ServiceScene {
  let nodeAddresses: ReadonlySet<string> | undefined;
  return {
    family,
    node: view.node,
    zone: ownZone(view),
    podRange: canonicalCidr(settingsOf(view, family).podCIDR),
    localRange: localPodRange(view, family),
    address: ownAddress(view, family),
    isNodeAddress(address) {
      nodeAddresses ??= new Set(view.list('Node').flatMap((node) => internalIPOf(node, family) ?? []));
      return nodeAddresses.has(address);
    },
  };
}

function settingsOf(view: AssignmentView, family: Family): FamilyNetwork {
  const settings = familySettings(view, family);
  if (!settings) throw new RangeError(`the cluster has no ${family}`);
  return settings;
}

/** A control plane of before says nothing of it. */
function forwardingMeans({
  packetFilter,
  ipvs,
}: Partial<ClusterSpec['network']>): Pick<NodePolicy, 'forwardBy' | 'scheduler'> {
  if (packetFilter !== 'ipvs') return { forwardBy: packetFilter ?? 'nftables' };
  return { forwardBy: 'ipvs', scheduler: ipvs?.scheduler ?? 'rr' };
}

function nodePolicy(
  view: AssignmentView,
  family: Family,
  overlayPort: number | undefined,
  proxyUser: number | undefined,
): NodePolicy {
  const network = settingsOf(view, family);
  return {
    ...forwardingMeans(networkSettings(view)),
    podRange: canonicalCidr(network.podCIDR),
    serviceRange: canonicalCidr(network.serviceCIDR),
    localRange: localPodRange(view, family),
    isForeign: isPodNetworkForeign(view),
    ownAddress: ownAddress(view, family),
    nodeAddresses: view.list('Node').flatMap((node) => internalIPOf(node, family) ?? []),
    overlayPort,
    proxyUser,
  };
}
