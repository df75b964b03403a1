/** Which routers this node speaks to, and what it tells each: see README.md. */
import { createHash } from 'node:crypto';
import { addressBlock, canonicalRange, isAddress, parseAddress } from '../../../contracts/ipv4.ts';
import { poolHas } from '../../../contracts/objects/address-pools.ts';
import { parseCommunity, type CommunityValue } from '../../../contracts/objects/bgp-words.ts';
import type {
  BGPAdvertisement,
  BGPPeer,
  Community,
  EndpointSlice,
  IPAddressPool,
  Node,
  Service,
} from '../../../contracts/objects/index.ts';
import { selectorMatches } from '../../../contracts/objects/label-match.ts';
import { internalIP } from '../../../contracts/objects/node-address.ts';
import { nodeMatches } from '../../../contracts/objects/node-match.ts';
import { loadBalancerAddresses } from '../../../contracts/objects/service-traffic.ts';
import { DRAIN_TAINT } from '../../../contracts/objects/well-known.ts';
import { advertises, isExcluded, nodesWithEndpoints } from '../load-balancer/holders.ts';
import type { PasswordFound, PeerPassword } from './password.ts';

export interface BgpScene {
  /** This one. */
  readonly node: Node;
  /** Those of type LoadBalancer. */
  readonly services: readonly Service[];
  /** With what the node knows of its own pods. */
  slicesOf(service: Service): readonly EndpointSlice[];
  readonly pools: readonly IPAddressPool[];
  readonly advertisements: readonly BGPAdvertisement[];
  readonly communities: readonly Community[];
  readonly peers: readonly BGPPeer[];
  passwordOf(peer: BGPPeer): PasswordFound;
}

export interface BgpRoute {
  readonly prefix: string;
  /** Because of these it is announced; ordered. */
  readonly addresses: readonly string[];
  readonly localPref: number | undefined;
  /** Ordered, each once. */
  readonly communities: readonly CommunityValue[];
}

export interface BgpSession {
  /** Part of names: letters and digits. The same as long as the peer has its name. */
  readonly id: string;
  /** `namespace/name` of the BGPPeer. */
  readonly peer: string;
  readonly spec: BGPPeer['spec'];
  readonly source: string;
  readonly password: PeerPassword | undefined;
  /** Ordered by prefix. */
  readonly routes: readonly BgpRoute[];
}

export interface BgpProblem {
  readonly peer?: string;
  readonly message: string;
}

export interface BgpPlan {
  readonly routerId: string;
  /** Ordered by peer. */
  readonly sessions: readonly BgpSession[];
  readonly problems: readonly BgpProblem[];
}

/** Routers that one node speaks to, and what it tells one of them. */
const MOST_SESSIONS = 100;
const MOST_ROUTES = 10_000;

/** Undefined where the node speaks to nobody, or has no address yet. */
export function bgpPlan(scene: BgpScene): BgpPlan | undefined {
  const address = internalIP(scene.node);
  if (address === undefined || !isAddress(address)) return undefined;
  const mine = scene.peers.filter(({ spec }) => nodeMatches(scene.node, spec.nodeSelectors));
  if (mine.length === 0) return undefined;
  const problems: BgpProblem[] = [];
  const offers = offersOf(scene, problems);
  const reached = new Map<string, string>();
  const sessions: BgpSession[] = [];
  for (const peer of [...mine].sort((a, b) => compare(nameOf(a), nameOf(b)))) {
    const name = nameOf(peer);
    const source = peer.spec.sourceAddress ?? address;
    const way = `${source} ${peer.spec.peerAddress}`;
    const other = reached.get(way);
    const found = scene.passwordOf(peer);
    if (other !== undefined)
      problems.push({ peer: name, message: `speaks to ${peer.spec.peerAddress}, as BGPPeer ${other} does already` });
    else if ('problem' in found) problems.push({ peer: name, message: found.problem });
    else if (sessions.length === MOST_SESSIONS)
      problems.push({ peer: name, message: `a node speaks to at most ${MOST_SESSIONS} routers` });
    else {
      reached.set(way, name);
      const routes = routesFor(peer, offers, problems);
      sessions.push({ id: idOf(name), peer: name, spec: peer.spec, source, password: found.password, routes });
    }
  }
  return { routerId: address, sessions, problems };
}

/** All addresses that are announced to anybody; ordered. */
export function plannedAddresses(plan: BgpPlan | undefined): readonly string[] {
  const all = (plan?.sessions ?? []).flatMap(({ routes }) => routes.flatMap(({ addresses }) => addresses));
  return [...new Set(all)].sort();
}

/** The plan with routes for these addresses alone. */
export function planFor(plan: BgpPlan, isInForce: (address: string) => boolean): BgpPlan {
  return {
    ...plan,
    sessions: plan.sessions.map((session) => ({
      ...session,
      routes: session.routes.filter(({ addresses }) => addresses.some(isInForce)),
    })),
  };
}

interface Offer {
  readonly address: string;
  readonly prefix: string;
  readonly by: BGPAdvertisement;
  readonly communities: readonly CommunityValue[];
}

function offersOf(scene: BgpScene, problems: BgpProblem[]): readonly Offer[] {
  const { node } = scene;
  if (isExcluded(node) || isDrained(node)) return [];
  const values = namedCommunities(scene.communities);
  const allowed = scene.advertisements.flatMap((by) => {
    if (!nodeMatches(node, by.spec.nodeSelectors)) return [];
    const communities = communitiesOf(by, values);
    if (typeof communities === 'string') {
      problems.push({
        message: `BGPAdvertisement ${nameOf(by)} is not announced: no Community has the name ${communities}`,
      });
      return [];
    }
    return [{ by, communities }];
  });
  if (allowed.length === 0) return [];
  const offers: Offer[] = [];
  const wide = new Set<string>();
  for (const service of scene.services)
    for (const address of loadBalancerAddresses(service)) {
      const pool = scene.pools.find((one) => poolHas(one, address));
      if (pool === undefined || !hasEndpoint(service, scene)) continue;
      for (const { by, communities } of allowed) {
        if (!advertises(by, pool) || !serves(by, service)) continue;
        const { aggregationLength } = by.spec;
        if (aggregationLength < widestIn(pool, address))
          wide.add(
            `BGPAdvertisement ${nameOf(by)} is not announced for IPAddressPool ${nameOf(pool)}: /${aggregationLength} is more than the pool has`,
          );
        else offers.push({ address, prefix: canonicalRange(`${address}/${aggregationLength}`), by, communities });
      }
    }
  problems.push(...[...wide].map((message) => ({ message })));
  return offers;
}

function routesFor(peer: BGPPeer, offers: readonly Offer[], problems: BgpProblem[]): readonly BgpRoute[] {
  const { spec, metadata } = peer;
  const isInternal = spec.dynamicASN === 'internal' || spec.peerASN === spec.myASN;
  const told = new Map<string, Offer[]>();
  for (const offer of offers) {
    const { peers = [] } = offer.by.spec;
    if (peers.length > 0 && !peers.includes(metadata.name)) continue;
    const list = told.get(offer.prefix) ?? [];
    told.set(offer.prefix, list);
    list.push(offer);
  }
  const routes = [...told].map(([prefix, of]): BgpRoute => {
    const preferences = [...new Set(of.flatMap(({ by }) => by.spec.localPref ?? []))];
    if (isInternal && preferences.length > 1)
      problems.push({ peer: nameOf(peer), message: `${prefix} has more than one localPref; the highest is told` });
    const communities = new Map(of.flatMap((offer) => offer.communities.map((value) => [value.join(':'), value])));
    return {
      prefix,
      addresses: [...new Set(of.map(({ address }) => address))].sort(),
      localPref: isInternal && preferences.length > 0 ? Math.max(...preferences) : undefined,
      communities: [...communities].sort(([a], [b]) => compare(a, b)).map(([, value]) => value),
    };
  });
  if (routes.length > MOST_ROUTES)
    problems.push({ peer: nameOf(peer), message: `is told of ${MOST_ROUTES} of ${routes.length} addresses` });
  return routes.sort((a, b) => compare(a.prefix, b.prefix)).slice(0, MOST_ROUTES);
}

function hasEndpoint(service: Service, scene: BgpScene): boolean {
  const able = nodesWithEndpoints(service, scene.slicesOf(service));
  return service.spec.externalTrafficPolicy === 'Local' ? able.has(scene.node.metadata.name) : able.size > 0;
}

/** Its pods go, and so does what comes for others' pods. */
function isDrained({ spec }: Node): boolean {
  return spec.taints?.some(({ key, effect }) => key === DRAIN_TAINT && effect === 'NoExecute') ?? false;
}

function serves({ spec: { serviceSelectors = [] } }: BGPAdvertisement, { metadata }: Service): boolean {
  return serviceSelectors.length === 0 || serviceSelectors.some((one) => selectorMatches(one, metadata.labels));
}

function namedCommunities(communities: readonly Community[]): ReadonlyMap<string, CommunityValue> {
  const values = new Map<string, CommunityValue>();
  for (const { spec } of communities)
    for (const { name, value } of spec.communities ?? []) {
      const parsed = parseCommunity(value);
      if (parsed && !values.has(name)) values.set(name, parsed);
    }
  return values;
}

/** The name that nobody gave a value, where there is one. */
function communitiesOf(
  { spec }: BGPAdvertisement,
  values: ReadonlyMap<string, CommunityValue>,
): readonly CommunityValue[] | string {
  const found: CommunityValue[] = [];
  for (const text of spec.communities ?? []) {
    const value = values.get(text) ?? parseCommunity(text);
    if (value === undefined) return text;
    found.push(value);
  }
  return found;
}

/**
 * The length of the widest range that is whole within the addresses of the pool that have this one. Source: MetalLB,
 * validateBGPAdvPerPool.
 */
function widestIn({ spec }: IPAddressPool, address: string): number {
  let widest = 32;
  for (const text of spec.addresses) {
    const block = addressBlock(text);
    const at = parseAddress(address);
    if (block === undefined || at < block.first || at >= block.first + block.size) continue;
    for (let length = 0; length < widest; length += 1) {
      const size = 2 ** (32 - length);
      const first = Math.ceil(block.first / size) * size;
      if (first + size <= block.first + block.size) widest = length;
    }
  }
  return widest;
}

function nameOf({ metadata }: BGPPeer | BGPAdvertisement | IPAddressPool): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}

function idOf(name: string): string {
  return createHash('sha256').update(name).digest('hex').slice(0, 16);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
