/** Which routes and devices this node needs, from the Node objects and this machine's links. */
import { isIPv4 } from 'node:net';
import { CLUSTER_DNS, NODE_NAMES } from '../../../contracts/agent/places.ts';
import type { ClusterSpec, Node } from '../../../contracts/objects/index.ts';
import { internalIP, internalIPOf } from '../../../contracts/objects/node-address.ts';
import { parseAddress, canonicalRange, nthAddress, parseRange, rangeHas } from '../../../contracts/ipv4.ts';
import { canonicalCidr, cidrHas, nthOf } from '../../../contracts/ip.ts';
import { familyNetwork, podRangeOf } from '../../../contracts/objects/network-families.ts';
import {
  VXLAN_OVERHEAD,
  WIREGUARD_OVERHEAD,
  type Link,
  type Route,
  type VxlanPeer,
  type WantedRouting,
} from './model.ts';
import { isForeign } from '../data-plane/network.ts';
import { wireGuardPeers, type KeyedPeer } from './wireguard.ts';

export interface RoutingInput {
  /** Name of this node. */
  readonly node: string;
  readonly nodes: readonly Node[];
  readonly network: ClusterSpec['network'];
  readonly links: readonly Link[];
  /** Addresses of load balancers that this machine holds. */
  readonly held?: readonly string[];
  /** There is a WireGuard device with this machine's key; false when absent. */
  readonly hasWireGuard?: boolean;
}

const DEFAULT_MTU = 1500;
/** Devices by which no other machine is reached directly. */
const NO_WAY_OUT: readonly string[] = ['lo', NODE_NAMES.vxlanDevice, NODE_NAMES.wireguardDevice];

/** Another node that has both an address and a pod range. */
interface Peer {
  readonly name: string;
  readonly address: string;
  readonly podRange: string;
  /** Name of the local link that reaches it directly. */
  readonly link: string | undefined;
  readonly publicKey: string | undefined;
  readonly addressIPv6: string | undefined;
  /** The same of IPv6: where the cluster has that. */
  readonly second?: {
    readonly podRange: string;
    /** Where a link of this machine's reaches it directly. */
    readonly direct: { readonly address: string; readonly link: string } | undefined;
  };
}

/**
 * The wanted routing. Pure; routes ordered by destination, peers by outer address. A node without address or pod range
 * is left out until it has both, as are nodes that claim this node's own range. Where all is to be encrypted, the way to a
 * node that nothing can be encrypted for is shut.
 */
export function wantRouting({
  node,
  nodes,
  network,
  links,
  held = [],
  hasWireGuard = false,
}: RoutingInput): WantedRouting {
  const self = nodes.find((n) => n.metadata.name === node);
  const ownAddress = self && internalIP(self);
  // Of a plugin's network nothing is ours, not even what is left of the range.
  const isPlugins = isForeign(network);
  const ownRange = isPlugins || self?.spec.podCIDR === undefined ? undefined : canonicalRange(self.spec.podCIDR);
  const usable = links.filter((l) => l.up && !NO_WAY_OUT.includes(l.name));
  const peers = isPlugins ? [] : findPeers(nodes, node, ownRange, usable, network);
  const second = self && familyNetwork(network, 'IPv6');
  const ownSecond = second && !isPlugins ? podRangeOf(self, network, 'IPv6') : undefined;
  const linkMtu = usable.find((l) => l.addresses.some((a) => a.address === ownAddress))?.mtu ?? DEFAULT_MTU;
  const isEncrypted = network.overlay === 'wireguard';
  const canEncrypt = hasWireGuard && ownAddress !== undefined && ownRange !== undefined;
  const isShut = ({ publicKey }: Peer): boolean => isEncrypted && (!canEncrypt || publicKey === undefined);
  const reached = peers.filter((peer) => !isShut(peer));
  const overlaid = overlaidPeers(reached, network.overlay, ({ link }) => link !== undefined);
  const overlaidSecond = overlaidPeers(
    ownSecond === undefined ? [] : reached.filter((peer) => peer.second),
    network.overlay,
    (peer) => peer.second?.direct !== undefined,
  );
  const behind = peers.filter((peer) => overlaid.includes(peer) || overlaidSecond.includes(peer));
  const overlay =
    ownAddress !== undefined && ownRange !== undefined && behind.length > 0 ? { ownAddress, ownRange } : undefined;
  const vxlan = isEncrypted ? undefined : overlay;
  const podMtu = isEncrypted ? linkMtu - WIREGUARD_OVERHEAD : overlay ? linkMtu - VXLAN_OVERHEAD : linkMtu;
  const lead = (range: string, source: string): Route => ({
    destination: range,
    type: 'unicast',
    ...(isEncrypted
      ? { device: NODE_NAMES.wireguardDevice }
      : { via: nthOf(range, 0), device: NODE_NAMES.vxlanDevice, onlink: true }),
    source,
  });

  const routes: Route[] = [serviceRoute(network.serviceCIDR, ownAddress, links, podMtu), ...ownAddressRoutes(held)];
  // More specific routes lead to the pods that exist; what is left of the range must not follow the default route out
  // and back.
  if (ownRange !== undefined) routes.push({ destination: ownRange, type: 'blackhole' });
  if (network.overlay === 'auto') {
    for (const peer of peers) {
      if (peer.link !== undefined)
        routes.push({ destination: peer.podRange, type: 'unicast', via: peer.address, device: peer.link });
    }
  }
  const vxlanPeers = behind.map((p): VxlanPeer => ({
    outer: p.address,
    inner: nthAddress(p.podRange, 0),
    ...(p.second && overlaidSecond.includes(p) && { innerIPv6: nthOf(p.second.podRange, 0) }),
    mac: overlayMac(p.address),
  }));
  if (overlay) {
    for (const peer of overlaid) routes.push(lead(peer.podRange, nthAddress(overlay.ownRange, 0)));
  }
  for (const { podRange, second: other } of peers.filter(isShut)) {
    routes.push({ destination: podRange, type: 'blackhole' });
    if (other) routes.push({ destination: other.podRange, type: 'blackhole' });
  }
  if (second)
    routes.push(
      ...secondRoutes({
        serviceRange: second.serviceCIDR,
        ownRange: ownSecond,
        ownAddress: internalIPOf(self, 'IPv6'),
        peers: network.overlay === 'none' ? [] : reached,
        overlaid: overlay ? overlaidSecond : [],
        lead,
        links,
        mtu: podMtu,
      }),
    );
  return {
    routes: routes.sort((a, b) => (a.destination < b.destination ? -1 : Number(a.destination > b.destination))),
    vxlan: vxlan && {
      device: {
        name: NODE_NAMES.vxlanDevice,
        id: network.vxlan.id,
        port: network.vxlan.port,
        local: vxlan.ownAddress,
        mac: overlayMac(vxlan.ownAddress),
        mtu: podMtu,
        address: nthAddress(vxlan.ownRange, 0),
        ...(ownSecond !== undefined && { addressIPv6: nthOf(ownSecond, 0) }),
      },
      peers: vxlanPeers,
    },
    ...(isEncrypted &&
      hasWireGuard &&
      ownRange !== undefined && {
        wireguard: {
          device: {
            name: NODE_NAMES.wireguardDevice,
            port: network.wireguard.port,
            mtu: podMtu,
            addresses: [nthAddress(ownRange, 0), ...(ownSecond === undefined ? [] : [nthOf(ownSecond, 0)])],
          },
          peers: wireGuardPeers(overlaid.flatMap(keyedPeer), network.wireguard),
        },
      }),
    sysctls: {
      'net/ipv4/ip_forward': '1',
      // Loose: a peer may answer through the overlay what it was asked over the plain link (Linux ip-sysctl,
      // rp_filter).
      ...(vxlan && { [`net/ipv4/conf/${NODE_NAMES.vxlanDevice}/rp_filter`]: '2' }),
      ...(isEncrypted && hasWireGuard && { [`net/ipv4/conf/${NODE_NAMES.wireguardDevice}/rp_filter`]: '2' }),
      // In this order: what a device learned of its way out is forgotten as soon as it forwards.
      ...(second && {
        ...Object.fromEntries(
          usable
            .filter(({ name }) => !name.startsWith('veth'))
            .map(({ name }) => [`net/ipv6/conf/${name}/accept_ra`, '2']),
        ),
        'net/ipv6/conf/all/forwarding': '1',
      }),
    },
    podMtu,
  };
}

/** Of the addresses that the machine has without a device: that of DNS, and what it holds of load balancers. */
export function ownAddressRoutes(held: readonly string[]): Route[] {
  // By such a route the kernel answers ARP for an address, at every device.
  return [CLUSTER_DNS.address, ...held].map((address) => ({
    destination: `${address}/32`,
    type: 'local',
    device: 'lo',
  }));
}

/** Of the routes that the machine has: the addresses of load balancers among them. */
export function heldBefore(present: readonly Route[]): readonly string[] {
  const addresses = present
    .filter(({ type }) => type === 'local')
    .map(({ destination }) => destination.split('/')[0] ?? '');
  return addresses.filter((address) => address !== CLUSTER_DNS.address);
}

function findPeers(
  nodes: readonly Node[],
  self: string,
  ownRange: string | undefined,
  links: readonly Link[],
  network: ClusterSpec['network'],
): Peer[] {
  const taken = new Set(ownRange === undefined ? [] : [ownRange]);
  const keys = new Set<string>();
  for (const { metadata, status } of nodes)
    if (metadata.name === self && status?.wireguard) keys.add(status.wireguard.publicKey);
  const peers: Peer[] = [];
  for (const node of [...nodes].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))) {
    const address = internalIP(node);
    if (node.metadata.name === self || node.spec.podCIDR === undefined || address === undefined || !isIPv4(address))
      continue;
    const podRange = canonicalRange(node.spec.podCIDR);
    if (taken.has(podRange)) continue;
    taken.add(podRange);
    const link = links.find((l) =>
      l.addresses.some((a) => rangeHas(parseRange(`${a.address}/${a.prefixLength}`), address)),
    );
    peers.push({
      name: node.metadata.name,
      address,
      podRange,
      link: link?.name,
      publicKey: ownKeyOf(node, keys),
      addressIPv6: internalIPOf(node, 'IPv6'),
      ...secondOf(node, links, network),
    });
  }
  return peers.sort((a, b) => parseAddress(a.address) - parseAddress(b.address));
}

/** One key is one peer: of two nodes that have the same, the first. */
function ownKeyOf({ status }: Node, taken: Set<string>): string | undefined {
  const key = status?.wireguard?.publicKey;
  if (key === undefined || taken.has(key)) return undefined;
  taken.add(key);
  return key;
}

function keyedPeer({ publicKey, address, addressIPv6, podRange, second }: Peer): KeyedPeer[] {
  return publicKey === undefined
    ? []
    : [{ publicKey, address, addressIPv6, podRanges: [podRange, ...(second ? [second.podRange] : [])] }];
}

function secondOf(node: Node, links: readonly Link[], network: ClusterSpec['network']): Pick<Peer, 'second'> {
  const podRange = podRangeOf(node, network, 'IPv6');
  if (podRange === undefined) return {};
  const address = internalIPOf(node, 'IPv6');
  const link =
    address === undefined
      ? undefined
      : links.find(({ addressesIPv6 = [] }) =>
          addressesIPv6.some((own) => cidrHas(`${own.address}/${own.prefixLength}`, address)),
        );
  return { second: { podRange, direct: address !== undefined && link ? { address, link: link.name } : undefined } };
}

/** As the routes of IPv4: to Services, to what is left of the own range, and to peers, by a link or the overlay. */
function secondRoutes({
  serviceRange,
  ownRange,
  ownAddress,
  peers,
  overlaid,
  lead,
  links,
  mtu,
}: {
  readonly serviceRange: string;
  readonly ownRange: string | undefined;
  readonly ownAddress: string | undefined;
  readonly peers: readonly Peer[];
  readonly overlaid: readonly Peer[];
  /** By the overlay to a range. */
  readonly lead: (range: string, source: string) => Route;
  readonly links: readonly Link[];
  readonly mtu: number;
}): Route[] {
  const isHere = links.some(({ addressesIPv6 = [] }) => addressesIPv6.some(({ address }) => address === ownAddress));
  const source = isHere ? ownAddress : undefined;
  const routes: Route[] = [
    { destination: canonicalCidr(serviceRange), type: 'unicast', device: 'lo', mtu, ...(source && { source }) },
  ];
  if (ownRange === undefined) return routes;
  routes.push({ destination: ownRange, type: 'blackhole' });
  for (const peer of peers) {
    if (!peer.second) continue;
    const { podRange, direct } = peer.second;
    if (overlaid.includes(peer)) routes.push(lead(podRange, nthOf(ownRange, 0)));
    else if (direct) routes.push({ destination: podRange, type: 'unicast', via: direct.address, device: direct.link });
  }
  return routes;
}

function overlaidPeers(
  peers: readonly Peer[],
  overlay: ClusterSpec['network']['overlay'],
  isDirect: (peer: Peer) => boolean,
): readonly Peer[] {
  switch (overlay) {
    case 'none':
    case 'cni':
      return [];
    case 'vxlan':
    case 'wireguard':
      return peers;
    case 'auto':
      return peers.filter((peer) => !isDirect(peer));
  }
}

/**
 * Service addresses exist nowhere: a packet is redirected before it leaves. A machine without a default route would
 * refuse to make the packet at all, so the range gets a route; through `lo`, as nothing may ever leave by it.
 */
function serviceRoute(
  serviceRange: string,
  ownAddress: string | undefined,
  links: readonly Link[],
  mtu: number,
): Route {
  const local = ownAddress !== undefined && links.some((l) => l.addresses.some((a) => a.address === ownAddress));
  return {
    destination: canonicalRange(serviceRange),
    type: 'unicast',
    device: 'lo',
    mtu,
    ...(local && { source: ownAddress }),
  };
}

/**
 * The MAC of a node's overlay device, from its address: every node knows every other's without asking. Locally
 * administered, unicast.
 */
export function overlayMac(address: string): string {
  return ['f6', '70', ...address.split('.').map((octet) => Number(octet).toString(16).padStart(2, '0'))].join(':');
}
