/** What follows from a Service's type and policies. Free of schemas: a node agent uses it. */
import type { LoadBalancerIngress, Service, ServiceSpec } from './services.ts';

/** Whether its ports may be ports of every node. */
export function mayHaveNodePorts({ type }: Pick<ServiceSpec, 'type'>): boolean {
  return type === 'NodePort' || type === 'LoadBalancer';
}

/** Whether a port that names no port of the nodes is given one. */
export function wantsNodePorts(spec: Pick<ServiceSpec, 'type' | 'allocateLoadBalancerNodePorts'>): boolean {
  return spec.type === 'NodePort' || (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false);
}

/** Whether anybody outside of the cluster may aim at it. Source: Kubernetes pkg/api/v1/service, ExternallyAccessible. */
export function isExternallyAccessible({ type, externalIPs }: Pick<ServiceSpec, 'type' | 'externalIPs'>): boolean {
  return mayHaveNodePorts({ type }) || (type === 'ClusterIP' && (externalIPs?.length ?? 0) > 0);
}

/** Whether each node tells at a port if it has endpoints. Source: Kubernetes pkg/api/v1/service, NeedsHealthCheck. */
export function needsHealthCheck(spec: Pick<ServiceSpec, 'type' | 'externalTrafficPolicy'>): boolean {
  return spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local';
}

/** Addresses that its load balancer has, in order. */
export function loadBalancerAddresses({ spec, status }: Pick<Service, 'spec' | 'status'>): readonly string[] {
  if (spec.type !== 'LoadBalancer') return [];
  return (status?.loadBalancer?.ingress ?? []).map(({ ip }: LoadBalancerIngress) => ip);
}
