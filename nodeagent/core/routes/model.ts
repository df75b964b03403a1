/** Routes, the overlay device and what goes with it, as data: what is wanted, what is there, what to do. */

/** Routing protocol number of our routes (`proto 78` in `ip route`): routes with another one are never touched. */
export const ROUTE_PROTOCOL = 78;
/** Metric of our routes: keeps them apart from anybody's route to the same range, which then wins. */
export const ROUTE_METRIC = 78;
/** What WireGuard over IPv4 adds to a packet: IP 20, UDP 8, WireGuard 32 bytes (wireguard.com/papers, 5.4.6). */
export const WIREGUARD_OVERHEAD = 60;
/** What VXLAN over IPv4 adds to a packet: Ethernet 14, IP 20, UDP 8, VXLAN 8 bytes (RFC 7348). */
export const VXLAN_OVERHEAD = 50;

export interface Route {
  /** `10.244.1.0/24`, `fd00:10:244:1::/64`. */
  readonly destination: string;
  /** `local`: an address of this machine without a device that has it. */
  readonly type: 'unicast' | 'blackhole' | 'local';
  readonly via?: string;
  readonly device?: string;
  /** The gateway is taken to be on the device's link though no address says so. */
  readonly onlink?: boolean;
  /** Source address of what this machine itself sends there. */
  readonly source?: string;
  /** Bytes. */
  readonly mtu?: number;
}

/** One peer behind the overlay: outer address, inner address, and the MAC that stands for it. */
export interface VxlanPeer {
  readonly outer: string;
  readonly inner: string;
  /** Inner address of IPv6; absent where the peer has none, or does not need the overlay for it. */
  readonly innerIPv6?: string;
  readonly mac: string;
}

export interface VxlanDevice {
  readonly name: string;
  readonly id: number;
  readonly port: number;
  /** Outer source address. */
  readonly local: string;
  readonly mac: string;
  readonly mtu: number;
  /** The device's own address, a /32. */
  readonly address: string;
  /** The same of IPv6, a /128; absent where the cluster has none. */
  readonly addressIPv6?: string;
}

/** It is there, with this machine's key, before anything is compared. */
export interface WireGuardDevice {
  readonly name: string;
  /** UDP. */
  readonly port: number;
  readonly mtu: number;
  /** A /32, and a /128 where the cluster has IPv6. */
  readonly addresses: readonly string[];
}

/** As wg(8) names what a peer is. */
export interface WireGuardPeer {
  readonly publicKey: string;
  /** `198.18.0.2:51820`. */
  readonly endpoint: string;
  /** What it may send from, and what is sent to it; no two peers have the same. In the order of text. */
  readonly allowed: readonly string[];
  /** Seconds; 0 for none. */
  readonly keepalive: number;
}

export interface PresentWireGuard extends WireGuardDevice {
  readonly up: boolean;
  readonly peers: readonly WireGuardPeer[];
}

export interface WantedRouting {
  readonly routes: readonly Route[];
  readonly vxlan: { readonly device: VxlanDevice; readonly peers: readonly VxlanPeer[] } | undefined;
  /** At most one of the two is there. */
  readonly wireguard?: { readonly device: WireGuardDevice; readonly peers: readonly WireGuardPeer[] } | undefined;
  /** Path under /proc/sys to value. */
  readonly sysctls: Readonly<Record<string, string>>;
  /** What a pod's interface may send, bytes. */
  readonly podMtu: number;
}

export interface Link {
  readonly name: string;
  readonly up: boolean;
  readonly mtu: number;
  /** Of IPv4. */
  readonly addresses: readonly { readonly address: string; readonly prefixLength: number }[];
  /** Of IPv6, but for those that are good on this link alone. */
  readonly addressesIPv6?: readonly { readonly address: string; readonly prefixLength: number }[];
}

/** What is on the machine, as far as it concerns us. */
export interface RoutingSnapshot {
  readonly links: readonly Link[];
  /** Routes of {@link ROUTE_PROTOCOL} only, of the families that were asked for. */
  readonly routes: readonly Route[];
  readonly vxlan: PresentVxlan | undefined;
  readonly wireguard?: PresentWireGuard | undefined;
  readonly sysctls: Readonly<Record<string, string>>;
}

export interface PresentVxlan extends Omit<VxlanDevice, 'address' | 'addressIPv6'> {
  readonly up: boolean;
  readonly learning: boolean;
  readonly addresses: readonly string[];
  readonly forwarding: readonly { readonly mac: string; readonly outer: string }[];
  readonly neighbours: readonly { readonly address: string; readonly mac: string }[];
}

/** Steps of programs are their argv without the program. */
export type RoutingStep =
  | { readonly tool: 'ip' | 'bridge' | 'wg'; readonly args: readonly string[] }
  | { readonly tool: 'sysctl'; readonly path: string; readonly value: string };
