/** Where the servers of a ProxyConfig's backends are: the endpoints that the node's packet filter sends to as well. */
import type { ProxyBackend } from '../../../contracts/objects/proxy-config.ts';
import type { AssignmentView } from '../assignment.ts';
import { chooseTargets } from '../data-plane/endpoints.ts';
import { ownZone } from '../data-plane/network.ts';
import { withOwnPods } from '../data-plane/own-endpoints.ts';
import type { Target } from '../data-plane/plan.ts';
import { serviceKey, type ServiceIndex, type ServiceKey } from '../data-plane/service-index.ts';
import type { LocalPods } from '../local-pods.ts';

export function serviceOf({ namespace, service }: ProxyBackend): ServiceKey {
  return serviceKey(namespace, service);
}

/** With what the node itself sees of its own pods. */
export function backendTargets(
  backend: ProxyBackend,
  view: AssignmentView,
  index: ServiceIndex,
  pods: LocalPods,
): readonly Target[] {
  const key = serviceOf(backend);
  const always = view.get(key)?.spec.publishNotReadyAddresses ?? false;
  const slices = index.slices(view, key).map((slice) => withOwnPods(slice, always, view, pods));
  return chooseTargets(slices, backend.portName, 'TCP', { node: view.node, zone: ownZone(view) }).cluster;
}
