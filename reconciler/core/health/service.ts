/** Health of a Service: whether anybody answers behind it. */
import {
  labelsInclude,
  loadBalancerAddresses,
  SERVICE_NAME_LABEL,
  type Service,
} from '../../../contracts/objects/index.ts';
import { isActive } from '../workloads/pod-state.ts';
import { degraded, healthy, progressing, type Health, type HealthView } from './health.ts';

export function serviceHealth(service: Service, view: HealthView): Health {
  const { spec, metadata, status } = service;
  const refused = (status?.conditions ?? []).find((condition) => condition.status === 'False');
  if (refused) return degraded(refused.message ?? refused.reason ?? refused.type);
  if (spec.clusterIP === undefined && spec.type !== 'ExternalName') return progressing('waits for its address');
  if (spec.type === 'LoadBalancer' && loadBalancerAddresses(service).length === 0)
    return progressing('waits for the address of its load balancer');
  const [label] = Object.entries(spec.selector ?? {});
  if (!label) return healthy('has no selector');
  const pods = view
    .labelled('Pod', label[0], label[1], metadata.namespace)
    .filter((pod) => isActive(pod) && labelsInclude(pod.metadata.labels, spec.selector));
  if (pods.length === 0) return healthy('no pod matches its selector');
  const slices = view.labelled('EndpointSlice', SERVICE_NAME_LABEL, metadata.name, metadata.namespace);
  const ready = slices.flatMap((slice) => slice.endpoints).filter((endpoint) => endpoint.conditions.ready).length;
  return ready > 0
    ? healthy(`${ready} of ${pods.length} endpoints are ready`)
    : progressing(`none of ${pods.length} endpoints is ready`);
}
