/** Names inside the table: the same Service always gets the same ones, and a person can read them. */
import { createHash } from 'node:crypto';
import type { Forwarding, Target } from '../data-plane/plan.ts';

function digest(...parts: readonly (string | number)[]): string {
  return createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 8);
}

/**
 * `svc-web-http-1f2e3d4c` or `host-web-0-8080-1f2e3d4c`: at most 53 characters. What does not fit is in the hash, and
 * in the chain's comment.
 */
export function forwardingChainName({ origin, protocol }: Pick<Forwarding, 'origin' | 'protocol'>): string {
  switch (origin.of) {
    case 'service-port': {
      const { namespace, service, port } = origin;
      return `svc-${service.slice(0, 24)}-${port.slice(0, 15)}-${digest(namespace, service, port, protocol)}`;
    }
    case 'host-port': {
      const { namespace, pod, hostIP, hostPort, containerPort } = origin;
      return `host-${pod.slice(0, 24)}-${hostPort}-${digest(namespace, pod, hostIP, hostPort, protocol, containerPort)}`;
    }
  }
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
