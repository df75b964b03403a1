/** The model of our chains in iptables' table `nat`: plain data that is compared, rendered and interpreted by tests. */
import { NODE_NAMES } from '../../../contracts/agent/places.ts';
import type { Protocol, Target } from '../data-plane/plan.ts';

/** What becomes of a packet that a rule matches. */
export type Action =
  /** On to a chain, never back: at its end the packet leaves the hook's rules of ours. */
  | { readonly do: 'go'; readonly chain: string }
  /** Sets {@link SERVICE_MARK}'s bit, by which nftables knows what to masquerade; goes on with the next rule. */
  | { readonly do: 'mark' }
  | { readonly do: 'send'; readonly target: Target };

/** Matches where all that is given does; without anything every packet. */
export interface Rule {
  /** Range that the source is in. */
  readonly from?: string;
  /** Range that the destination is in. */
  readonly to?: string;
  /** Range that the destination is not in. */
  readonly notTo?: string;
  readonly protocol?: Protocol;
  /** Destination port; only with `protocol`. */
  readonly port?: number;
  /** From, or to, an address of this machine. */
  readonly machine?: 'from' | 'to';
  /** Takes one packet in so many. */
  readonly oneIn?: number;
  /**
   * A list of the kernel's, of clients: `seen` matches who is in it since at most `seconds`, `remember` always matches and puts
   * the client in, or anew.
   */
  readonly client?:
    | { readonly do: 'seen'; readonly list: string; readonly seconds: number }
    | { readonly do: 'remember'; readonly list: string };
  /** For people. */
  readonly comment?: string;
  readonly action: Action;
}

export interface Chain {
  readonly name: string;
  readonly rules: readonly Rule[];
}

/** What one owner, a Service or a pod with host ports, contributes. */
export interface Part {
  /** Chains of its own. */
  readonly chains: readonly Chain[];
  /** Rules of the chains that lead to them. */
  readonly entries: Entries;
}

/** In the order in which they are asked. Where two rules match one packet the first has it. */
export interface Entries {
  /** By the destination's address. */
  readonly addresses: readonly Rule[];
  /** Of packets to this machine, by address and port. */
  readonly hostPorts: readonly Rule[];
  /** The same at every address but loopback. */
  readonly anywhere: readonly Rule[];
  /** As `anywhere`, after it. */
  readonly nodePorts: readonly Rule[];
}

/** Every name of ours begins so. */
export const OWN_PREFIX = NODE_NAMES.iptablesPrefix;

export const CHAINS = {
  /** What the hooks jump to. */
  services: `${OWN_PREFIX}SERVICES`,
  /** Packets to this machine. */
  machine: `${OWN_PREFIX}MACHINE`,
  /** Those to an address that is none of loopback. */
  anywhere: `${OWN_PREFIX}ANYWHERE`,
  /** Carries the generation, as the comment of its one rule; no packet ever gets there. */
  generation: `${OWN_PREFIX}GENERATION`,
} as const;

/** Chains of iptables' own that packets of new connections begin in. */
export const HOOKS = ['PREROUTING', 'OUTPUT'] as const;
