/** Ports of the node that pods take. Free of schemas: a node agent uses it. */
import { lastingContainers } from './pod-containers.ts';
import type { Pod } from './pod.ts';

/** A port of the node that a pod takes. */
export interface HostPort {
  /** `TCP/80`. */
  readonly port: string;
  /** The address at which it is taken; undefined for all. */
  readonly address: string | undefined;
}

/**
 * Ports of the node that a pod takes, each once. A pod in the host's network takes all its container ports. Those of
 * init containers take nothing: nothing forwards to them. Source: kube-scheduler, util.GetHostPorts and HostPortInfo.
 */
export function hostPortsOf(pod: Pod): readonly HostPort[] {
  const taken = new Map<string, HostPort>();
  for (const { protocol, hostPort, hostIP, containerPort } of lastingContainers(pod.spec).flatMap(
    (container) => container.ports ?? [],
  )) {
    const number = hostPort ?? (pod.spec.hostNetwork ? containerPort : undefined);
    if (number === undefined) continue;
    const address = hostIP === ALL_ADDRESSES ? undefined : hostIP;
    taken.set(`${protocol}/${number}@${address ?? ''}`, { port: `${protocol}/${number}`, address });
  }
  return [...taken].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, port]) => port);
}

const ALL_ADDRESSES = '0.0.0.0';

/** Whether both cannot be on one node: an address of its own clashes with itself and with all. */
export function portsClash(a: HostPort, b: HostPort): boolean {
  return a.port === b.port && (a.address === undefined || b.address === undefined || a.address === b.address);
}
