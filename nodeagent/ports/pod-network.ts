/** What the pods' network holds for sandboxes: addresses, and the ends of cables. */
import type { PodBandwidth } from '../../contracts/objects/pod-bandwidth.ts';
import type { Reservation } from '../core/cni/reservations.ts';

export interface PodNetwork {
  /** Of our own network only, at most 4096. Empty where there is none yet. */
  reservations(signal: AbortSignal): Promise<readonly Reservation[]>;
  /**
   * Gives back the address of a sandbox that is gone, and with it the device, the route and the namespace that are left
   * of it. `in use`: a process lives at that address, or may; nothing was done then. Never takes what another sandbox
   * has meanwhile. Idempotent. `plugins`: the folder of the runtime's network plugins.
   */
  release(reservation: Reservation, plugins: string, signal: AbortSignal): Promise<'released' | 'in use'>;
  /**
   * Holds the traffic of the pod with this address to these rates, from its next packet on. Idempotent; rejects where the
   * machine cannot.
   */
  limit(address: string, rates: PodBandwidth, signal: AbortSignal): Promise<void>;
  /** Takes away what limits left of pods that are gone. Idempotent. */
  removeStaleLimits(signal: AbortSignal): Promise<void>;
}

/** Of an agent that leaves the network alone. */
export const NO_NETWORK: Pick<PodNetwork, 'limit'> = {
  limit: () => Promise.reject(new Error('this agent leaves the network of its machine alone: it limits no traffic')),
};
