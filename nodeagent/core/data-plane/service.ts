/** What one Service asks of the packet filter. */
import { isIPv4 } from 'node:net';
import type { EndpointSlice, Service, ServicePort } from '../../../contracts/objects/index.ts';
import { chooseTargets, endpointAddresses, localAddresses } from './endpoints.ts';
import type { Forwarding, Frontend } from './plan.ts';

/** Kubernetes' default of sessionAffinityConfig.clientIP.timeoutSeconds: three hours. */
const DEFAULT_AFFINITY_SECONDS = 10_800;

/** One forwarding for each port of the Service. None for headless Services and those that have no address yet. */
export function planService(
  service: Service,
  slices: readonly EndpointSlice[],
  localRange: string | undefined,
): Forwarding[] {
  const { clusterIP } = service.spec;
  if (clusterIP === undefined || !isIPv4(clusterIP)) return [];
  return service.spec.ports.map((port) => planPort(service, clusterIP, port, slices, localRange));
}

function planPort(
  service: Service,
  clusterIP: string,
  port: ServicePort,
  slices: readonly EndpointSlice[],
  localRange: string | undefined,
): Forwarding {
  const frontends: Frontend[] = [{ at: 'service-address', address: clusterIP, port: port.port }];
  if (service.spec.type === 'NodePort' && port.nodePort !== undefined)
    frontends.push({ at: 'node-port', port: port.nodePort });
  const targets = chooseTargets(slices, port.name ?? '', port.protocol);
  return {
    origin: {
      of: 'service-port',
      namespace: service.metadata.namespace ?? 'default',
      service: service.metadata.name,
      port: port.name ?? String(port.port),
    },
    protocol: port.protocol,
    frontends,
    targets,
    localTargets: localAddresses(targets, localRange),
    known: endpointAddresses(slices, () => true),
    ending: endpointAddresses(slices, (e) => e.conditions.terminating),
    ...(service.spec.sessionAffinity === 'ClientIP' && {
      affinity: {
        timeoutSeconds: service.spec.sessionAffinityConfig?.clientIP.timeoutSeconds ?? DEFAULT_AFFINITY_SECONDS,
      },
    }),
  };
}
