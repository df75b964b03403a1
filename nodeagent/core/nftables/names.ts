/** Names inside the table: the same Service always gets the same ones, and a person can read them. */
import { createHash } from 'node:crypto';
import type { Protocol, Target } from './model.ts';

function digest(...parts: readonly (string | number)[]): string {
  return createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 8);
}

export interface PortIdentity {
  readonly namespace: string;
  readonly service: string;
  /** Port name, or the number as text where the port has no name. */
  readonly port: string;
  readonly protocol: Protocol;
}

/** `svc-web-http-1f2e3d4c`: at most 53 characters; the namespace is in the hash and in the chain's comment. */
export function serviceChainName(id: PortIdentity): string {
  return `svc-${id.service.slice(0, 24)}-${id.port.slice(0, 15)}-${digest(id.namespace, id.service, id.port, id.protocol)}`;
}

/** `default/web:http TCP`. */
export function describePort(id: PortIdentity): string {
  return `${id.namespace}/${id.service}:${id.port} ${id.protocol}`;
}

/** `host-web-0-8080-1f2e3d4c`: at most 43 characters; namespace and address are in the hash. */
export function hostPortChainName(
  namespace: string,
  pod: string,
  hostIP: string,
  port: number,
  protocol: Protocol,
  target: Target,
): string {
  return `host-${pod.slice(0, 24)}-${port}-${digest(namespace, pod, hostIP, port, protocol, target.port)}`;
}

/** Chain of one endpoint with session affinity, of the frontends whose chain is `of`. */
export function endpointChainName(of: string, target: Target): string {
  return `ep-${target.address}-${target.port}-${digest(of, target.address, target.port)}`;
}

/**
 * Set of the clients that stick to an endpoint. The time-out is part of the name, as a set's time-out cannot be
 * changed.
 */
export function affinitySetName(of: string, target: Target, timeoutSeconds: number): string {
  return `clients-${target.address}-${target.port}-${digest(of, target.address, target.port, timeoutSeconds)}`;
}
