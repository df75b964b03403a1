/** The pods' network as data. */
import type { PodBandwidth } from '../../../contracts/objects/pod-bandwidth.ts';
import type { Reservation } from '../../core/cni/reservations.ts';
import type { PodNetwork } from '../../ports/pod-network.ts';

export interface MemoryPodNetwork extends PodNetwork {
  reserve(reservation: Reservation): void;
  /** A process lives at that address. */
  occupy(address: string): void;
  /** By address. */
  readonly limits: ReadonlyMap<string, PodBandwidth>;
}

export function memoryPodNetwork(): MemoryPodNetwork {
  const byAddress = new Map<string, Reservation>();
  const occupied = new Set<string>();
  const limits = new Map<string, PodBandwidth>();
  return {
    limits,
    limit: (address, rates) => Promise.resolve(void limits.set(address, rates)),
    removeStaleLimits: () => Promise.resolve(),
    reserve: (reservation) => void byAddress.set(reservation.address, reservation),
    occupy: (address) => void occupied.add(address),
    reservations: () => Promise.resolve([...byAddress.values()]),
    release({ address, sandboxId }) {
      if (occupied.has(address)) return Promise.resolve('in use');
      if (byAddress.get(address)?.sandboxId === sandboxId) byAddress.delete(address);
      return Promise.resolve('released');
    },
  };
}
