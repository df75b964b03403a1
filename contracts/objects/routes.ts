/**
 * HTTPRoute, GRPCRoute, TLSRoute and TCPRoute, gateway.networking.k8s.io. Source: Gateway API, apis/v1 (httproute_types.go,
 * grpcroute_types.go, tlsroute_types.go, shared_types.go) and apis/v1alpha2 (tcproute_types.go). The bounds are theirs.
 */
import { z } from 'zod';
import { goDurationMs } from './go-duration.ts';
import { GATEWAY_GROUP, Hostname, PreciseHostname, referenceTo, SectionName } from './gateway.ts';
import { ManifestMeta, type Condition, type ObjectMeta, type StoredMeta } from './meta.ts';
import { int32, listMap, listSet, NEVER, object, Port, unset } from './schema.ts';

const atMost = (most: number): string => `must have at most ${most} entries`;
const noLonger = (most: number): string => `must be no more than ${most} characters`;

const ParentReference = referenceTo(GATEWAY_GROUP, 'Gateway').extend({
  sectionName: unset('', SectionName.optional()),
  port: unset(0, Port.optional()),
});
export type ParentReference = z.infer<typeof ParentReference>;

const MOST_PARENTS = 32;
const parents = {
  parentRefs: z.array(ParentReference).max(MOST_PARENTS, atMost(MOST_PARENTS)).default([]),
};
const NOT_YET = { useDefaultGateways: ['', 'None'] };

const MOST_HOSTNAMES = 16;
const MOST_RULES = 16;
const MOST_MATCHES = 64;
const MOST_BACKENDS = 16;
const MOST_FILTERS = 16;

/** A field's name in HTTP: a token. Source: RFC 9110, 5.6.2. */
const HeaderName = z
  .string()
  .max(256, noLonger(256))
  .regex(/^[A-Za-z0-9!#$%&'*+\-.^_`|~]+$/, 'must be the name of an HTTP header');
/** Printable ASCII, single blanks between. */
const HeaderText = z
  .string()
  .min(1, 'must not be empty')
  .max(4096, noLonger(4096))
  .regex(/^[!-~]+([\t ]?[!-~]+)*$/, 'must consist of printable ASCII characters, with single blanks between them');

/** A regular expression, of PCRE's kind; it is held against the whole of the value. */
const isRegex = (text: string): boolean => {
  try {
    new RegExp(text);
    return true;
  } catch {
    return false;
  }
};
const REGEX_RULE = 'must be a regular expression';

const MatchType = z.enum(['Exact', 'RegularExpression']).default('Exact');
const valueMatch = <N extends z.ZodType>(name: N, longest: number) =>
  object({
    type: MatchType,
    name,
    value: z.string().min(1, 'must not be empty').max(longest, noLonger(longest)),
  }).refine(({ type, value }) => type === 'Exact' || isRegex(value), { path: ['value'], message: REGEX_RULE });
const HeaderMatch = valueMatch(HeaderName, 4096);
export type HeaderMatch = z.infer<typeof HeaderMatch>;
const QueryMatch = valueMatch(HeaderName, 1024);

const FORBIDDEN_IN_PATH = ['//', '/./', '/../', '%2f', '%2F', '#'];
const FORBIDDEN_ENDS = ['/..', '/.'];
/** Why a path cannot be one of a match by whole elements; undefined where it can. */
export function pathProblem(path: string): string | undefined {
  if (!path.startsWith('/')) return "must begin with '/'";
  const within = FORBIDDEN_IN_PATH.find((part) => path.includes(part));
  if (within !== undefined) return `must not contain '${within}'`;
  const end = FORBIDDEN_ENDS.find((part) => path.endsWith(part));
  if (end !== undefined) return `must not end with '${end}'`;
  return /^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})+$/.test(path)
    ? undefined
    : "must consist of what a URL's path may have; write other characters as %XX";
}

const PathMatch = object({
  type: z.enum(['Exact', 'PathPrefix', 'RegularExpression']).default('PathPrefix'),
  value: z.string().max(1024, noLonger(1024)).default('/'),
}).superRefine(({ type, value }, context) => {
  const problem = type === 'RegularExpression' ? (isRegex(value) ? undefined : REGEX_RULE) : pathProblem(value);
  if (problem !== undefined) context.addIssue({ code: 'custom', path: ['value'], message: problem });
});

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'] as const;
const HttpMatch = object({
  path: PathMatch.prefault({}),
  headers: listMap(['name'], HeaderMatch).max(16, atMost(16)).default([]),
  queryParams: listMap(['name'], QueryMatch).max(16, atMost(16)).default([]),
  method: z.enum(METHODS).optional(),
});
export type HttpMatch = z.infer<typeof HttpMatch>;

const Header = object({ name: HeaderName, value: HeaderText });
const HeaderFilter = object({
  set: listMap(['name'], Header).max(16, atMost(16)).default([]),
  add: listMap(['name'], Header).max(16, atMost(16)).default([]),
  remove: listSet(HeaderName).max(16, atMost(16)).default([]),
});
export type HeaderFilter = z.infer<typeof HeaderFilter>;

/** What may stand in the place of a path, or of a part of one. */
const NewPath = z
  .string()
  .max(1024, noLonger(1024))
  .regex(/^[!-~]*$/, 'must consist of printable ASCII characters')
  .refine((path) => path === '' || path.startsWith('/'), "must begin with '/'");
const PathModifier = z.discriminatedUnion('type', [
  object({ type: z.literal('ReplaceFullPath'), replaceFullPath: NewPath }),
  object({ type: z.literal('ReplacePrefixMatch'), replacePrefixMatch: NewPath }),
]);
export type PathModifier = z.infer<typeof PathModifier>;

const Redirect = object({
  scheme: z.enum(['http', 'https']).optional(),
  hostname: PreciseHostname.optional(),
  path: PathModifier.optional(),
  port: unset(0, Port.optional()),
  statusCode: z.union([z.literal(301), z.literal(302), z.literal(303), z.literal(307), z.literal(308)]).default(302),
});
const Rewrite = object({ hostname: PreciseHostname.optional(), path: PathModifier.optional() });

const Fraction = object({ numerator: int32(0), denominator: int32(1).default(100) }).refine(
  ({ numerator, denominator }) => numerator <= denominator,
  { path: ['numerator'], message: 'must not be more than denominator' },
);
const RequestMirror = object({
  backendRef: referenceTo('', 'Service').extend({ port: unset(0, Port.optional()) }),
  percent: int32(0).max(100, 'must be at most 100').optional(),
  fraction: Fraction.optional(),
}).refine(({ percent, fraction }) => percent === undefined || fraction === undefined, {
  path: ['fraction'],
  message: 'must not be beside percent',
});
export type RequestMirror = z.infer<typeof RequestMirror>;

const COMMON_FILTERS = [
  object({ type: z.literal('RequestHeaderModifier'), requestHeaderModifier: HeaderFilter }),
  object({ type: z.literal('ResponseHeaderModifier'), responseHeaderModifier: HeaderFilter }),
  object({ type: z.literal('RequestMirror'), requestMirror: RequestMirror }),
] as const;
/** Source: CORSOrigin in httproute_types.go. */
const CorsOrigin = z
  .string()
  .max(253, noLonger(253))
  .regex(
    /^(\*|https?:\/\/((\*\.)?([a-zA-Z0-9-]+\.)*[a-zA-Z0-9-]+|\*)(:[0-9]{1,5})?)$/,
    'must be * or an origin such as https://example.com, https://*.example.com:8443 or http://*',
  );
const alone = (list: readonly string[]): boolean => !list.includes('*') || list.length === 1;
const ALONE = "must not have '*' beside others";
const Cors = object({
  allowOrigins: listSet(CorsOrigin).max(64, atMost(64)).default([]).refine(alone, ALONE),
  allowCredentials: z.boolean().default(false),
  allowMethods: listSet(z.enum([...METHODS, '*']))
    .max(METHODS.length, atMost(METHODS.length))
    .default([])
    .refine(alone, ALONE),
  allowHeaders: listSet(HeaderName).max(64, atMost(64)).default([]),
  exposeHeaders: listSet(HeaderName).max(64, atMost(64)).default([]),
  /** Seconds. */
  maxAge: int32(1).default(5),
}).refine(({ allowCredentials, exposeHeaders }) => !allowCredentials || !exposeHeaders.includes('*'), {
  path: ['exposeHeaders'],
  message: "must name the headers where allowCredentials is true: '*' then is a name like any other",
});
export type Cors = z.infer<typeof Cors>;

/** Filters that are not here (ExtensionRef) are refused: none may be skipped. */
const HttpFilter = z.discriminatedUnion('type', [
  ...COMMON_FILTERS,
  object({ type: z.literal('RequestRedirect'), requestRedirect: Redirect }),
  object({ type: z.literal('URLRewrite'), urlRewrite: Rewrite }),
  object({ type: z.literal('CORS'), cors: Cors }),
]);
export type HttpFilter = z.infer<typeof HttpFilter>;
const GrpcFilter = z.discriminatedUnion('type', [...COMMON_FILTERS]);

/** Of one type there is one at most, so that their order is never a question; but of mirrors, which do not meet. */
const filters = <F extends z.ZodType<{ readonly type: string }>>(filter: F) =>
  z
    .array(filter)
    .max(MOST_FILTERS, atMost(MOST_FILTERS))
    .default([])
    .superRefine((list, context) => {
      const types = list.map(({ type }) => type);
      const twice = types.find((type, index) => type !== 'RequestMirror' && types.indexOf(type) !== index);
      if (twice !== undefined) context.addIssue({ code: 'custom', message: `must not have two ${twice}` });
      if (types.includes('RequestRedirect') && types.includes('URLRewrite'))
        context.addIssue({ code: 'custom', message: 'must not have both RequestRedirect and URLRewrite' });
    });

const BackendRef = referenceTo('', 'Service').extend({
  port: unset(0, Port.optional()),
  weight: int32(0).max(1_000_000, 'must be at most 1000000').default(1),
});
export type BackendRef = z.infer<typeof BackendRef>;
const HttpBackendRef = BackendRef.extend({ filters: filters(HttpFilter) });
const GrpcBackendRef = BackendRef.extend({ filters: filters(GrpcFilter) });

/** A duration of Gateway API, such as `1m30s`. Source: GEP-2257. */
const Duration = z.string().regex(/^([0-9]{1,5}(h|m|s|ms)){1,4}$/, 'must be a duration such as 10s, 500ms or 1m30s');
const Timeouts = object({ request: Duration.optional(), backendRequest: Duration.optional() }).refine(
  ({ request, backendRequest }) =>
    request === undefined ||
    backendRequest === undefined ||
    goDurationMs(request) === 0 ||
    goDurationMs(backendRequest) <= goDurationMs(request),
  { path: ['backendRequest'], message: 'must not be longer than request' },
);

/** Of the codes that may stand here those that the proxy can try again for. Source: HAProxy 2.6 manual, `retry-on`. */
const RETRIED = ['401', '403', '404', '408', '425', '500', '501', '502', '503', '504'];
const MOST_RETRIES = 100;
const Retry = object(
  {
    codes: z
      .array(z.int().refine((code) => RETRIED.includes(String(code)), `must be one of ${RETRIED.join(', ')}`))
      .max(RETRIED.length, atMost(RETRIED.length))
      .default([]),
    attempts: int32(0).max(MOST_RETRIES, `must be at most ${MOST_RETRIES}`).optional(),
  },
  { backoff: NEVER },
);

const HttpRule = object(
  {
    name: SectionName.optional(),
    matches: z
      .array(HttpMatch)
      .max(MOST_MATCHES, atMost(MOST_MATCHES))
      .default([])
      .transform((list) => (list.length === 0 ? [EVERY_PATH] : list)),
    filters: filters(HttpFilter),
    backendRefs: z.array(HttpBackendRef).max(MOST_BACKENDS, atMost(MOST_BACKENDS)).default([]),
    timeouts: Timeouts.optional(),
    retry: Retry.optional(),
  },
  { sessionPersistence: NEVER },
);
const EVERY_PATH: HttpMatch = { path: { type: 'PathPrefix', value: '/' }, headers: [], queryParams: [] };
export type HttpRule = z.infer<typeof HttpRule>;

export const HTTPRouteSpec = object(
  {
    ...parents,
    hostnames: z.array(Hostname).max(MOST_HOSTNAMES, atMost(MOST_HOSTNAMES)).default([]),
    rules: z.array(HttpRule).min(1, 'must have at least one entry').max(MOST_RULES, atMost(MOST_RULES)).prefault([{}]),
  },
  NOT_YET,
);
export const HTTPRouteManifest = object({
  apiVersion: z.literal('gateway.networking.k8s.io/v1'),
  kind: z.literal('HTTPRoute'),
  metadata: ManifestMeta,
  spec: HTTPRouteSpec.prefault({}),
});

const grpcWord = z.string().max(1024, noLonger(1024));
const GrpcMethod = object({
  type: MatchType,
  service: unset('', grpcWord.optional()),
  method: unset('', grpcWord.optional()),
}).superRefine(({ type, service, method }, context) => {
  if (service === undefined && method === undefined)
    context.addIssue({ code: 'custom', message: 'must have a service, a method, or both' });
  const told = (field: string, message: string): void => {
    context.addIssue({ code: 'custom', path: [field], message });
  };
  if (type === 'RegularExpression') {
    if (service !== undefined && !isRegex(service)) told('service', REGEX_RULE);
    if (method !== undefined && !isRegex(method)) told('method', REGEX_RULE);
    return;
  }
  if (service !== undefined && !/^\.?[a-z_][a-z_0-9]*(\.[a-z_][a-z_0-9]*)*$/i.test(service))
    told('service', 'must be the name of a service, such as package.Service');
  if (method !== undefined && !/^[A-Za-z_][A-Za-z_0-9]*$/.test(method)) told('method', 'must be the name of a method');
});
const GrpcMatch = object({
  method: GrpcMethod.optional(),
  headers: listMap(['name'], HeaderMatch).max(16, atMost(16)).default([]),
});
export type GrpcMatch = z.infer<typeof GrpcMatch>;
const GrpcRule = object(
  {
    name: SectionName.optional(),
    matches: z.array(GrpcMatch).max(MOST_MATCHES, atMost(MOST_MATCHES)).default([]),
    filters: filters(GrpcFilter),
    backendRefs: z.array(GrpcBackendRef).max(MOST_BACKENDS, atMost(MOST_BACKENDS)).default([]),
  },
  { sessionPersistence: NEVER },
);
export type GrpcRule = z.infer<typeof GrpcRule>;
export const GRPCRouteSpec = object(
  {
    ...parents,
    hostnames: z.array(Hostname).max(MOST_HOSTNAMES, atMost(MOST_HOSTNAMES)).default([]),
    rules: z.array(GrpcRule).max(MOST_RULES, atMost(MOST_RULES)).default([]),
  },
  NOT_YET,
);
export const GRPCRouteManifest = object({
  apiVersion: z.literal('gateway.networking.k8s.io/v1'),
  kind: z.literal('GRPCRoute'),
  metadata: ManifestMeta,
  spec: GRPCRouteSpec.prefault({}),
});

const StreamRule = object({
  name: SectionName.optional(),
  backendRefs: z.array(BackendRef).min(1, 'must have at least one entry').max(MOST_BACKENDS, atMost(MOST_BACKENDS)),
});
const streamRules = z
  .array(StreamRule)
  .min(1, 'must have one entry')
  .max(1, 'must have one entry: there is nothing to choose by');
export const TLSRouteSpec = object(
  { ...parents, hostnames: z.array(Hostname).max(1024, atMost(1024)).default([]), rules: streamRules },
  NOT_YET,
);
export const TLSRouteManifest = object({
  apiVersion: z.literal('gateway.networking.k8s.io/v1'),
  kind: z.literal('TLSRoute'),
  metadata: ManifestMeta,
  spec: TLSRouteSpec,
});
export const TCPRouteSpec = object({ ...parents, rules: streamRules }, NOT_YET);
export const TCPRouteManifest = object({
  apiVersion: z.literal('gateway.networking.k8s.io/v1alpha2'),
  kind: z.literal('TCPRoute'),
  metadata: ManifestMeta,
  spec: TCPRouteSpec,
});

/** How a route is at one of its parents, as that parent's controller says. */
export interface RouteParentStatus {
  readonly parentRef: ParentReference;
  readonly controllerName: string;
  readonly conditions: readonly Condition[];
}
export interface RouteStatus {
  readonly parents: readonly RouteParentStatus[];
}
interface RouteOf<K extends string, A extends string, S> {
  readonly apiVersion: A;
  readonly kind: K;
  readonly metadata: ObjectMeta;
  readonly spec: S;
  readonly status?: RouteStatus;
}
type V1 = 'gateway.networking.k8s.io/v1';
export type HTTPRoute = RouteOf<'HTTPRoute', V1, z.infer<typeof HTTPRouteSpec>>;
export type GRPCRoute = RouteOf<'GRPCRoute', V1, z.infer<typeof GRPCRouteSpec>>;
export type TLSRoute = RouteOf<'TLSRoute', V1, z.infer<typeof TLSRouteSpec>>;
export type TCPRoute = RouteOf<'TCPRoute', 'gateway.networking.k8s.io/v1alpha2', z.infer<typeof TCPRouteSpec>>;
export type StoredHTTPRoute = HTTPRoute & { readonly metadata: StoredMeta };
export type StoredGRPCRoute = GRPCRoute & { readonly metadata: StoredMeta };
export type StoredTLSRoute = TLSRoute & { readonly metadata: StoredMeta };
export type StoredTCPRoute = TCPRoute & { readonly metadata: StoredMeta };
export type StoredRoute = StoredHTTPRoute | StoredGRPCRoute | StoredTLSRoute | StoredTCPRoute;
