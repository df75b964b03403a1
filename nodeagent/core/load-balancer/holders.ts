/** Who holds which address of a load balancer: see README.md. */
import { createHash } from 'node:crypto';
import { poolHas } from '../../../contracts/objects/address-pools.ts';
import type {
  BGPAdvertisement,
  EndpointSlice,
  IPAddressPool,
  L2Advertisement,
  Node,
  Service,
} from '../../../contracts/objects/index.ts';
import { internalIP } from '../../../contracts/objects/node-address.ts';
import { nodeMatches } from '../../../contracts/objects/node-match.ts';
import { selectorMatches } from '../../../contracts/objects/label-match.ts';
import { loadBalancerAddresses } from '../../../contracts/objects/service-traffic.ts';
import { SERVICE_NAME_LABEL } from '../../../contracts/objects/well-known.ts';

const EXCLUDE_LABEL = 'node.kubernetes.io/exclude-from-external-load-balancers';
/** Nodes that may come to hold one address: bounds what is asked of the network when many are gone. */
const MOST_CANDIDATES = 16;

export interface Candidate {
  readonly node: string;
  /** Where the others reach it. */
  readonly address: string;
}

export interface AnnouncedAddress {
  readonly address: string;
  /** Who holds it, if none before is there. */
  readonly order: readonly Candidate[];
  /** Devices at which it is announced; none: that of the node's own address. */
  readonly devices: readonly string[];
}

export interface Balancers {
  /** Those of type LoadBalancer. */
  readonly services: readonly Service[];
  /** Slices of the services that keep connections on their node. */
  readonly slices: readonly EndpointSlice[];
  readonly pools: readonly IPAddressPool[];
  readonly advertisements: readonly L2Advertisement[];
  readonly nodes: readonly Node[];
}

/** All addresses that are announced, in order. The same on every node that has the same objects. */
export function announcedAddresses({
  services,
  slices,
  pools,
  advertisements,
  nodes,
}: Balancers): readonly AnnouncedAddress[] {
  const users = new Map<string, Service[]>();
  for (const service of services)
    for (const address of loadBalancerAddresses(service)) {
      const list = users.get(address) ?? [];
      users.set(address, list);
      list.push(service);
    }
  return [...users]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([address, of]) => {
      const pool = pools.find((one) => poolHas(one, address));
      const by = pool === undefined ? [] : advertisements.filter((one) => advertises(one, pool));
      if (by.length === 0) return [];
      const keepers = of.filter(({ spec }) => spec.externalTrafficPolicy === 'Local');
      const able = keepers.map((service) => nodesWithEndpoints(service, slices));
      const order = nodes
        .filter((node) => by.some((one) => allows(one, node)) && able.every((some) => some.has(node.metadata.name)))
        .flatMap((node): Candidate[] => {
          const at = internalIP(node);
          return at === undefined ? [] : [{ node: node.metadata.name, address: at }];
        })
        .map((candidate) => ({ candidate, rank: rank(candidate.node, address) }))
        .sort((a, b) => compare(a.rank, b.rank))
        .slice(0, MOST_CANDIDATES)
        .map(({ candidate }) => candidate);
      return [{ address, order, devices: [...new Set(by.flatMap(({ spec }) => spec.interfaces ?? []))].sort() }];
    });
}

/** Whether `self` holds the address, as far as it can tell. */
export function holds({ order }: AnnouncedAddress, self: string, isReachable: (node: string) => boolean): boolean {
  const place = order.findIndex(({ node }) => node === self);
  return place >= 0 && order.slice(0, place).every(({ node }) => !isReachable(node));
}

/** Nodes that `self` has to keep an eye on. */
export function watchedBy(self: string, all: readonly AnnouncedAddress[]): ReadonlyMap<string, string> {
  const watched = new Map<string, string>();
  for (const { order } of all) {
    const place = order.findIndex(({ node }) => node === self);
    for (const { node, address } of order.slice(0, Math.max(0, place))) watched.set(node, address);
  }
  return watched;
}

/** Whether the advertisement is about the pool. */
export function advertises({ spec }: L2Advertisement | BGPAdvertisement, pool: IPAddressPool): boolean {
  const { ipAddressPools = [], ipAddressPoolSelectors = [] } = spec;
  if (ipAddressPools.length === 0 && ipAddressPoolSelectors.length === 0) return true;
  return (
    ipAddressPools.includes(pool.metadata.name) ||
    ipAddressPoolSelectors.some((selector) => selectorMatches(selector, pool.metadata.labels))
  );
}

/** Whether an advertisement is about the address, whoever holds it. */
export function isAdvertised(
  address: string,
  pools: readonly IPAddressPool[],
  advertisements: readonly L2Advertisement[],
): boolean {
  const pool = pools.find((one) => poolHas(one, address));
  return pool !== undefined && advertisements.some((one) => advertises(one, pool));
}

function allows({ spec: { nodeSelectors } }: L2Advertisement, node: Node): boolean {
  return !isExcluded(node) && nodeMatches(node, nodeSelectors);
}

/** Whether people keep the node out of load balancing. */
export function isExcluded({ metadata }: Node): boolean {
  return metadata.labels !== undefined && EXCLUDE_LABEL in metadata.labels;
}

/** With a ready endpoint; where there is none anywhere, with one that terminates and still serves. */
export function nodesWithEndpoints({ metadata }: Service, slices: readonly EndpointSlice[]): ReadonlySet<string> {
  const own = slices
    .filter(
      (slice) =>
        slice.metadata.namespace === metadata.namespace &&
        slice.metadata.labels?.[SERVICE_NAME_LABEL] === metadata.name,
    )
    .flatMap(({ endpoints }) => endpoints);
  const ready = own.filter(({ conditions }) => conditions.ready);
  const serving = own.filter(({ conditions }) => conditions.serving);
  return new Set((ready.length > 0 ? ready : serving).flatMap(({ nodeName }) => nodeName ?? []));
}

/** Rendezvous hashing: a node that comes or goes moves only the addresses that it held, or holds now. */
function rank(node: string, address: string): string {
  return createHash('sha256').update(`${node}#${address}`).digest('hex');
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
