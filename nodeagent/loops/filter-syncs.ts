/** The packet filter of each address family that the cluster has, as one. */
import { familyOf, type Family } from '../../contracts/ip.ts';
import { familySettings } from '../core/data-plane/network.ts';
import type { Guards } from '../core/data-plane/policy/guards.ts';
import type { PacketFilter } from '../ports/packet-filter.ts';
import { createFilterSync, type FilterSync, type FilterSyncDeps } from './filter-sync.ts';
import type { KnownGuards } from './policy-gate.ts';

export interface FilterSyncsDeps extends Omit<FilterSyncDeps, 'family' | 'filter' | 'onGuards'> {
  readonly filters: Readonly<Record<Family, PacketFilter | undefined>> & { readonly IPv4: PacketFilter };
  /** Hears what the rules of all families guard, when all are in force. */
  readonly onGuards?: ((guards: KnownGuards | undefined) => void) | undefined;
}

/**
 * Rules of IPv4, and of IPv6 from when the cluster has that until it has not. Those of IPv6 come first: a pod is not said
 * to be guarded before it is at both of its addresses. A cluster of IPv4 alone has one packet filter, as if there was no
 * other.
 */
export function createFilterSyncs({ filters, onGuards, ...deps }: FilterSyncsDeps): FilterSync {
  const inForce = new Map<Family, Guards | undefined>();
  const syncOf = (family: Family, filter: PacketFilter): FilterSync => {
    inForce.set(family, undefined);
    return createFilterSync({
      ...deps,
      family,
      filter,
      onGuards: (guards) => {
        inForce.set(family, guards);
        const isKnown = [...inForce.values()].every((one) => one !== undefined);
        onGuards?.(
          isKnown
            ? {
                knows: (pod, uid, address) =>
                  inForce.get(familyOf(address) ?? 'IPv4')?.knows(pod, uid, address) ?? false,
              }
            : undefined,
        );
      },
    });
  };
  const first = syncOf('IPv4', filters.IPv4);
  const filter = filters.IPv6;
  let second: FilterSync | undefined;
  /** There are no rules of IPv6 that we know of; an agent before this one may have left some. */
  let isTidy = false;

  return {
    async sync(view, changed, signal) {
      if (filter && familySettings(view, 'IPv6')) {
        const isNew = second === undefined;
        isTidy = false;
        second ??= syncOf('IPv6', filter);
        await second.sync(view, isNew ? 'all' : changed, signal);
      } else if (filter && !isTidy) {
        // A kernel that knows no IPv6 has no such rules, and cannot say so.
        if (second || (await filter.present(signal).catch(() => false))) await filter.remove(signal);
        second = undefined;
        inForce.delete('IPv6');
        isTidy = true;
      }
      await first.sync(view, changed, signal);
    },
    // Packets of the overlay are of IPv4, whatever is in them.
    guardOverlay: (view, port, signal) => first.guardOverlay(view, port, signal),
    distrust() {
      first.distrust();
      second?.distrust();
    },
    async verify(signal) {
      const damaged = [await first.verify(signal), (await second?.verify(signal)) ?? false];
      return damaged.includes(true);
    },
  };
}
