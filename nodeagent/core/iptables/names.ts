/** Names of chains and lists: the same Service always gets the same ones. What is read by people is in the rules' comments. */
import { createHash } from 'node:crypto';
import type { Forwarding, Target } from '../data-plane/plan.ts';
import { OWN_PREFIX } from './model.ts';

/** With a prefix of 10 at most 26 characters; a chain's name has at most 28 (XT_FUNCTION_MAXNAMELEN, with the end). */
function digest(...parts: readonly (string | number)[]): string {
  return createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 16).toUpperCase();
}

export function forwardingChainName({ origin, protocol }: Pick<Forwarding, 'origin' | 'protocol'>): string {
  switch (origin.of) {
    case 'service-port': {
      const { namespace, service, port, traffic } = origin;
      return `${OWN_PREFIX}SVC-${digest(namespace, service, port, protocol, traffic ?? '')}`;
    }
    case 'host-port': {
      const { namespace, pod, hostIP, hostPort, containerPort } = origin;
      return `${OWN_PREFIX}HST-${digest(namespace, pod, hostIP, hostPort, protocol, containerPort)}`;
    }
  }
}

/** Chain of connections from inside, of the frontends whose chain is `of`. */
export function insideChainName(of: string): string {
  return `${OWN_PREFIX}INS-${digest(of)}`;
}

/** Chain that lets clients of these ranges into `to`. */
export function admissionChainName(to: string, ranges: readonly string[]): string {
  return `${OWN_PREFIX}ADM-${digest(to, ...ranges)}`;
}

/** Chain of one endpoint with session affinity, of the frontends whose chain is `of`, and the list of its clients. */
export function endpointChainName(of: string, { address, port }: Target): string {
  return `${OWN_PREFIX}END-${digest(of, address, port)}`;
}
