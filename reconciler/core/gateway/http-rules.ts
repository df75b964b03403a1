/** From rules of HTTPRoutes and GRPCRoutes to those of a proxy. Source: Gateway API, apis/v1/{httproute,grpcroute}_types.go. */
import {
  goDurationMs,
  type GrpcMatch,
  type GrpcRule,
  type HttpFilter,
  type HttpMatch,
  type HttpRule,
  type Listener,
  type PathModifier,
  type ProxyAction,
  type ProxyFilter,
  type ProxyMatch,
  type ProxyRedirect,
  type ProxyRule,
  type RequestMirror,
  type StoredGRPCRoute,
  type StoredHTTPRoute,
  type WeightedBackend,
} from '../../../contracts/objects/index.ts';
import type { Backends, RefProblem } from './backends.ts';
import { matchRank, type Rank, type RankedRule } from './precedence.ts';
import { nameOf } from './world.ts';

export interface RouteRules {
  /** In the order of the route, for any host name; ranked but for the name that is `written`. */
  readonly rules: readonly Omit<RankedRule, 'written'>[];
  /** Of the first reference that leads nowhere. */
  readonly problem: RefProblem | undefined;
  /** Rules that cannot be carried out, and why; the others are. */
  readonly dropped: readonly { readonly rule: number; readonly message: string }[];
}

/** Name of the backend; '' where it is not there, which is told. */
type Find = (ref: RequestMirror['backendRef']) => string;
type HttpRoute = StoredHTTPRoute | StoredGRPCRoute;
type Backend = HttpRule['backendRefs'][number] | GrpcRule['backendRefs'][number];

/** `listener`: redirects depend on its port. */
export function rulesOf(route: HttpRoute, listener: Listener, backends: Backends): RouteRules {
  const rules: Omit<RankedRule, 'written'>[] = [];
  const dropped: RouteRules['dropped'][number][] = [];
  let problem: RefProblem | undefined;
  const isGrpc = route.kind === 'GRPCRoute';
  const since = route.metadata.creationTimestamp;
  const from = { kind: route.kind, namespace: route.metadata.namespace ?? '' };
  const find: Find = (ref) => {
    const found = backends.ofRoute(from, ref, isGrpc ? 'h2c' : 'http1');
    if (!found.ok) problem ??= found;
    return found.ok ? found.backend : '';
  };
  const all: readonly (HttpRule | GrpcRule)[] = route.spec.rules.length > 0 ? route.spec.rules : [NO_RULE];
  for (const [index, rule] of all.entries()) {
    const message = impossible(rule);
    if (message !== undefined) {
      dropped.push({ rule: index, message });
      continue;
    }
    const action = actionOf(route, rule, listener, find);
    const filters = filtersOf(rule.filters, find);
    for (const [m, { match, rank }] of matchesOf(route, index).entries()) {
      const path = `${isGrpc ? 'grpcroute' : 'httproute'}/${nameOf(route)} rule ${index}`;
      rules.push({
        rule: {
          origin: m === 0 ? path : `${path} match ${m}`,
          match,
          filters,
          action,
          ...timeoutsOf(rule),
          ...retryOf(rule),
        },
        rank,
        since,
        route: nameOf(route),
        place: index * 1000 + m,
      });
    }
  }
  return { rules, problem, dropped };
}

const NO_RULE: GrpcRule = { matches: [], filters: [], backendRefs: [] };

/** Source: the validation rules of HTTPRouteRule. */
function impossible(rule: HttpRule | GrpcRule): string | undefined {
  const filters: readonly HttpFilter[] = [...rule.filters, ...rule.backendRefs.flatMap((ref) => ref.filters)];
  if (rule.filters.some(({ type }) => type === 'RequestRedirect') && rule.backendRefs.length > 0)
    return 'RequestRedirect must not be used together with backendRefs';
  const replacesPrefix = filters.some((filter) => {
    const path =
      filter.type === 'URLRewrite'
        ? filter.urlRewrite.path
        : filter.type === 'RequestRedirect'
          ? filter.requestRedirect.path
          : undefined;
    return path?.type === 'ReplacePrefixMatch';
  });
  if (!replacesPrefix) return undefined;
  const [match, ...more] = rule.matches as readonly HttpMatch[];
  return match?.path.type === 'PathPrefix' && more.length === 0
    ? undefined
    : 'ReplacePrefixMatch needs exactly one match, by PathPrefix';
}

function actionOf(
  route: HttpRoute,
  { filters, backendRefs }: HttpRule | GrpcRule,
  listener: Listener,
  find: Find,
): ProxyAction {
  const redirect = (filters as readonly HttpFilter[]).find((filter) => filter.type === 'RequestRedirect');
  if (redirect) return { type: 'redirect', ...redirectOf(redirect.requestRedirect, listener) };
  const to = (backendRefs as readonly Backend[]).map((ref): WeightedBackend => {
    const backend = find(ref);
    const ofShare = (ref.filters as readonly HttpFilter[]).find((filter) => filter.type === 'RequestRedirect');
    const own = filtersOf(ref.filters, find);
    return {
      backend,
      weight: ref.weight,
      ...(own.length > 0 && { filters: own }),
      ...(backend !== '' && ofShare && { redirect: redirectOf(ofShare.requestRedirect, listener) }),
    };
  });
  const isNothing = to.every(({ backend, weight }) => backend === '' || weight === 0);
  // A client of gRPC reads 503 as UNAVAILABLE.
  if (isNothing) return { type: 'answer', status: route.kind === 'GRPCRoute' ? 503 : 500 };
  return { type: 'forward', to };
}

type RedirectFilter = Extract<HttpFilter, { readonly type: 'RequestRedirect' }>['requestRedirect'];
const WELL_KNOWN_PORT = { http: 80, https: 443 } as const;

function redirectOf({ scheme, hostname, path, port, statusCode }: RedirectFilter, listener: Listener): ProxyRedirect {
  const ownScheme = listener.protocol === 'HTTPS' ? 'https' : 'http';
  const shown = port ?? (scheme === undefined ? listener.port : WELL_KNOWN_PORT[scheme]);
  return {
    status: statusCode,
    ...(scheme !== undefined && { scheme }),
    ...(hostname !== undefined && { hostname }),
    ...(shown !== WELL_KNOWN_PORT[scheme ?? ownScheme] && { port: shown }),
    ...(path !== undefined && { path: pathChange(path) }),
  };
}

function pathChange(path: PathModifier) {
  return path.type === 'ReplaceFullPath'
    ? { type: 'full' as const, value: path.replaceFullPath }
    : { type: 'prefix' as const, value: path.replacePrefixMatch };
}

function filtersOf(filters: readonly HttpFilter[], find: Find): readonly ProxyFilter[] {
  return filters.flatMap((filter): readonly ProxyFilter[] => {
    switch (filter.type) {
      case 'RequestHeaderModifier':
        return [{ type: 'request-headers', ...filter.requestHeaderModifier }];
      case 'ResponseHeaderModifier':
        return [{ type: 'response-headers', ...filter.responseHeaderModifier }];
      case 'URLRewrite': {
        const { hostname, path } = filter.urlRewrite;
        return [
          { type: 'rewrite', ...(hostname !== undefined && { hostname }), ...(path && { path: pathChange(path) }) },
        ];
      }
      case 'CORS': {
        const { allowOrigins, allowCredentials, allowMethods, allowHeaders, exposeHeaders, maxAge } = filter.cors;
        const headers = { headers: allowHeaders, expose: exposeHeaders };
        const shared = { origins: allowOrigins, credentials: allowCredentials, methods: allowMethods, ...headers };
        return [{ type: 'cors', ...shared, maxAgeSeconds: maxAge }];
      }
      case 'RequestMirror':
        return mirrorTo(filter.requestMirror, find(filter.requestMirror.backendRef));
      case 'RequestRedirect':
        return [];
    }
  });
}

function timeoutsOf(rule: HttpRule | GrpcRule): Pick<ProxyRule, 'requestTimeoutMs' | 'backendTimeoutMs'> {
  if (!('timeouts' in rule) || rule.timeouts === undefined) return {};
  const [request, backend] = [rule.timeouts.request, rule.timeouts.backendRequest].map((text) =>
    text === undefined ? 0 : goDurationMs(text),
  );
  // Of no length: no limit.
  return { ...(request && { requestTimeoutMs: request }), ...(backend && { backendTimeoutMs: backend }) };
}

/** Nothing goes to a backend that is not there. */
function mirrorTo({ percent, fraction }: RequestMirror, backend: string): readonly ProxyFilter[] {
  const share = fraction ?? { numerator: percent ?? 100, denominator: 100 };
  return backend === '' ? [] : [{ type: 'mirror', backend, ...share }];
}

/** What the filters of a rule and of its backends name. */
export function mirrored({ filters, backendRefs }: HttpRule | GrpcRule): readonly RequestMirror['backendRef'][] {
  const all: readonly HttpFilter[] = [...filters, ...backendRefs.flatMap((ref) => ref.filters)];
  return all.flatMap((filter) => (filter.type === 'RequestMirror' ? [filter.requestMirror.backendRef] : []));
}

/** As often as the proxy does where nothing is asked of it. */
const DEFAULT_ATTEMPTS = 3;

function retryOf(rule: HttpRule | GrpcRule): Pick<ProxyRule, 'retry'> {
  if (!('retry' in rule) || rule.retry === undefined) return {};
  return { retry: { attempts: rule.retry.attempts ?? DEFAULT_ATTEMPTS, codes: rule.retry.codes } };
}

interface Match {
  readonly match: ProxyMatch;
  readonly rank: Rank;
}

/** Of one rule, as a proxy has them. */
export function matchesOf(route: HttpRoute, index: number): readonly Match[] {
  if (route.kind === 'HTTPRoute') return (route.spec.rules[index]?.matches.map(httpMatch) ?? []).map(ranked);
  const matches = route.spec.rules[index]?.matches ?? [];
  return matches.length === 0 ? [{ match: {}, rank: [0, 0, 0] }] : matches.map(grpcMatch);
}

function ranked(match: ProxyMatch): Match {
  return { match, rank: matchRank(match) };
}

function httpMatch({ path, headers, queryParams, method }: HttpMatch): ProxyMatch {
  return {
    ...(path.type === 'PathPrefix' && path.value === '/' ? {} : { path: httpPath(path) }),
    ...(method !== undefined && { method }),
    ...(headers.length > 0 && { headers: headerMatches(headers) }),
    ...(queryParams.length > 0 && {
      query: firstOfEach(queryParams, ({ name }) => name).map(({ type, name, value }) => ({
        name,
        type: matchType(type),
        value,
      })),
    }),
  };
}

function httpPath({ type, value }: HttpMatch['path']): NonNullable<ProxyMatch['path']> {
  if (type === 'Exact') return { type: 'exact', value };
  if (type === 'RegularExpression') return { type: 'regex', value };
  return { type: 'prefix', value: withoutEnd(value) };
}

/** A trailing slash says nothing in a prefix. */
export function withoutEnd(prefix: string): string {
  return prefix.length > 1 && prefix.endsWith('/') ? prefix.slice(0, -1) : prefix;
}

/** Of equal names the first counts. */
function firstOfEach<T>(list: readonly T[], nameOfOne: (one: T) => string): readonly T[] {
  const seen = new Set<string>();
  return list.filter((one) => {
    const name = nameOfOne(one);
    if (seen.has(name)) return false;
    seen.add(name);
    return true;
  });
}

function headerMatches(headers: HttpMatch['headers']): NonNullable<ProxyMatch['headers']> {
  return firstOfEach(headers, ({ name }) => name.toLowerCase()).map(({ type, name, value }) => ({
    name: name.toLowerCase(),
    type: matchType(type),
    value,
  }));
}

function matchType(type: 'Exact' | 'RegularExpression'): 'exact' | 'regex' {
  return type === 'Exact' ? 'exact' : 'regex';
}

/** A call is a POST to /SERVICE/METHOD. Source: gRPC over HTTP/2, "Requests". */
function grpcMatch({ method, headers }: GrpcMatch): Match {
  const path = method && grpcPath(method);
  const match = { ...(path && { path }), ...(headers.length > 0 && { headers: headerMatches(headers) }) };
  return { match, rank: [method?.service?.length ?? 0, method?.method?.length ?? 0, headers.length] };
}

function grpcPath({ type, service, method }: NonNullable<GrpcMatch['method']>): NonNullable<ProxyMatch['path']> {
  if (type === 'Exact' && service !== undefined)
    return method === undefined
      ? { type: 'prefix', value: `/${service}` }
      : { type: 'exact', value: `/${service}/${method}` };
  const part = (text: string | undefined): string => {
    if (text === undefined) return '[^/]+';
    return type === 'Exact' ? text.replaceAll('.', '\\.') : `(?:${text})`;
  };
  return { type: 'regex', value: `/${part(service)}/${part(method)}` };
}
