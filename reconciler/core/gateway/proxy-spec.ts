/**
 * What the proxy of a node has to do for the Gateways and Ingresses that it serves. A host takes a request and no other
 * does: so the rules of wider host names are repeated where they must be tried as well, and a listener's own name is there
 * even where it has no rule.
 */
import type {
  ProxyConfig,
  ProxyHost,
  ProxyPort,
  ProxyRule,
  StoredRoute,
  WeightedBackend,
} from '../../../contracts/objects/index.ts';
import type { JudgedRoute, TakenName } from './attachment.ts';
import { Backends, type RefProblem } from './backends.ts';
import { withChallenges } from './challenges.ts';
import { bestFor, bySpecificity, coveringNames } from './hostnames.ts';
import { rulesOf, type RouteRules } from './http-rules.ts';
import type { IngressHost } from './ingress-rules.ts';
import { endsTls, type JudgedListener } from './listeners.ts';
import { byPrecedence, type RankedRule } from './precedence.ts';
import { nameOf, type GatewayWorld } from './world.ts';

export interface RouteFindings {
  /** Of the first reference that leads nowhere. */
  readonly problem: RefProblem | undefined;
  readonly dropped: RouteRules['dropped'];
  /** Nothing of it is left. */
  readonly isAllDropped?: boolean;
}

type HttpRoute = Extract<StoredRoute, { readonly kind: 'HTTPRoute' | 'GRPCRoute' }>;

/** Routes on a listener, each with the host names that it is taken for. */
type Taken = ReadonlyMap<
  JudgedListener,
  readonly { readonly route: StoredRoute; readonly names: readonly TakenName[] }[]
>;
/** Ports of Gateways; those of Ingresses are added where nothing of another protocol is there. */
export class ProxySpecs {
  readonly backends: Backends;
  readonly #taken: Taken;
  readonly #challenges: GatewayWorld['challenges'];
  readonly #findings = new Map<string, RouteFindings>();
  readonly #known = new Map<string, RouteRules>();

  constructor(world: GatewayWorld, routes: readonly JudgedRoute[]) {
    this.backends = new Backends(world);
    this.#taken = takenBy(routes);
    this.#challenges = world.challenges;
    for (const { route } of routes) this.#note(route);
  }

  /** What is wrong with what a route names, whoever serves it. */
  findings(route: StoredRoute): RouteFindings {
    return this.#findings.get(keyOf(route)) ?? { problem: undefined, dropped: [] };
  }

  /** `listeners`: those that are served on the node. `ingress`: hosts of all Ingresses. */
  spec(
    listeners: readonly JudgedListener[],
    ingress: readonly IngressHost[],
    ports: GatewayWorld['ingressPorts'],
  ): ProxyConfig['spec'] {
    const byPort = new Map<number, JudgedListener[]>();
    for (const one of listeners) byPort.set(one.listener.port, [...(byPort.get(one.listener.port) ?? []), one]);
    const made = new Map([...byPort].map(([port, list]) => [port, this.#port(port, list)]));
    if (ingress.length > 0) {
      addIngress(made, ports.http, 'http', ingress);
      addIngress(made, ports.https, 'https', ingress);
    }
    const wanted = [...made.values()].sort((a, b) => a.port - b.port);
    const all = withChallenges(wanted, ports.http, this.#challenges);
    const named = new Set(all.flatMap(namedBackends));
    return { ports: all, backends: this.backends.all().filter(({ name }) => named.has(name)) };
  }

  #port(port: number, listeners: readonly JudgedListener[]): ProxyPort {
    const protocol = PROTOCOL.get(listeners[0]?.listener.protocol ?? '') ?? 'tcp';
    const names = listeners.map(({ listener }) => listener.hostname ?? '');
    const hosts = listeners.flatMap((one) =>
      protocol === 'http' || protocol === 'https' ? this.#httpHosts(one, names) : this.#streamHosts(one, names),
    );
    return { port, protocol, hosts: hosts.toSorted(byHost) };
  }

  #httpHosts(one: JudgedListener, names: readonly string[]): readonly ProxyHost[] {
    const own = one.listener.hostname ?? '';
    const taken = this.#taken.get(one) ?? [];
    const byName = new Map<string, { readonly route: HttpRoute; readonly written: string }[]>([[own, []]]);
    for (const { route, names: its } of taken) {
      if (route.kind !== 'HTTPRoute' && route.kind !== 'GRPCRoute') continue;
      for (const { hostname, written } of its) {
        const list = byName.get(hostname) ?? [];
        byName.set(hostname, list);
        list.push({ route, written });
      }
    }
    const listenerNames = new Set(names);
    // A name that a more specific listener of the port takes is that one's alone.
    const hostnames = [...byName.keys()].filter(
      (hostname) => coveringNames(hostname).find((outer) => listenerNames.has(outer)) === own,
    );
    return hostnames.map((hostname) => {
      const best = new Map<HttpRoute, string>();
      for (const { route, written } of coveringNames(hostname).flatMap((outer) => byName.get(outer) ?? [])) {
        const before = best.get(route);
        if (before === undefined || bySpecificity(written, before) < 0) best.set(route, written);
      }
      const rules = [...best].flatMap(([route, written]) =>
        this.#rules(route, one.listener).rules.map((rule): RankedRule => ({ ...rule, written })),
      );
      return {
        hostname,
        ...(one.certificates.length > 0 && { certificates: one.certificates }),
        rules: rules.sort(byPrecedence).map(({ rule }) => rule),
      };
    });
  }

  /** Worked out once for all listeners of a port and protocol. */
  #rules(route: HttpRoute, listener: JudgedListener['listener']): RouteRules {
    const key = `${listener.protocol} ${listener.port} ${keyOf(route)}`;
    const known = this.#known.get(key) ?? rulesOf(route, listener, this.backends);
    this.#known.set(key, known);
    return known;
  }

  /** The oldest route that is taken for a name has it. */
  #streamHosts(one: JudgedListener, names: readonly string[]): readonly ProxyHost[] {
    const own = one.listener.hostname ?? '';
    const hosts = new Map<string, ProxyHost>();
    const certificates = endsTls(one.listener) ? { certificates: one.certificates } : {};
    for (const { route, names: its } of this.#taken.get(one) ?? [])
      for (const { hostname } of its)
        if (!hosts.has(hostname) && bestFor(hostname, names) === own)
          hosts.set(hostname, { hostname, ...certificates, forward: this.#forward(route) });
    if (!hosts.has(own)) hosts.set(own, { hostname: own, ...certificates, forward: [] });
    return [...hosts.values()];
  }

  #forward(route: StoredRoute): readonly WeightedBackend[] {
    const from = { kind: route.kind, namespace: route.metadata.namespace ?? '' };
    return (route.spec.rules[0]?.backendRefs ?? []).map((ref) => {
      const found = this.backends.ofRoute(from, ref, 'tcp');
      return { backend: found.ok ? found.backend : '', weight: ref.weight };
    });
  }

  #note(route: StoredRoute): void {
    if (route.kind === 'HTTPRoute' || route.kind === 'GRPCRoute') {
      const { problem, dropped, rules } = this.#rules(route, ANY_LISTENER);
      this.#findings.set(keyOf(route), { problem, dropped, isAllDropped: rules.length === 0 });
      return;
    }
    const from = { kind: route.kind, namespace: route.metadata.namespace ?? '' };
    const wrong = route.spec.rules
      .flatMap(({ backendRefs }) => backendRefs)
      .map((ref) => this.backends.ofRoute(from, ref, 'tcp'))
      .find(({ ok }) => !ok);
    this.#findings.set(keyOf(route), { problem: wrong?.ok === false ? wrong : undefined, dropped: [] });
  }
}

const PROTOCOL: ReadonlyMap<string, ProxyPort['protocol']> = new Map([
  ['HTTP', 'http'],
  ['HTTPS', 'https'],
  ['TLS', 'tls'],
]);
const ANY_LISTENER: JudgedListener['listener'] = {
  name: 'any',
  port: 80,
  protocol: 'HTTP',
  allowedRoutes: { namespaces: { from: 'All' }, kinds: [] },
};

function keyOf(route: StoredRoute): string {
  return `${route.kind}/${nameOf(route)}`;
}

function takenBy(routes: readonly JudgedRoute[]): Taken {
  const taken = new Map<JudgedListener, { route: StoredRoute; names: readonly TakenName[] }[]>();
  for (const { route, parents } of routes)
    for (const { listener, names } of parents.flatMap(({ attachments }) => attachments)) {
      const list = taken.get(listener) ?? [];
      taken.set(listener, list);
      // Two of its parents may be the same listener.
      if (!list.some((one) => one.route === route)) list.push({ route, names });
    }
  return taken;
}

/** At the same name the narrower one first. */
function byHost(a: ProxyHost, b: ProxyHost): number {
  return bySpecificity(a.hostname, b.hostname) || Number(b.oneLabel ?? false) - Number(a.oneLabel ?? false);
}

function addIngress(
  made: Map<number, ProxyPort>,
  port: number,
  protocol: 'http' | 'https',
  ingress: readonly IngressHost[],
): void {
  const before = made.get(port) ?? { port, protocol, hosts: [] };
  // The Ingresses' status tells of it.
  if (before.protocol !== protocol) return;
  const hosts = new Map(before.hosts.map((host) => [hostKey(host), host]));
  const anybody = ingress.find(({ hostname }) => hostname === '');
  for (const { hostname, plain, secure, certificates } of ingress) {
    // Without a certificate there is no TLS.
    if (protocol === 'https' && certificates.length === 0) continue;
    const isWildcard = hostname.startsWith('*.');
    const of = (host: IngressHost | undefined): readonly RankedRule[] =>
      (protocol === 'https' ? host?.secure : host?.plain) ?? [];
    const own = protocol === 'https' ? secure : plain;
    const wider = hostname === '' ? [] : of(anybody);
    const rules: readonly ProxyRule[] = [...own.toSorted(byPrecedence), ...wider.toSorted(byPrecedence)].map(
      ({ rule }) => rule,
    );
    const host: ProxyHost = {
      hostname,
      ...(isWildcard && { oneLabel: true as const }),
      ...(protocol === 'https' && { certificates }),
      rules,
    };
    const there = hosts.get(hostKey(host));
    hosts.set(hostKey(host), there ? { ...there, rules: [...(there.rules ?? []), ...rules] } : host);
  }
  if (hosts.size > 0) made.set(port, { ...before, hosts: [...hosts.values()].sort(byHost) });
}

function hostKey({ hostname, oneLabel }: ProxyHost): string {
  return `${oneLabel === true ? 'one ' : ''}${hostname}`;
}

function namedBackends({ hosts }: ProxyPort): readonly string[] {
  return hosts.flatMap(({ rules = [], forward = [] }) => [
    ...forward.map(({ backend }) => backend),
    ...rules.flatMap(({ action, filters }) => [
      ...mirrorsIn(filters),
      ...(action.type === 'forward'
        ? action.to.flatMap(({ backend, filters: own = [] }) => [backend, ...mirrorsIn(own)])
        : []),
    ]),
  ]);
}

function mirrorsIn(filters: ProxyRule['filters']): readonly string[] {
  return filters.flatMap((filter) => (filter.type === 'mirror' ? [filter.backend] : []));
}
