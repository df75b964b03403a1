/**
 * Which listeners take a route, and for which host names. Source: Gateway API, apis/v1: ParentReference, AllowedRoutes,
 * HTTPRouteSpec.hostnames, GRPCRouteSpec.hostnames and the reasons of routes' conditions.
 */
import {
  GATEWAY_GROUP,
  selectorMatches,
  type ParentReference,
  type StoredRoute,
} from '../../../contracts/objects/index.ts';
import { intersection } from './hostnames.ts';
import type { JudgedGateway, JudgedListener, Problem } from './listeners.ts';
import { demandOf, Room, type Place } from './room.ts';
import { byAge, nameOf, type GatewayWorld } from './world.ts';

/** A host name that a listener takes a route for. */
export interface TakenName {
  readonly hostname: string;
  /** As the route writes it; '' where it writes none. */
  readonly written: string;
}
interface Attachment {
  readonly listener: JudgedListener;
  readonly names: readonly TakenName[];
}
export interface JudgedParent {
  readonly ref: ParentReference;
  readonly refused: Problem | undefined;
  readonly attachments: readonly Attachment[];
}
export interface JudgedRoute {
  readonly route: StoredRoute;
  /** Those that are Gateways of ours. */
  readonly parents: readonly JudgedParent[];
}

/** The oldest routes first: of an HTTPRoute and a GRPCRoute that would share a host name, the older one has it. */
export function attach(world: GatewayWorld, gateways: readonly JudgedGateway[]): readonly JudgedRoute[] {
  const byName = new Map(gateways.map((judged) => [nameOf(judged.gateway), judged]));
  const held = new Map<JudgedListener, Held[]>();
  const room = new Room();
  const routes = [...world.httpRoutes, ...world.grpcRoutes, ...world.tlsRoutes, ...world.tcpRoutes];
  return routes.toSorted(byAge).flatMap((route) => {
    const asked = route.spec.parentRefs.flatMap((ref) => {
      if (ref.group !== GATEWAY_GROUP || ref.kind !== 'Gateway') return [];
      const gateway = byName.get(`${ref.namespace ?? route.metadata.namespace ?? ''}/${ref.name}`);
      return gateway ? [judge(route, ref, gateway, world, held)] : [];
    });
    const parents = fitting(route, asked, room);
    return parents.length > 0 ? [{ route, parents }] : [];
  });
}

/** All of a route is served, or nothing: half of it would be another route. */
function fitting(route: StoredRoute, parents: readonly JudgedParent[], room: Room): readonly JudgedParent[] {
  const places = new Map<string, Place>();
  for (const { listener, names } of parents.flatMap(({ attachments }) => attachments))
    for (const { hostname } of names)
      places.set(`${nameOf(listener.gateway)} ${listener.listener.name} ${hostname}`, { at: listener, hostname });
  const over = places.size === 0 ? undefined : room.take([...places.values()], demandOf(route));
  if (over === undefined) return parents;
  return parents.map((parent) =>
    parent.refused ? parent : { ...parent, refused: { reason: 'TooManyRules', message: over }, attachments: [] },
  );
}

interface Held {
  readonly route: StoredRoute;
  readonly hostname: string;
}

function judge(
  route: StoredRoute,
  ref: ParentReference,
  { listeners }: JudgedGateway,
  world: GatewayWorld,
  held: Map<JudgedListener, Held[]>,
): JudgedParent {
  const refuse = (reason: string, message: string): JudgedParent => ({
    ref,
    refused: { reason, message },
    attachments: [],
  });
  const named = listeners.filter(
    ({ listener }) =>
      (ref.sectionName === undefined || ref.sectionName === listener.name) &&
      (ref.port === undefined || ref.port === listener.port),
  );
  if (named.length === 0)
    return refuse(
      'NoMatchingParent',
      `the Gateway has no listener ${[ref.sectionName, ref.port].filter(Boolean).join(' with port ')}`,
    );
  if (route.kind === 'TLSRoute' && named.every(({ listener }) => listener.protocol !== 'TLS'))
    return refuse('UnsupportedValue', 'a TLSRoute needs a listener of protocol TLS');
  const allowing = named.filter((listener) => allows(listener, route, world));
  if (allowing.length === 0)
    return refuse(
      'NotAllowedByListeners',
      `no listener takes a ${route.kind} of namespace ${route.metadata.namespace ?? ''}`,
    );
  const attachments = allowing.flatMap((listener): Attachment[] => {
    const names = namesOf(route, listener);
    return names.length > 0 ? [{ listener, names }] : [];
  });
  if (attachments.length === 0)
    return refuse('NoMatchingListenerHostname', 'none of its host names is one that a listener takes');
  const free = attachments.filter((attachment) => !isHeld(route, attachment, held));
  if (free.length === 0)
    return refuse(
      'Conflicted',
      `an older ${route.kind === 'HTTPRoute' ? 'GRPCRoute' : 'HTTPRoute'} has a host name of it`,
    );
  for (const { listener, names } of free) {
    const all = held.get(listener) ?? [];
    held.set(listener, all);
    all.push(...names.map(({ hostname }) => ({ route, hostname })));
  }
  return { ref, refused: undefined, attachments: free };
}

function allows({ listener, gateway, kinds }: JudgedListener, route: StoredRoute, world: GatewayWorld): boolean {
  if (!kinds.some(({ kind }) => kind === route.kind)) return false;
  const { from, selector } = listener.allowedRoutes.namespaces;
  const namespace = route.metadata.namespace ?? '';
  switch (from) {
    case 'All':
      return true;
    case 'Same':
      return namespace === gateway.metadata.namespace;
    case 'Selector':
      return selector !== undefined && selectorMatches(selector, world.namespaceLabels(namespace));
  }
}

function namesOf(route: StoredRoute, { listener }: JudgedListener): readonly TakenName[] {
  const own = listener.hostname ?? '';
  const written = route.kind === 'TCPRoute' ? [] : route.spec.hostnames;
  return (written.length === 0 ? [''] : written).flatMap((name) => {
    const hostname = intersection(own, name);
    return hostname === undefined ? [] : [{ hostname, written: name }];
  });
}

function isHeld(
  route: StoredRoute,
  { listener, names }: Attachment,
  held: ReadonlyMap<JudgedListener, Held[]>,
): boolean {
  if (route.kind !== 'HTTPRoute' && route.kind !== 'GRPCRoute') return false;
  return (held.get(listener) ?? []).some(
    (other) =>
      other.route.kind !== route.kind &&
      names.some(({ hostname }) => intersection(hostname, other.hostname) !== undefined),
  );
}
