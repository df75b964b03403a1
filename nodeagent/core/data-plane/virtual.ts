/** Which connections a virtual server of the kernel (IPVS) can take: it knows one address and one port, and no clients. */
import type { Forwarding, Frontend } from './plan.ts';

/** A frontend that IPVS may have. */
export type VirtualFrontend = Extract<Frontend, { readonly address: string }>;

/**
 * Addresses that are no machine's: those of Services, and of load balancers. Not where pods and strangers are led apart, and
 * not while there is no target. Ports of the machine stay nftables': they have no address of their own.
 */
export function isVirtual(forwarding: Forwarding, frontend: Frontend): boolean {
  if (forwarding.targets.length === 0 || forwarding.insiders !== undefined) return false;
  return isVirtualAddress(frontend);
}

/** The same, whoever is there. */
export function isVirtualAddress(frontend: Frontend): frontend is VirtualFrontend {
  return frontend.at === 'service-address' || (frontend.at === 'external-address' && frontend.guarded);
}
