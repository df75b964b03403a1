/** Which routes and devices this node needs, from the Node objects and this machine's links. */
import { isIPv4 } from 'node:net';
import { NODE_NAMES } from '../../../contracts/agent/places.ts';
import type { ClusterSpec, Node } from '../../../contracts/objects/index.ts';
import { internalIP } from '../../../contracts/objects/node-address.ts';
import { parseAddress, canonicalRange, nthAddress, parseRange, rangeHas } from '../../../contracts/ipv4.ts';
import { VXLAN_OVERHEAD, type Link, type Route, type VxlanPeer, type WantedRouting } from './model.ts';

export interface RoutingInput {
  /** Name of this node. */
  readonly node: string;
  readonly nodes: readonly Node[];
  readonly network: ClusterSpec['network'];
  readonly links: readonly Link[];
}

const DEFAULT_MTU = 1500;

/** Another node that has both an address and a pod range. */
interface Peer {
  readonly name: string;
  readonly address: string;
  readonly podRange: string;
  /** Name of the local link that reaches it directly. */
  readonly link: string | undefined;
}

/**
 * The wanted routing. Pure; routes ordered by destination, peers by outer address. A node without address or pod range
 * is left out until it has both, as are nodes that claim this node's own range.
 */
export function wantRouting({ node, nodes, network, links }: RoutingInput): WantedRouting {
  const self = nodes.find((n) => n.metadata.name === node);
  const ownAddress = self && internalIP(self);
  const ownRange = self?.spec.podCIDR === undefined ? undefined : canonicalRange(self.spec.podCIDR);
  const usable = links.filter((l) => l.up && l.name !== 'lo' && l.name !== NODE_NAMES.vxlanDevice);
  const peers = findPeers(nodes, node, ownRange, usable);
  const linkMtu = usable.find((l) => l.addresses.some((a) => a.address === ownAddress))?.mtu ?? DEFAULT_MTU;
  const overlaid = overlaidPeers(peers, network.overlay);
  const overlay =
    ownAddress !== undefined && ownRange !== undefined && overlaid.length > 0 ? { ownAddress, ownRange } : undefined;
  const podMtu = overlay ? linkMtu - VXLAN_OVERHEAD : linkMtu;

  const routes: Route[] = [serviceRoute(network.serviceCIDR, ownAddress, links, podMtu)];
  // More specific routes lead to the pods that exist; what is left of the range must not follow the default route out
  // and back.
  if (ownRange !== undefined) routes.push({ destination: ownRange, type: 'blackhole' });
  if (network.overlay === 'auto') {
    for (const peer of peers) {
      if (peer.link !== undefined)
        routes.push({ destination: peer.podRange, type: 'unicast', via: peer.address, device: peer.link });
    }
  }
  const vxlanPeers = overlaid.map((p): VxlanPeer => ({
    outer: p.address,
    inner: nthAddress(p.podRange, 0),
    mac: overlayMac(p.address),
  }));
  if (overlay) {
    for (const peer of overlaid) {
      routes.push({
        destination: peer.podRange,
        type: 'unicast',
        via: nthAddress(peer.podRange, 0),
        device: NODE_NAMES.vxlanDevice,
        onlink: true,
        source: nthAddress(overlay.ownRange, 0),
      });
    }
  }
  return {
    routes: routes.sort((a, b) => (a.destination < b.destination ? -1 : Number(a.destination > b.destination))),
    vxlan: overlay && {
      device: {
        name: NODE_NAMES.vxlanDevice,
        id: network.vxlan.id,
        port: network.vxlan.port,
        local: overlay.ownAddress,
        mac: overlayMac(overlay.ownAddress),
        mtu: podMtu,
        address: nthAddress(overlay.ownRange, 0),
      },
      peers: vxlanPeers,
    },
    sysctls: {
      'net/ipv4/ip_forward': '1',
      // Loose: a peer may answer through the overlay what it was asked over the plain link (Linux ip-sysctl,
      // rp_filter).
      ...(overlay && { [`net/ipv4/conf/${NODE_NAMES.vxlanDevice}/rp_filter`]: '2' }),
    },
    podMtu,
  };
}

function findPeers(nodes: readonly Node[], self: string, ownRange: string | undefined, links: readonly Link[]): Peer[] {
  const taken = new Set(ownRange === undefined ? [] : [ownRange]);
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
    peers.push({ name: node.metadata.name, address, podRange, link: link?.name });
  }
  return peers.sort((a, b) => parseAddress(a.address) - parseAddress(b.address));
}

function overlaidPeers(peers: readonly Peer[], overlay: ClusterSpec['network']['overlay']): readonly Peer[] {
  switch (overlay) {
    case 'none':
      return [];
    case 'vxlan':
      return peers;
    case 'auto':
      return peers.filter((p) => p.link === undefined);
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
