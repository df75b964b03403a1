/**
 * Routes as Gateway API's conformance tests have them, for one Gateway with two Services (`one` answers `hello from v1`, `two` `hello from v2`), and
 * what requests to them are answered. Names are those of its tests; what it asks more of is in words.
 */
const API = 'apiVersion: gateway.networking.k8s.io/v1';

/** The servers know no path but `/`. */
const AT_ROOT = 'filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath, replaceFullPath: /}}}]';
const plainOne = 'backendRefs: [{name: one, port: 80}]';
const plainTwo = 'backendRefs: [{name: two, port: 80}]';
const [toOne, toTwo] = [`${AT_ROOT}, ${plainOne}`, `${AT_ROOT}, ${plainTwo}`];
const NO_ROUTE = '^404 no route';
export const FROM_ONE = '^200 hello from v1';
export const FROM_TWO = '^200 hello from v2';

function route(
  name: string,
  rules: readonly string[],
  spec = `hostnames: [${name}.test]`,
  namespace = 'default',
): string {
  const parent = `{name: edge, namespace: default${spec.includes('sectionName') ? '' : ', sectionName: http'}}`;
  const parents = spec.includes('parentRefs') ? '' : `parentRefs: [${parent}], `;
  return `{${API}, kind: HTTPRoute, metadata: {name: ${name}, namespace: ${namespace}}, spec: {${parents}${spec}, rules: [${rules.map((one) => `{${one}}`).join(', ')}]}}`;
}
const path = (value: string, type = 'PathPrefix'): string => `path: {type: ${type}, value: '${value}'}`;
const when = (...matches: readonly string[]): string => `matches: [${matches.map((one) => `{${one}}`).join(', ')}]`;
const redirect = (fields: string): string => `filters: [{type: RequestRedirect, requestRedirect: {${fields}}}]`;
const rewrite = (fields: string): string => `filters: [{type: URLRewrite, urlRewrite: {${fields}}}]`;

/** A file's text. `address`: of a pod of `one`, at 8080. */
export function behaviourManifests(address: string): string {
  return [
    route('exact', [`${when(path('/one', 'Exact'))}, ${toOne}`, `${when(path('/two', 'Exact'))}, ${toTwo}`]),
    route('order', [
      `${when(path('/match'))}, ${toOne}`,
      `${when(path('/match/prefix'))}, ${toTwo}`,
      `${when(path('/match/exact', 'Exact'))}, ${toTwo}`,
    ]),
    route('method', [`${when('method: POST')}, ${toOne}`, `${when('method: GET')}, ${toTwo}`]),
    route('query', [
      `${when('queryParams: [{name: animal, value: whale}]')}, ${toOne}`,
      `${when('queryParams: [{name: animal, value: dolphin}, {name: color, value: blue}]')}, ${toTwo}`,
    ]),
    route('across', [`${when(path('/v2'))}, ${toTwo}`]),
    route('across-root', [toOne], 'hostnames: [across.test]'),
    route('status', [
      `${when(path('/host'))}, ${redirect('hostname: example.org, statusCode: 301')}`,
      ...[303, 307, 308].map((code) => `${when(path(`/${code}`))}, ${redirect(`scheme: https, statusCode: ${code}`)}`),
    ]),
    route('paths', [
      `${when(path('/original-prefix'))}, ${redirect('path: {type: ReplacePrefixMatch, replacePrefixMatch: /replacement}')}`,
      `${when(path('/full'))}, ${redirect('path: {type: ReplaceFullPath, replaceFullPath: /full-replacement}')}`,
    ]),
    route('ports', [
      `${when(path('/port'))}, ${redirect('port: 8083')}`,
      `${when(path('/scheme'))}, ${redirect('scheme: https, port: 9443')}`,
    ]),
    route('rewrite', [
      `${when(path('/prefix'))}, ${rewrite('path: {type: ReplacePrefixMatch, replacePrefixMatch: /healthz}')}, ${plainOne}`,
      `${when(path('/full'))}, ${rewrite('path: {type: ReplaceFullPath, replaceFullPath: /}')}, ${plainTwo}`,
      toOne,
    ]),
    route('share', [
      `${when(path('/redirect'))}, backendRefs: [{name: one, port: 80, ${redirect('hostname: example.org, path: {type: ReplacePrefixMatch, replacePrefixMatch: /there}')}}]`,
      `${when(path('/rewrite'))}, backendRefs: [{name: two, port: 80, ${rewrite('path: {type: ReplaceFullPath, replaceFullPath: /}')}}]`,
    ]),
    route('types', [
      `${when(path('/headless'))}, ${AT_ROOT}, backendRefs: [{name: headless, port: 8080}]`,
      `${when(path('/by-hand'))}, ${AT_ROOT}, backendRefs: [{name: by-hand, port: 80}]`,
      `${when(path('/headless-by-hand'))}, ${AT_ROOT}, backendRefs: [{name: headless-by-hand, port: 80}]`,
    ]),
    '{apiVersion: v1, kind: Service, metadata: {name: headless}, spec: {clusterIP: None, selector: {app: one}, ports: [{port: 8080}]}}',
    ...['', 'headless-'].flatMap((kind) => [
      `{apiVersion: v1, kind: Service, metadata: {name: ${kind}by-hand}, spec: {${kind === '' ? '' : 'clusterIP: None, '}ports: [{port: 80}]}}`,
      `{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: ${kind}by-hand-1, labels: {kubernetes.io/service-name: ${kind}by-hand}}, addressType: IPv4, ports: [{port: 8080}], endpoints: [{addresses: [${address}]}]}`,
    ]),
    route('answer', [
      `filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: x-set, value: set}], add: [{name: x-add, value: added}], remove: [content-type]}}], ${plainOne}`,
    ]),
    route('cors', [
      `filters: [{type: CORS, cors: {allowOrigins: ['https://*.foo.test'], allowMethods: [PUT], allowCredentials: true}}], ${plainOne}`,
    ]),
    route('zero', ['backendRefs: [{name: one, port: 80, weight: 0}, {name: two, port: 80, weight: 0}]']),
    route('kind', ['backendRefs: [{group: example.com, kind: Unknown, name: one, port: 80}]']),
    route('named', [`name: first, ${when(path('/named'))}, ${toTwo}`]),
    route('names', [toOne], "hostnames: ['*.wild.test', very.specific.test]"),
    route('nowhere', [toOne], 'parentRefs: [{name: edge, sectionName: absent}], hostnames: [nowhere.test]'),
    ...['granted', 'closed'].map((namespace) => `{apiVersion: v1, kind: Namespace, metadata: {name: ${namespace}}}`),
    // A Service of another namespace without a selector, and endpoints that are nowhere: it is the reference that counts.
    ...['granted', 'closed'].map((name) => route(name, [`backendRefs: [{name: plain, namespace: ${name}, port: 80}]`])),
    ...['granted', 'closed'].map(
      (name) =>
        `{apiVersion: v1, kind: Service, metadata: {name: plain, namespace: ${name}}, spec: {ports: [{port: 80}]}}`,
    ),
    `{apiVersion: gateway.networking.k8s.io/v1beta1, kind: ReferenceGrant, metadata: {name: routes, namespace: granted}, spec: {from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: default}], to: [{group: '', kind: Service}]}}`,
    route('outside', [toOne], 'hostnames: [outside.test]', 'granted'),
  ].join('\n---\n');
}

type Asked = readonly [url: string, answer: string, ...options: readonly string[]];

/** What is answered: a pattern over `STATUS BODY HEADERS`. */
export const BEHAVIOURS: readonly (readonly [what: string, requests: readonly Asked[]])[] = [
  [
    'HTTPRouteExactPathMatching',
    [
      ['exact.test/one', FROM_ONE],
      ['exact.test/two', FROM_TWO],
      ['exact.test/one/more', NO_ROUTE],
      ['exact.test/', NO_ROUTE],
    ],
  ],
  [
    'HTTPRoutePathMatchOrder',
    [
      ['order.test/match', FROM_ONE],
      ['order.test/match/prefix/a', FROM_TWO],
      ['order.test/match/exact', FROM_TWO],
      ['order.test/match/exact/a', FROM_ONE],
    ],
  ],
  [
    'HTTPRouteMethodMatching',
    [
      ['method.test/', FROM_TWO],
      ['method.test/', NO_ROUTE, '-X', 'PATCH'],
    ],
  ],
  [
    'HTTPRouteQueryParamMatching',
    [
      ['query.test/?animal=whale', FROM_ONE],
      ['query.test/?animal=dolphin&color=blue', FROM_TWO],
      ['query.test/?animal=dolphin', NO_ROUTE],
      ['query.test/', NO_ROUTE],
    ],
  ],
  [
    'HTTPRouteMatchingAcrossRoutes',
    [
      ['across.test/', FROM_ONE],
      ['across.test/v2/a', FROM_TWO],
    ],
  ],
  ['HTTPRouteRedirectHostAndStatus', [['status.test/host', '^301 .*location: http://example\\.org/host( |$)']]],
  ['HTTPRoute303Redirect', [['status.test/303', '^303 .*location: https://status\\.test/303( |$)']]],
  ['HTTPRoute307Redirect', [['status.test/307', '^307 .*location: https://status\\.test/307( |$)']]],
  ['HTTPRoute308Redirect', [['status.test/308', '^308 .*location: https://status\\.test/308( |$)']]],
  [
    'HTTPRouteRedirectPath',
    [
      ['paths.test/original-prefix/lemon', '^302 .*location: http://paths\\.test/replacement/lemon( |$)'],
      ['paths.test/full/path/original', '^302 .*location: http://paths\\.test/full-replacement( |$)'],
    ],
  ],
  ['HTTPRouteRedirectPort', [['ports.test/port', '^302 .*location: http://ports\\.test:8083/port( |$)']]],
  ['HTTPRouteRedirectPortAndScheme', [['ports.test/scheme', '^302 .*location: https://ports\\.test:9443/scheme( |$)']]],
  [
    'HTTPRouteRewritePath',
    [
      ['rewrite.test/prefix', '^200 ok'],
      ['rewrite.test/full/one/two', FROM_TWO],
      ['rewrite.test/', FROM_ONE],
    ],
  ],
  [
    'HTTPRouteBackendRequestRedirect, HTTPRouteBackendURLRewrite',
    [
      ['share.test/redirect/x?y=1', '^302 .*location: http://example\\.org/there/x\\?y=1( |$)'],
      ['share.test/rewrite/one', FROM_TWO],
    ],
  ],
  [
    'HTTPRouteServiceTypes',
    [
      ['types.test/headless', FROM_ONE],
      ['types.test/by-hand', FROM_ONE],
      ['types.test/headless-by-hand', FROM_ONE],
    ],
  ],
  [
    'HTTPRouteResponseHeaderModifier',
    [
      ['answer.test/', 'x-set: set'],
      ['answer.test/', 'x-add: added'],
      ['answer.test/', '^200 (?!.*content-type)'],
    ],
  ],
  [
    'HTTPRouteCORS, HTTPRouteCORSAllowCredentialsBehavior',
    [
      [
        'cors.test/',
        '^200 .*allow-origin: https://a\\.foo\\.test .*allow-credentials: true .*allow-methods: put ',
        ...['-X', 'OPTIONS', '-H', 'Origin: https://a.foo.test', '-H', 'Access-Control-Request-Method: PUT'],
      ],
      ['cors.test/', `${FROM_ONE}.*allow-credentials: true`, '-H', 'Origin: https://a.foo.test'],
      ['cors.test/', `${FROM_ONE}(?!.*access-control)`, '-H', 'Origin: https://a.foo.test.evil'],
    ],
  ],
  ['HTTPRouteAllBackendsWeightZero', [['zero.test/', '^500']]],
  ['HTTPRouteInvalidBackendRefUnknownKind', [['kind.test/', '^500']]],
  [
    'HTTPRouteNamedRule',
    [
      ['named.test/named', FROM_TWO],
      ['named.test/', NO_ROUTE],
    ],
  ],
  [
    'host names of a route',
    [
      ['very.specific.test/', FROM_ONE],
      ['a.wild.test/', FROM_ONE],
      ['wild.test/', NO_ROUTE],
      ['other.test/', NO_ROUTE],
    ],
  ],
  ['HTTPRouteInvalidCrossNamespaceBackendRef', [['closed.test/', '^500']]],
  ['a reference that is granted', [['granted.test/', '^503']]],
  ['HTTPRouteInvalidCrossNamespaceParentRef', [['outside.test/', NO_ROUTE]]],
  ['HTTPRouteInvalidParentRefNotMatchingSectionName', [['nowhere.test/', NO_ROUTE]]],
];
