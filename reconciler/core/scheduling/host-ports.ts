/** Ports of nodes that pods take. */
import type { Pod } from '../../../contracts/objects/index.ts';
import { addTo } from './columns.ts';

/** A port of the node that a pod takes. */
export interface HostPort {
  /** `TCP/80`. */
  readonly port: string;
  /** The address at which it is taken; undefined for all. */
  readonly address: string | undefined;
}

/**
 * Ports of the node that a pod takes, each once. A pod in the host's network takes all its container ports. Those of init containers take
 * nothing: nothing forwards to them. Source: kube-scheduler, util.GetHostPorts and HostPortInfo.
 */
export function hostPortsOf(pod: Pod): readonly HostPort[] {
  const taken = new Map<string, HostPort>();
  for (const { protocol, hostPort, hostIP, containerPort } of pod.spec.containers.flatMap((container) => container.ports ?? [])) {
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

/** The ports that are taken on one node. */
export class TakenPorts {
  /** How many pods take `TCP/80` at any address, `TCP/80@` at all, `TCP/80@198.18.0.1` at that one. */
  readonly #counts = new Map<string, number>();

  count(ports: readonly HostPort[], by: 1 | -1): void {
    for (const { port, address } of ports) {
      addTo(this.#counts, port, by);
      addTo(this.#counts, `${port}@${address ?? ''}`, by);
    }
  }

  has({ port, address }: HostPort): boolean {
    return address === undefined ? this.#counts.has(port) : this.#counts.has(`${port}@`) || this.#counts.has(`${port}@${address}`);
  }
}
