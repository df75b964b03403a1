/** From forwardings to the virtual servers that are wanted. */
import type { Forwarding, IpvsScheduler, PlanOwner } from '../data-plane/plan.ts';
import { isVirtual, isVirtualAddress } from '../data-plane/virtual.ts';
import { serverKey, targetKey, type ServerKey, type WantedServer } from './model.ts';

/**
 * One for each address and port that IPVS can have. Where several owners claim one, the first by name that has targets has it,
 * as in nftables' maps. One without targets is wanted for the connections that it has.
 */
export function wantedServers(
  forwardings: ReadonlyMap<PlanOwner, readonly Forwarding[]>,
  scheduler: IpvsScheduler,
): ReadonlyMap<ServerKey, WantedServer> {
  const wanted = new Map<ServerKey, WantedServer>();
  for (const [, list] of [...forwardings].sort(([a], [b]) => (a < b ? -1 : 1)))
    for (const forwarding of list)
      for (const frontend of forwarding.frontends) {
        if (!isVirtualAddress(frontend)) continue;
        const { protocol, known, affinity } = forwarding;
        const at = { protocol, address: frontend.address, port: frontend.port };
        const targets = isVirtual(forwarding, frontend) ? forwarding.targets.map(targetKey) : [];
        const key = serverKey(at);
        const first = wanted.get(key);
        if (first && (first.targets.length > 0 || targets.length === 0)) continue;
        wanted.set(key, {
          ...at,
          scheduler,
          ...(affinity && { persistentSeconds: affinity.timeoutSeconds }),
          targets,
          known,
        });
      }
  return wanted;
}
