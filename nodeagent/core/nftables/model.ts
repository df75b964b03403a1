/**
 * The model of our nftables table: plain data that is compared, rendered to `nft` text and interpreted by tests.
 * Names are those of the kernel: chain, set, map, element, verdict.
 */

import type { Protocol, Target } from '../data-plane/plan.ts';
import type { Ends, Span } from '../data-plane/policy/plan.ts';

export interface Hook {
  readonly type: 'nat' | 'filter';
  readonly hook: 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting';
  /** Lower runs earlier; -100 is destination NAT, 0 filter, 100 source NAT. */
  readonly priority: number;
}

export type Side = 'source' | 'destination';

/** Which new connections a `reject` rule refuses. */
export type RejectMatch =
  | { readonly what: 'range'; readonly cidr: string }
  | { readonly what: 'services'; readonly set: string }
  /** To an address of `set`, but for ICMP. */
  | { readonly what: 'addresses'; readonly set: string }
  | { readonly what: 'node-ports'; readonly set: string };

export type Rule =
  | { readonly kind: 'jump'; readonly chain: string }
  /** Jump for packets that a Service chain has marked. */
  | { readonly kind: 'jump-marked'; readonly chain: string }
  /** Verdict map by (destination, protocol, destination port). */
  | { readonly kind: 'dispatch-services'; readonly map: string }
  /** The same for packets to an address of this machine, loopback too. */
  | { readonly kind: 'dispatch-host-ports'; readonly map: string }
  /** Verdict map by (protocol, destination port) for packets to an address of this machine, loopback left out. */
  | { readonly kind: 'dispatch-node-ports'; readonly map: string }
  /**
   * Marks the packet and sends it to one of `targets`, each as likely; never empty. With `oneIn` it takes only one packet
   * in so many, and leaves the others to the next rules.
   */
  | {
      readonly kind: 'balance';
      readonly protocol: Protocol;
      readonly targets: readonly Target[];
      readonly oneIn?: number;
    }
  /** Goes to `chain` when the client's address is in `set`. */
  | { readonly kind: 'stick'; readonly set: string; readonly chain: string }
  /** Goes to one of `chains`, each as likely; never empty. `oneIn` as above. */
  | { readonly kind: 'choose'; readonly chains: readonly string[]; readonly oneIn?: number }
  /** Puts the client's address into `set` (or renews it), marks the packet and sends it to `target`. */
  | { readonly kind: 'remember'; readonly protocol: Protocol; readonly set: string; readonly target: Target }
  /** Goes to `chain` when the client is a pod; `pods` is their range. */
  | { readonly kind: 'from-pods'; readonly pods: string; readonly chain: string }
  /** Goes to `chain` when the client is this machine. */
  | { readonly kind: 'from-machine'; readonly chain: string }
  /** Goes to `chain` when the client's address is in one of `ranges`; never empty, and none meets another. */
  | { readonly kind: 'admit'; readonly ranges: readonly string[]; readonly chain: string }
  /** Marks the packet, and its connection for all packets after it: IPVS takes it. */
  | { readonly kind: 'lead' }
  /** Marks what clients send in a connection that was marked: it goes where its first packet went. */
  | { readonly kind: 'lead-again' }
  /** Ends the chain for what is marked. */
  | { readonly kind: 'pass-marked' }
  /** Ends the chain for what this machine sends of its own. */
  | { readonly kind: 'pass-own' }
  | { readonly kind: 'unmark' }
  /** Masquerades what leaves for the very pod it came from. `set` has (address, address) pairs. */
  | { readonly kind: 'masquerade-hairpin'; readonly set: string }
  /** Masquerades what neither comes from nor goes to the pods of this node; everything while `local` is unknown. */
  | { readonly kind: 'masquerade-transit'; readonly local: string | undefined }
  /** Masquerades what this node's pods send to addresses that are neither pods nor nodes. */
  | { readonly kind: 'masquerade-egress'; readonly local: string; readonly pods: string; readonly nodes: string }
  /**
   * Gives what this machine sends to a loopback address in `set` (address, protocol, port) the source `address` instead
   * of 127.0.0.1, and `restore-loopback` gives the answers their destination back: nothing with a loopback address ever
   * leaves by a device.
   */
  | { readonly kind: 'lend-address'; readonly set: string; readonly address: string }
  | { readonly kind: 'restore-loopback' }
  /** Drops UDP packets to `port` of this machine from addresses that are not in `set`. */
  | { readonly kind: 'drop-strangers'; readonly port: number; readonly set: string }
  /**
   * Drops what begins at `address` on this machine and goes to pods (`pods`) that are not its own (`local`), but for what
   * the user of this number sends.
   */
  | {
      readonly kind: 'drop-borrowed';
      readonly address: string;
      readonly pods: string;
      readonly local: string;
      readonly user: number | undefined;
    }
  /**
   * Drops UDP packets to a port of one address that come over one link faster than this; loopback's pass. `set` counts by
   * link: a source address can be forged.
   */
  | {
      readonly kind: 'limit-link';
      readonly address: string;
      readonly port: number;
      readonly set: string;
      readonly perSecond: number;
    }
  /** Drops first packets from a pod's link whose source is not what is behind that link. */
  | { readonly kind: 'drop-forged' }
  /** Ends the chain for packets of connections that exist, and for what belongs to them. */
  | { readonly kind: 'pass-known' }
  /** Ends the chain for what goes to the very pod it came from. `set` has (address, address) pairs. */
  | { readonly kind: 'pass-hairpin'; readonly set: string }
  /** Jump for packets to one address. */
  | { readonly kind: 'jump-to'; readonly address: string; readonly chain: string }
  /** Verdict map by one address. */
  | { readonly kind: 'dispatch-address'; readonly side: Side; readonly map: string }
  /** Returns where the address of that side, and the destination port, are among these; without `protocol` at any port. */
  | {
      readonly kind: 'allow';
      readonly side: Side;
      readonly ends: Ends;
      readonly protocol?: Protocol;
      readonly ports?: readonly Span[];
    }
  /** Returns where (destination, protocol, port) is in `set`, and the destination is among these. */
  | { readonly kind: 'allow-named'; readonly ends: Ends; readonly set: string }
  /** Drops a new connection without an answer; without `match` whatever comes here. */
  | { readonly kind: 'drop'; readonly match?: RejectMatch }
  /** Refuses a new connection at once: TCP by reset, everything else by ICMP port unreachable. */
  | { readonly kind: 'reject'; readonly protocol: 'TCP' | 'other'; readonly match: RejectMatch };

export interface Chain {
  readonly name: string;
  /** Absent for a chain that is only reached from others. */
  readonly hook?: Hook;
  /** Never changes for one name: the kernel cannot change it. */
  readonly comment?: string;
  readonly rules: readonly Rule[];
}

/** A set or verdict map. Everything but its elements is fixed by its name. */
export interface Container {
  readonly name: string;
  readonly kind: 'set' | 'verdict-map';
  /** `address`: of the table's family. */
  readonly key: readonly ('address' | 'inet_proto' | 'inet_service' | 'iface_index')[];
  /** Set: elements come from packets and leave after this many seconds without one. */
  readonly timeoutSeconds?: number;
  readonly comment?: string;
}

/** An element that somebody claims; `chain` is the verdict (`goto`) in a verdict map. */
export interface Element {
  readonly container: string;
  /** As nft writes it: `10.96.0.1 . tcp . 80`. */
  readonly key: string;
  readonly chain?: string;
}

/**
 * What one owner contributes to the table: a Service or a pod with host ports, by its object key, or the table's frame.
 */
export interface Fragment {
  readonly chains: readonly Chain[];
  readonly containers: readonly Container[];
  readonly elements: readonly Element[];
}

/** One change to the table. A list of them is applied in one transaction. */
export type Command =
  /** Whatever was there is gone; an empty table is there. */
  | { readonly do: 'replace-table' }
  | { readonly do: 'add-container'; readonly container: Container }
  | { readonly do: 'add-chain'; readonly chain: Omit<Chain, 'rules'> }
  /** The chain's rules become these. `fresh`: it was added in this transaction and is empty. */
  | { readonly do: 'set-rules'; readonly chain: string; readonly fresh: boolean; readonly rules: readonly Rule[] }
  | { readonly do: 'delete-elements'; readonly container: string; readonly elements: readonly Element[] }
  /** Whole, as nft has to read the table to learn what a set is that is named alone. */
  | { readonly do: 'add-elements'; readonly container: Container; readonly elements: readonly Element[] }
  | { readonly do: 'delete-chain'; readonly chain: string }
  | { readonly do: 'delete-container'; readonly container: string };

/** Packet mark bit of what a Service chain has redirected; set and cleared within one pass through the machine. */
export const SERVICE_MARK = 0x2000;

export const CHAINS = {
  prerouting: 'prerouting',
  output: 'output',
  postrouting: 'postrouting',
  filterInput: 'filter-input',
  filterForward: 'filter-forward',
  filterOutput: 'filter-output',
  loopbackOut: 'loopback-out',
  loopbackIn: 'loopback-in',
  overlayGuard: 'overlay-guard',
  services: 'services',
  fromService: 'from-service',
  rejectServices: 'reject-services',
  rejectNodePorts: 'reject-node-ports',
  led: 'led',
  ledAgain: 'led-again',
  ledOut: 'led-out',
} as const;

export const CONTAINERS = {
  serviceIps: 'service-ips',
  nodePorts: 'service-nodeports',
  hostPorts: 'host-ports',
  hostPortsAnywhere: 'host-ports-anywhere',
  loopbackPorts: 'loopback-ports',
  hairpin: 'hairpin',
  nodeAddresses: 'node-addresses',
  deadServices: 'no-endpoint-services',
  deadNodePorts: 'no-endpoint-nodeports',
  silentServices: 'silent-services',
  silentNodePorts: 'silent-nodeports',
  closedAddresses: 'closed-addresses',
  nameAskers: 'name-askers',
} as const;
