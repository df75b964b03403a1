/** Tries what the network answers, from this machine or from a pod of it. */
import type { NetworkProbe, NetworkProbeResult } from '../../contracts/agent/index.ts';

export type Reached = Omit<NetworkProbeResult, 'ms'>;

export interface Reach {
  /**
   * Opens a TCP connection and ends it, without a word. Never rejects: `silent` when the signal aborts first.
   */
  connect(
    to: Pick<Extract<NetworkProbe, { ask: 'connect' }>, 'address' | 'port'>,
    signal: AbortSignal,
  ): Promise<Reached>;
  /** Asks the node's own server for the name's IPv4 addresses. Never rejects. */
  resolve(name: string, signal: AbortSignal): Promise<Reached>;
}

/**
 * Tries all of these in the network namespace of that path, by a program of its own that ends with them; one result for each,
 * in order. Rejects where it could not be run, or did not say.
 */
export type ReachWithin = (
  namespace: string,
  probes: readonly NetworkProbe[],
  signal: AbortSignal,
) => Promise<readonly NetworkProbeResult[]>;
