/** What one Service asks of the packet filter. */
import { isOfFamily, type Family } from '../../../contracts/ip.ts';
import { clusterIPOf } from '../../../contracts/objects/service-families.ts';
import {
  isExternallyAccessible,
  loadBalancerAddresses,
  mayHaveNodePorts,
} from '../../../contracts/objects/service-traffic.ts';
import type { EndpointSlice, Service, ServicePort } from '../../../contracts/objects/index.ts';
import { chooseTargets, endpointAddresses, localAddresses, type Choice, type Vantage } from './endpoints.ts';
import type { Forwarding, Frontend, Origin } from './plan.ts';
import { admittedRanges } from './source-ranges.ts';

/** Kubernetes' default of sessionAffinityConfig.clientIP.timeoutSeconds: three hours. */
const DEFAULT_AFFINITY_SECONDS = 10_800;

/** Of the node that the plan is for, what forwardings of Services depend on: addresses and ranges of one family. */
export interface ServiceScene extends Vantage {
  readonly family: Family;
  /** Range of all pods. */
  readonly podRange: string;
  readonly localRange: string | undefined;
  /** Where other nodes reach this one. */
  readonly address: string | undefined;
  /** Addresses of all nodes: none of them is guarded, whoever gives it to a load balancer. */
  readonly isNodeAddress: (address: string) => boolean;
}

/**
 * Forwardings of each port of the Service: one, or a second one for connections from outside where another traffic policy
 * holds for them. None for headless Services and those that have no address yet.
 */
export function planService(service: Service, slices: readonly EndpointSlice[], scene: ServiceScene): Forwarding[] {
  const clusterIP = clusterIPOf(service.spec, scene.family);
  if (clusterIP === undefined) return [];
  const own = slices.filter(({ addressType }) => addressType === scene.family);
  return service.spec.ports.flatMap((port) => planPort(service, clusterIP, port, own, scene));
}

function planPort(
  service: Service,
  clusterIP: string,
  port: ServicePort,
  slices: readonly EndpointSlice[],
  scene: ServiceScene,
): Forwarding[] {
  const { spec } = service;
  const choice = chooseTargets(slices, port.name ?? '', port.protocol, scene);
  const inside: Frontend[] = [{ at: 'service-address', address: clusterIP, port: port.port }];
  const outside = externalFrontends(service, port, scene);
  const origin: Origin = {
    of: 'service-port',
    namespace: service.metadata.namespace ?? 'default',
    service: service.metadata.name,
    port: port.name ?? String(port.port),
  };
  const shared = {
    protocol: port.protocol,
    known: endpointAddresses(slices, () => true),
    ending: endpointAddresses(slices, (e) => e.conditions.terminating),
    ...(spec.sessionAffinity === 'ClientIP' && {
      affinity: { timeoutSeconds: spec.sessionAffinityConfig?.clientIP.timeoutSeconds ?? DEFAULT_AFFINITY_SECONDS },
    }),
  };
  const [keptInside, keptOutside] = [
    spec.internalTrafficPolicy === 'Local',
    spec.externalTrafficPolicy === 'Local' && isExternallyAccessible(spec),
  ];
  if (!keptInside && !keptOutside)
    return [{ origin, ...shared, frontends: [...inside, ...outside], ...targetsFor(choice, 'Cluster', scene) }];
  const own = { origin, ...shared, frontends: inside, ...targetsFor(choice, keptInside ? 'Local' : 'Cluster', scene) };
  if (outside.length === 0) return [own];
  return [
    own,
    {
      origin: { ...origin, traffic: 'external' },
      ...shared,
      frontends: outside,
      ...targetsFor(choice, keptOutside ? 'Local from outside' : 'Cluster', scene),
    },
  ];
}

/**
 * With `Local` for connections from outside, those of pods and of this machine go to any endpoint: they come through no
 * balancer that could have chosen a better node. As kube-proxy has it.
 */
function targetsFor(
  { cluster, local, any }: Choice,
  policy: 'Cluster' | 'Local' | 'Local from outside',
  { localRange, podRange }: ServiceScene,
): Pick<Forwarding, 'targets' | 'localTargets' | 'insiders' | 'elsewhere'> {
  if (policy === 'Cluster') return { targets: cluster, localTargets: localAddresses(cluster, localRange) };
  const insiders = policy === 'Local' || cluster.length === 0 ? undefined : { pods: podRange, targets: cluster };
  return {
    targets: local,
    localTargets: localAddresses([...local, ...(insiders?.targets ?? [])], localRange),
    ...(insiders && { insiders }),
    ...(any && local.length === 0 && { elsewhere: true }),
  };
}

function externalFrontends(service: Service, { port, nodePort }: ServicePort, scene: ServiceScene): Frontend[] {
  const { spec } = service;
  const balancers = loadBalancerAddresses(service).filter((address) => isOfFamily(scene.family, address));
  const from = balancers.length > 0 ? admittedRanges(service, balancers, scene.address) : undefined;
  return [
    ...(nodePort !== undefined && mayHaveNodePorts(spec) ? [{ at: 'node-port' as const, port: nodePort }] : []),
    ...(spec.externalIPs ?? [])
      .filter((address) => isOfFamily(scene.family, address) && !balancers.includes(address))
      .map((address): Frontend => ({ at: 'external-address', address, port, guarded: false })),
    ...balancers.map((address): Frontend => ({
      at: 'external-address',
      address,
      port,
      guarded: !scene.isNodeAddress(address),
      ...(from && { from }),
    })),
  ];
}
