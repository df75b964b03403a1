import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { certificate, gateway, HTTP, httpRoute, Scene, service, to } from './scene.ts';

const WEB = 'default/web/http';
const APIS = 'default/api/http';
const listener = (name: string, hostname: string, port = 80): string =>
  `{name: ${name}, port: ${port}, protocol: HTTP, hostname: '${hostname}'}`;
const hosts = (...names: readonly string[]): string => `hostnames: [${names.map((name) => `'${name}'`).join(', ')}]`;

describe('an HTTPRoute', () => {
  it('sends what its rules match, and nothing else', () => {
    const scene = new Scene(gateway(HTTP), httpRoute('web', `${to('web', '/a')}, ${to('api', '/b/')}`));
    const asked = ['/a', '/a/', '/a/x', '/ab', '/b', '/b/x', '/'].map((path) => scene.ask({ host: 'any', path }));
    assert.deepEqual(asked, [WEB, WEB, WEB, '404', APIS, APIS, '404']);
    assert.deepEqual(
      [scene.route('HTTPRoute', 'web', 'Accepted'), scene.route('HTTPRoute', 'web', 'ResolvedRefs')],
      ['True Accepted', 'True ResolvedRefs'],
    );
  });

  it('without rules, matches or host names takes everything', () => {
    const scene = new Scene(gateway(HTTP), httpRoute('web', '{backendRefs: [{name: web, port: 80}]}'));
    assert.equal(scene.ask({ host: 'any', path: '/x', method: 'PUT' }), WEB);
  });

  it('is tried in the order of Gateway API, whatever the order in which it is written', () => {
    const match = (text: string, backend: string): string =>
      `{matches: [${text}], backendRefs: [{name: ${backend}, port: 80}]}`;
    const rules = [
      match("{path: {value: '/'}}", 'p0'),
      match("{path: {value: '/v'}, headers: [{name: X, value: a}]}", 'h1'),
      match("{path: {value: '/v'}, headers: [{name: X, value: a}, {name: 'Y', value: b}]}", 'h2'),
      match("{path: {value: '/v'}, queryParams: [{name: q, value: a}]}", 'q1'),
      match("{path: {value: '/v'}, method: PATCH}", 'm1'),
      match("{path: {value: '/v/long'}}", 'p2'),
      match("{path: {type: Exact, value: '/v'}}", 'e1'),
      match("{path: {type: RegularExpression, value: '/v/[0-9]+'}}", 'r1'),
    ];
    const names = ['p0', 'h1', 'h2', 'q1', 'm1', 'p2', 'e1', 'r1'];
    const scene = new Scene(...names.map((name) => service(name)), gateway(HTTP), httpRoute('web', rules.join(', ')));
    const ask = (more: object): string => scene.ask({ host: 'any', ...more }).split('/')[1] ?? '';
    assert.deepEqual(
      [
        ask({ path: '/x' }),
        ask({ path: '/v', headers: { x: 'a', y: 'b' }, method: 'PATCH' }),
        ask({ path: '/v/', headers: { x: 'a' } }),
        ask({ path: '/v/', headers: { x: 'a', y: 'b' }, query: { q: 'a' } }),
        ask({ path: '/v/', headers: { x: 'a', y: 'b' }, method: 'PATCH' }),
        ask({ path: '/v/', query: { q: 'a' } }),
        ask({ path: '/v/long/x', method: 'PATCH', headers: { x: 'a' } }),
        ask({ path: '/v/17', headers: { x: 'a' } }),
      ],
      ['p0', 'e1', 'h1', 'h2', 'm1', 'q1', 'p2', 'r1'],
    );
  });

  it('gives way to the older one, then to the name, then to the first rule', () => {
    const scene = new Scene(gateway(HTTP), httpRoute('z', to('web', '/a')), httpRoute('a', to('api', '/a')));
    assert.equal(scene.ask({ host: 'any', path: '/a' }), WEB);
    const same = new Scene(gateway(HTTP), `${httpRoute('z', to('web'))}\n---\n${httpRoute('a', to('api'))}`);
    assert.equal(same.ask({ host: 'any' }), APIS);
    const rules = new Scene(gateway(HTTP), httpRoute('z', `${to('web')}, ${to('api')}`));
    assert.equal(rules.ask({ host: 'any' }), WEB);
  });

  it('for a more specific host name is tried first, and what it leaves is taken by the wider one', () => {
    const scene = new Scene(
      gateway(HTTP),
      httpRoute('wide', to('api'), hosts('*.example.com')),
      httpRoute('exact', to('web', '/a'), hosts('foo.example.com')),
    );
    assert.equal(scene.ask({ host: 'foo.example.com', path: '/a' }), WEB);
    assert.equal(scene.ask({ host: 'foo.example.com', path: '/b' }), APIS);
    assert.equal(scene.ask({ host: 'a.b.example.com', path: '/a' }), APIS);
    assert.equal(scene.ask({ host: 'example.com' }), '404');
  });

  it('is tried on its own listener alone: the most specific one that takes the name', () => {
    const scene = new Scene(
      gateway(
        [
          HTTP,
          listener('wild', '*.example.com'),
          listener('foo', 'foo.example.com'),
          listener('deep', '*.foo.example.com'),
        ].join(', '),
      ),
      httpRoute('empty', to('web', '/empty'), 'parentRefs: [{name: edge, sectionName: http}]'),
      httpRoute('wild', to('web', '/wild'), 'parentRefs: [{name: edge, sectionName: wild}]'),
      httpRoute('foo', to('web', '/foo'), 'parentRefs: [{name: edge, sectionName: foo}]'),
      httpRoute('deep', to('web', '/deep'), 'parentRefs: [{name: edge, sectionName: deep}]'),
    );
    const taken = (host: string): string[] =>
      ['/empty', '/wild', '/foo', '/deep'].filter((path) => scene.ask({ host, path }) !== '404');
    assert.deepEqual(['bar.com', 'bar.example.com', 'foo.example.com', 'a.foo.example.com'].map(taken), [
      ['/empty'],
      ['/wild'],
      ['/foo'],
      ['/deep'],
    ]);
  });

  it('is taken for those of its host names that a listener takes', () => {
    const scene = new Scene(
      gateway(listener('a', '*.example.com')),
      httpRoute('web', to('web'), hosts('very.specific.example.com', 'example.net', '*.wild.example.com')),
    );
    const ask = (host: string): string => scene.ask({ host });
    assert.deepEqual(['very.specific.example.com', 'example.net', 'a.wild.example.com', 'wild.example.com'].map(ask), [
      WEB,
      '404',
      WEB,
      '404',
    ]);
  });

  const refused: readonly (readonly [name: string, listeners: string, spec: string, told: string])[] = [
    ['a listener that is not there', HTTP, 'parentRefs: [{name: edge, sectionName: x}]', 'False NoMatchingParent'],
    ['a port that no listener has', HTTP, 'parentRefs: [{name: edge, port: 81}]', 'False NoMatchingParent'],
    [
      'host names that no listener takes',
      listener('a', 'a.example.com'),
      hosts('b.example.com'),
      'False NoMatchingListenerHostname',
    ],
    [
      'listeners of another kind',
      '{name: tcp, port: 90, protocol: TCP}',
      'parentRefs: [{name: edge}]',
      'False NotAllowedByListeners',
    ],
  ];
  for (const [name, listeners, spec, told] of refused)
    it(`with ${name} is not accepted, until it is right`, () => {
      const scene = new Scene(gateway(listeners), httpRoute('web', to('web'), spec));
      assert.equal(scene.route('HTTPRoute', 'web', 'Accepted'), told);
      scene.add(gateway(HTTP), httpRoute('web', to('web')));
      assert.equal(scene.route('HTTPRoute', 'web', 'Accepted'), 'True Accepted');
    });

  it('says nothing of a Gateway that is not there, and no more of one that it has left', () => {
    const scene = new Scene(gateway(HTTP), httpRoute('web', to('web')));
    assert.equal(scene.get('HTTPRoute', 'web').status?.parents.length, 1);
    scene.add(httpRoute('web', to('web'), 'parentRefs: [{name: other}]'));
    assert.equal(scene.get('HTTPRoute', 'web').status?.parents.length, 0);
  });

  it('keeps what other controllers have told', () => {
    const scene = new Scene(gateway(HTTP), httpRoute('web', to('web')));
    const { status, ...object } = scene.get('HTTPRoute', 'web');
    const [own] = status?.parents ?? [];
    assert.ok(own);
    const foreign = { ...own, controllerName: 'example.com/other' };
    scene.world.put({ ...object, status: { parents: [foreign] } });
    scene.world.settle();
    const names = scene.get('HTTPRoute', 'web').status?.parents.map(({ controllerName }) => controllerName);
    assert.deepEqual(names, ['example.com/other', 'plumbline.dev/gateway']);
  });
});

describe('a backend', () => {
  const grant = (kind: string, from = 'default', name = ''): string =>
    `{apiVersion: gateway.networking.k8s.io/v1beta1, kind: ReferenceGrant, metadata: {name: g, namespace: team}, spec: {from: [{group: gateway.networking.k8s.io, kind: ${kind}, namespace: ${from}}], to: [{group: '', kind: Service${name === '' ? '' : `, name: ${name}`}}]}}`;
  const team = ['{apiVersion: v1, kind: Namespace, metadata: {name: team}}', service('web', 'team')];
  const cases: readonly (readonly [
    name: string,
    ref: string,
    others: readonly string[],
    told: string,
    asked: string,
  ])[] = [
    ['that is there', '{name: web, port: 80}', [], 'True ResolvedRefs', WEB],
    ['that is not there', '{name: none, port: 80}', [], 'False BackendNotFound', '500'],
    ['at a port that is not there', '{name: web, port: 81}', [], 'False BackendNotFound', '500'],
    ['of another kind', '{kind: Bucket, group: example.com, name: web, port: 80}', [], 'False InvalidKind', '500'],
    ['of another namespace', '{name: web, namespace: team, port: 80}', team, 'False RefNotPermitted', '500'],
    [
      'that a grant allows',
      '{name: web, namespace: team, port: 80}',
      [...team, grant('HTTPRoute')],
      'True ResolvedRefs',
      'team/web/http',
    ],
    [
      'that a grant names',
      '{name: web, namespace: team, port: 80}',
      [...team, grant('HTTPRoute', 'default', 'web')],
      'True ResolvedRefs',
      'team/web/http',
    ],
    [
      'with a grant for other routes',
      '{name: web, namespace: team, port: 80}',
      [...team, grant('GRPCRoute')],
      'False RefNotPermitted',
      '500',
    ],
    [
      'with a grant for another Service',
      '{name: web, namespace: team, port: 80}',
      [...team, grant('HTTPRoute', 'default', 'x')],
      'False RefNotPermitted',
      '500',
    ],
    ['of weight 0', '{name: web, port: 80, weight: 0}', [], 'True ResolvedRefs', '500'],
    [
      'beside another',
      '{name: web, port: 80, weight: 9}, {name: api, port: 80}',
      [],
      'True ResolvedRefs',
      `${WEB}*9 ${APIS}*1`,
    ],
    [
      'that is not there beside another',
      '{name: web, port: 80}, {name: none, port: 80}',
      [],
      'False BackendNotFound',
      `${WEB}*1 *1`,
    ],
    [
      'over UDP',
      '{name: dns, port: 53}',
      [service('dns', 'default', '[{port: 53, protocol: UDP}]')],
      'False UnsupportedProtocol',
      '500',
    ],
    [
      'in HTTP/2',
      '{name: h2, port: 80}',
      [service('h2', 'default', '[{port: 80, appProtocol: kubernetes.io/h2c}]')],
      'True ResolvedRefs',
      'default/h2/80+h2c',
    ],
  ];
  for (const [name, ref, others, told, asked] of cases)
    it(name, () => {
      const scene = new Scene(...others, gateway(HTTP), httpRoute('web', `{backendRefs: [${ref}]}`));
      assert.deepEqual([scene.route('HTTPRoute', 'web', 'ResolvedRefs'), scene.ask({ host: 'any' })], [told, asked]);
      assert.equal(scene.route('HTTPRoute', 'web', 'Accepted'), 'True Accepted');
    });

  it('follows its Service, and the grant that it stands on', () => {
    const scene = new Scene(gateway(HTTP), httpRoute('web', to('late')));
    assert.equal(scene.ask({ host: 'any' }), '500');
    assert.equal(scene.add(service('late')).ask({ host: 'any' }), 'default/late/http');
    assert.equal(scene.remove('Service', 'late').ask({ host: 'any' }), '500');
  });

  it('is in a ProxyConfig only where something there names it', () => {
    const scene = new Scene(
      gateway(HTTP),
      httpRoute('web', to('web')),
      httpRoute('api', to('api'), 'parentRefs: [{name: other}]'),
    );
    assert.deepEqual(scene.spec().backends, [
      { name: WEB, namespace: 'default', service: 'web', portName: 'http', protocol: 'http1' },
    ]);
  });
});

describe('filters and time-outs of a rule', () => {
  const rule = (filters: string, more = ', backendRefs: [{name: web, port: 80}]'): string =>
    `{matches: [{path: {value: /a}}], filters: [${filters}]${more}}`;
  const redirected = (filter: string, listeners = HTTP, port = 80): unknown =>
    new Scene(
      certificate('cert'),
      gateway(listeners),
      httpRoute('web', rule(`{type: RequestRedirect, requestRedirect: {${filter}}}`, '')),
    ).find({ host: 'any', path: '/a', port })?.action;

  it('change headers, host and path', () => {
    const filters =
      '{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: X, value: "a b"}], add: [{name: Yy, value: b}], remove: [Z]}}, {type: ResponseHeaderModifier, responseHeaderModifier: {remove: [Server]}}, {type: URLRewrite, urlRewrite: {hostname: b.example.com, path: {type: ReplacePrefixMatch, replacePrefixMatch: /b}}}';
    const scene = new Scene(gateway(HTTP), httpRoute('web', rule(filters)));
    assert.deepEqual(scene.find({ host: 'any', path: '/a' })?.filters, [
      { type: 'request-headers', set: [{ name: 'X', value: 'a b' }], add: [{ name: 'Yy', value: 'b' }], remove: ['Z'] },
      { type: 'response-headers', set: [], add: [], remove: ['Server'] },
      { type: 'rewrite', hostname: 'b.example.com', path: { type: 'prefix', value: '/b' } },
    ]);
  });

  it('redirect with the port that the specification gives', () => {
    const https = `{name: https, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: cert}]}}`;
    assert.deepEqual(redirected('scheme: https, statusCode: 301'), { type: 'redirect', status: 301, scheme: 'https' });
    assert.deepEqual(redirected('hostname: b.example.com'), {
      type: 'redirect',
      status: 302,
      hostname: 'b.example.com',
    });
    assert.deepEqual(redirected('hostname: b.example.com', '{name: a, port: 8080, protocol: HTTP}', 8080), {
      type: 'redirect',
      status: 302,
      hostname: 'b.example.com',
      port: 8080,
    });
    assert.deepEqual(redirected('scheme: https', '{name: a, port: 8080, protocol: HTTP}', 8080), {
      type: 'redirect',
      status: 302,
      scheme: 'https',
    });
    assert.deepEqual(redirected('port: 8443, scheme: https'), {
      type: 'redirect',
      status: 302,
      scheme: 'https',
      port: 8443,
    });
    assert.deepEqual(redirected('port: 443', https, 443), { type: 'redirect', status: 302 });
    assert.deepEqual(redirected('path: {type: ReplaceFullPath, replaceFullPath: /x}'), {
      type: 'redirect',
      status: 302,
      path: { type: 'full', value: '/x' },
    });
  });

  it('of a backend are for its share of requests alone', () => {
    const redirect = 'filters: [{type: RequestRedirect, requestRedirect: {hostname: b.example.com}}]';
    const rewrite = 'filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath, replaceFullPath: /b}}}]';
    const refs = [
      `{name: web, port: 80, ${redirect}}`,
      `{name: api, port: 80, ${rewrite}}`,
      `{name: nobody, port: 80, ${redirect}}`,
    ];
    const scene = new Scene(gateway(HTTP), httpRoute('web', rule('', `, backendRefs: [${refs.join(', ')}]`)));
    assert.deepEqual(scene.find({ host: 'any', path: '/a' })?.action, {
      type: 'forward',
      to: [
        { backend: WEB, weight: 1, redirect: { status: 302, hostname: 'b.example.com' } },
        { backend: APIS, weight: 1, filters: [{ type: 'rewrite', path: { type: 'full', value: '/b' } }] },
        { backend: '', weight: 1 },
      ],
    });
  });

  it('that cannot be carried out drop the rule, and the others stay', () => {
    const wrong =
      '{matches: [{path: {type: Exact, value: /b}}], filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /c}}}], backendRefs: [{name: web, port: 80}]}';
    const scene = new Scene(gateway(HTTP), httpRoute('web', `${wrong}, ${to('api', '/a')}`));
    assert.deepEqual(
      [scene.route('HTTPRoute', 'web', 'Accepted'), scene.route('HTTPRoute', 'web', 'PartiallyInvalid')],
      ['True Accepted', 'True UnsupportedValue'],
    );
    assert.deepEqual([scene.ask({ host: 'any', path: '/b' }), scene.ask({ host: 'any', path: '/a' })], ['404', APIS]);
    scene.add(httpRoute('web', wrong));
    assert.equal(scene.route('HTTPRoute', 'web', 'Accepted'), 'False UnsupportedValue');
    scene.add(httpRoute('web', to('web')));
    assert.deepEqual(
      [scene.route('HTTPRoute', 'web', 'Accepted'), scene.route('HTTPRoute', 'web', 'PartiallyInvalid')],
      ['True Accepted', 'none'],
    );
  });

  it('send copies of requests to Services, and to none that is not there', () => {
    const mirror = (text: string): string => `{type: RequestMirror, requestMirror: {${text}}}`;
    const both = `${mirror('backendRef: {name: api, port: 80}, percent: 20')}, ${mirror('backendRef: {name: api, port: 9000}, fraction: {numerator: 1, denominator: 3}')}`;
    const own = `, backendRefs: [{name: web, port: 80, filters: [${mirror('backendRef: {name: web, port: 9000}')}]}]`;
    const scene = new Scene(gateway(HTTP), httpRoute('web', rule(both, own)));
    const found = scene.find({ host: 'any', path: '/a' });
    const copy = { type: 'mirror', denominator: 100 };
    assert.deepEqual(found?.filters, [
      { ...copy, backend: APIS, numerator: 20 },
      { ...copy, backend: 'default/api/grpc', numerator: 1, denominator: 3 },
    ]);
    const filters = [{ ...copy, backend: 'default/web/grpc', numerator: 100 }];
    assert.deepEqual(found?.action, { type: 'forward', to: [{ backend: WEB, weight: 1, filters }] });
    assert.deepEqual(
      scene.spec().backends.map(({ name }) => name),
      [APIS, 'default/api/grpc', 'default/web/grpc', WEB].sort(),
    );
    const cases = [
      ['{name: none, port: 80}', 'False BackendNotFound'],
      ['{name: web, namespace: team, port: 80}', 'False RefNotPermitted'],
      ['{name: api, kind: Bucket, group: x.test}', 'False InvalidKind'],
    ] as const;
    for (const [ref, told] of cases) {
      scene.add(httpRoute('web', rule(mirror(`backendRef: ${ref}`))));
      const { filters: left } = scene.find({ host: 'any', path: '/a' }) ?? {};
      assert.deepEqual([scene.route('HTTPRoute', 'web', 'ResolvedRefs'), left], [told, []]);
      assert.equal(scene.ask({ host: 'any', path: '/a' }), WEB);
    }
  });

  it('share answers with other origins, as the specification has it where nothing is written', () => {
    const shared = (cors: string): unknown =>
      new Scene(gateway(HTTP), httpRoute('web', rule(`{type: CORS, cors: {${cors}}}`))).find({
        host: 'any',
        path: '/a',
      })?.filters;
    const none = { credentials: false, methods: [], headers: [], expose: [], maxAgeSeconds: 5 };
    assert.deepEqual(shared(''), [{ type: 'cors', ...none, origins: [] }]);
    assert.deepEqual(
      shared(
        'allowOrigins: ["https://a.test", "http://*.b.test:81"], allowCredentials: true, allowMethods: [PUT], allowHeaders: [X-A], exposeHeaders: [X-B], maxAge: 60',
      ),
      [
        {
          type: 'cors',
          origins: ['https://a.test', 'http://*.b.test:81'],
          credentials: true,
          methods: ['PUT'],
          headers: ['X-A'],
          expose: ['X-B'],
          maxAgeSeconds: 60,
        },
      ],
    );
  });

  it('that are none are refused at the commit', () => {
    const cors = (text: string): string => rule(`{type: CORS, cors: {${text}}}`);
    const retry = (text: string): string => to('web', '/', `, retry: {${text}}`);
    const mirror = (text: string): string =>
      rule(`{type: RequestMirror, requestMirror: {backendRef: {name: api, port: 80}, ${text}}}`);
    const cases: readonly (readonly [rule: string, why: RegExp])[] = [
      [cors('allowOrigins: ["*", "https://a.test"]'), /beside others/],
      [cors('allowMethods: [GET, "*"]'), /beside others/],
      [cors('allowOrigins: ["a.test"]'), /an origin such as/],
      [cors('allowOrigins: ["https://a.*.test"]'), /an origin such as/],
      [cors('exposeHeaders: ["*"], allowCredentials: true'), /must name the headers/],
      [cors('maxAge: 0'), /must be 1 or more/],
      [rule('{type: CORS, cors: {}}, {type: CORS, cors: {}}'), /must not have two CORS/],
      [mirror('percent: 101'), /at most 100/],
      [mirror('percent: 1, fraction: {numerator: 1}'), /must not be beside percent/],
      [mirror('fraction: {numerator: 3, denominator: 2}'), /must not be more than denominator/],
      [retry('codes: [429]'), /must be one of 401/],
      [retry('attempts: 101'), /at most 100/],
      [retry('backoff: 1s'), /backoff/],
    ];
    for (const [text, why] of cases) assert.throws(() => new Scene(gateway(HTTP), httpRoute('web', text)), why, text);
  });

  it('say how often a request is tried again', () => {
    const retry = (more: string): unknown =>
      new Scene(gateway(HTTP), httpRoute('web', to('web', '/', more))).find({ host: 'any' })?.retry;
    assert.equal(retry(''), undefined);
    assert.deepEqual(retry(', retry: {}'), { attempts: 3, codes: [] });
    assert.deepEqual(retry(', retry: {attempts: 0, codes: [500, 503]}'), { attempts: 0, codes: [500, 503] });
  });

  it('say how long a request may take; none is no limit', () => {
    const timed = (text: string): unknown => {
      const found = new Scene(gateway(HTTP), httpRoute('web', to('web', '/', `, timeouts: {${text}}`))).find({
        host: 'any',
      });
      return [found?.requestTimeoutMs, found?.backendTimeoutMs];
    };
    assert.deepEqual(timed('request: 1m30s, backendRequest: 500ms'), [90_000, 500]);
    assert.deepEqual(timed('request: 0s, backendRequest: 1h'), [undefined, 3_600_000]);
  });
});

describe('routes of other protocols', () => {
  const route = (kind: string, name: string, spec: string, version = 'v1'): string =>
    `{apiVersion: gateway.networking.k8s.io/${version}, kind: ${kind}, metadata: {name: ${name}}, spec: {parentRefs: [{name: edge}], ${spec}}}`;
  const grpc = (name: string, rules: string, more = ''): string => route('GRPCRoute', name, `${more}rules: [${rules}]`);
  const call = (method: string, backend: string): string =>
    `{matches: [${method}], backendRefs: [{name: ${backend}, port: 9000}]}`;

  it('send gRPC calls by service, method and headers', () => {
    const scene = new Scene(
      ...['a', 'b', 'c', 'd'].map((name) => service(name)),
      gateway(HTTP),
      grpc(
        'web',
        [
          call('{method: {service: x.Echo}}', 'a'),
          call('{method: {service: x.Echo, method: Ping}}', 'b'),
          call('{method: {method: Pong}}', 'c'),
          call('{method: {service: x.Echo}, headers: [{name: V, value: "2"}]}', 'd'),
        ].join(', '),
      ),
    );
    const ask = (path: string, headers = {}): string =>
      scene.ask({ host: 'any', path, method: 'POST', headers }).split('/')[1] ?? '';
    assert.deepEqual(
      [
        ask('/x.Echo/Other'),
        ask('/x.Echo/Ping'),
        ask('/y.Echo/Pong'),
        ask('/x.Echo/Other', { v: '2' }),
        scene.ask({ host: 'any', path: '/y.Echo/Ping' }),
      ],
      ['a', 'b', 'c', 'd', '404'],
    );
    assert.equal(scene.spec().backends[0]?.protocol, 'h2c');
  });

  it('send gRPC calls by rules that have a name', () => {
    const named = '{name: first, matches: [{method: {service: x.Echo}}], backendRefs: [{name: web, port: 9000}]}';
    const scene = new Scene(service('web'), gateway(HTTP), grpc('web', named));
    assert.equal(scene.route('GRPCRoute', 'web', 'Accepted'), 'True Accepted');
    assert.equal(scene.ask({ host: 'any', path: '/x.Echo/Ping', method: 'POST' }).split('/')[1], 'web');
  });

  it('send copies of calls, in HTTP/2 too', () => {
    const filters = '[{type: RequestMirror, requestMirror: {backendRef: {name: api, port: 9000}}}]';
    const scene = new Scene(
      gateway(HTTP),
      grpc('web', `{filters: ${filters}, backendRefs: [{name: web, port: 9000}]}`),
    );
    assert.deepEqual(
      scene.spec().backends.map(({ name, protocol }) => [name, protocol]),
      [
        ['default/api/grpc+h2c', 'h2c'],
        ['default/web/grpc+h2c', 'h2c'],
      ],
    );
  });

  it('share no host name with HTTPRoutes: the older one has it', () => {
    const scene = new Scene(
      gateway(HTTP),
      httpRoute('web', to('web'), hosts('a.example.com')),
      grpc('g', call('{method: {service: x}}', 'api'), "hostnames: ['*.example.com'], "),
    );
    assert.equal(scene.route('GRPCRoute', 'g', 'Accepted'), 'False Conflicted');
    scene.remove('HTTPRoute', 'web');
    assert.equal(scene.route('GRPCRoute', 'g', 'Accepted'), 'True Accepted');
    scene.add(httpRoute('web', to('web'), hosts('a.example.com')));
    assert.equal(scene.route('HTTPRoute', 'web', 'Accepted'), 'False Conflicted');
  });

  it('pass TLS through by the name that is asked for', () => {
    const scene = new Scene(
      gateway("{name: tls, port: 443, protocol: TLS, hostname: '*.example.com', tls: {mode: Passthrough}}"),
      route('TLSRoute', 'a', 'hostnames: [a.example.com], rules: [{backendRefs: [{name: web, port: 80}]}]', 'v1alpha2'),
    );
    const [port] = scene.spec().ports;
    assert.deepEqual(
      [port?.protocol, port?.hosts],
      [
        'tls',
        [
          { hostname: 'a.example.com', forward: [{ backend: 'default/web/http+tcp', weight: 1 }] },
          { hostname: '*.example.com', forward: [] },
        ],
      ],
    );
    assert.equal(
      new Scene(
        gateway(HTTP),
        route('TLSRoute', 'a', 'rules: [{backendRefs: [{name: web, port: 80}]}]', 'v1alpha3'),
      ).route('TLSRoute', 'a', 'Accepted'),
      'False UnsupportedValue',
    );
  });

  it('pass bytes on, and what ends TLS has its certificate', () => {
    const scene = new Scene(
      certificate('cert'),
      gateway(
        '{name: db, port: 5432, protocol: TCP}, {name: tls, port: 5433, protocol: TLS, tls: {mode: Terminate, certificateRefs: [{name: cert}]}}',
      ),
      route('TCPRoute', 'db', 'rules: [{backendRefs: [{name: web, port: 80}, {name: none, port: 1}]}]', 'v1alpha2'),
    );
    const forward = [
      { backend: 'default/web/http+tcp', weight: 1 },
      { backend: '', weight: 1 },
    ];
    assert.deepEqual(scene.spec().ports, [
      { port: 5432, protocol: 'tcp', hosts: [{ hostname: '', forward }] },
      {
        port: 5433,
        protocol: 'tls',
        hosts: [{ hostname: '', certificates: [{ namespace: 'default', name: 'cert' }], forward }],
      },
    ]);
    assert.equal(scene.route('TCPRoute', 'db', 'ResolvedRefs'), 'False BackendNotFound');
  });
});
