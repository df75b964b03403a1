/** Whether this node has endpoints of a Service, for balancers that ask at its `healthCheckNodePort`. */
import type { EndpointSlice, Service } from '../../../contracts/objects/index.ts';
import { needsHealthCheck } from '../../../contracts/objects/service-traffic.ts';
import { SERVICE_NAME_LABEL } from '../../../contracts/objects/well-known.ts';
import type { AssignmentView } from '../assignment.ts';
import { withOwnPods } from '../data-plane/own-endpoints.ts';
import type { LocalPods } from '../local-pods.ts';

/** The port, of a Service that asks for one. */
export function healthPortOf({ spec }: Service): number | undefined {
  return needsHealthCheck(spec) ? spec.healthCheckNodePort : undefined;
}

/** Ready endpoints of the Service that are on this node. */
export function readyHere(
  service: Service,
  slices: readonly EndpointSlice[],
  view: AssignmentView,
  pods: LocalPods,
): number {
  const { name, namespace } = service.metadata;
  const addresses = slices
    .filter(({ metadata }) => metadata.namespace === namespace && metadata.labels?.[SERVICE_NAME_LABEL] === name)
    .flatMap((slice) => withOwnPods(slice, service.spec.publishNotReadyAddresses, view, pods).endpoints)
    .filter(({ nodeName, conditions }) => nodeName === view.node && conditions.ready)
    .flatMap((endpoint) => endpoint.addresses.slice(0, 1));
  return new Set(addresses).size;
}
