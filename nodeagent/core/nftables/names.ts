/** Names inside the table: the same Service always gets the same ones, and a person can read them. */
import { createHash } from 'node:crypto';
import type { Forwarding, Target } from '../data-plane/plan.ts';

function digest(...parts: readonly (string | number)[]): string {
  return createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 8);
}

/** nft's names have no colons. */
function plain(address: string): string {
  return address.replaceAll(':', '_');
}

/**
 * `svc-web-http-1f2e3d4c` or `host-web-0-8080-1f2e3d4c`: at most 53 characters. What does not fit is in the hash, and
 * in the chain's comment.
 */
export function forwardingChainName({ origin, protocol }: Pick<Forwarding, 'origin' | 'protocol'>): string {
  switch (origin.of) {
    case 'service-port': {
      const { namespace, service, port, traffic } = origin;
      const hash = digest(namespace, service, port, protocol, ...(traffic === undefined ? [] : [traffic]));
      return `svc-${service.slice(0, 24)}-${port.slice(0, 15)}-${hash}`;
    }
    case 'host-port': {
      const { namespace, pod, hostIP, hostPort, containerPort } = origin;
      return `host-${pod.slice(0, 24)}-${hostPort}-${digest(namespace, pod, hostIP, hostPort, protocol, containerPort)}`;
    }
  }
}

/** Chain of connections from inside, of the frontends whose chain is `of`. */
export function insideChainName(of: string): string {
  return `inside-${of}`;
}

/** Chain that lets clients of these ranges into `to`. */
export function admissionChainName(to: string, ranges: readonly string[]): string {
  return `admit-${digest(to, ...ranges)}`;
}

/** Chain of one endpoint with session affinity, of the frontends whose chain is `of`. */
export function endpointChainName(of: string, target: Target): string {
  return `ep-${plain(target.address)}-${target.port}-${digest(of, target.address, target.port)}`;
}

/**
 * Set of the clients that stick to an endpoint. The time-out is part of the name, as a set's time-out cannot be
 * changed.
 */
export function affinitySetName(of: string, target: Target, timeoutSeconds: number): string {
  return `clients-${plain(target.address)}-${target.port}-${digest(of, target.address, target.port, timeoutSeconds)}`;
}

/** Chain of what a pod takes or opens: at most 54 characters. */
export function guardChainName(direction: 'ingress' | 'egress', namespace: string, pod: string): string {
  return `${direction === 'ingress' ? 'in' : 'out'}-${pod.slice(0, 40)}-${digest(namespace, pod)}`;
}

/** Owner of a part of what is guarded; none of it is that of a Service or pod. */
export function guardOwner(part: string): string {
  return `policy ${part}`;
}
