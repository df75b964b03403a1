/** Virtual servers of the kernel's IPVS: plain data that is compared, rendered and used by tests. */
import type { Protocol } from '../data-plane/plan.ts';

/** `TCP 10.96.0.1 80`. */
export type ServerKey = string;

/** What is chosen for new connections, and how long a client stays with its choice. */
export interface Choice {
  /** Name of the kernel's scheduler. */
  readonly scheduler: string;
  /** Seconds of pause after which a client is forgotten; absent: each connection anew. */
  readonly persistentSeconds?: number;
}

export interface VirtualServer extends Choice {
  readonly protocol: Protocol;
  readonly address: string;
  readonly port: number;
  /** `10.244.1.5 8080` to the weight there: 1, or 0 for one that keeps its connections and gets no new ones. */
  readonly targets: ReadonlyMap<string, number>;
}

/** What is wanted of one, whatever is there. */
export interface WantedServer extends Choice {
  readonly protocol: Protocol;
  readonly address: string;
  readonly port: number;
  /** As keys of {@link VirtualServer.targets}; none: no new connections, and it is not made. */
  readonly targets: readonly string[];
  /** Addresses that may keep the connections they have. */
  readonly known: readonly string[];
}

export function serverKey({
  protocol,
  address,
  port,
}: Pick<VirtualServer, 'protocol' | 'address' | 'port'>): ServerKey {
  return `${protocol} ${address} ${port}`;
}

export function targetKey({ address, port }: { readonly address: string; readonly port: number }): string {
  return `${address} ${port}`;
}

/** The address of a target's key. */
export function addressOfTarget(key: string): string {
  return key.slice(0, key.lastIndexOf(' '));
}
