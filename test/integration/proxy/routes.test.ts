import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import type { ProxyCors, ProxyHost, ProxyPort, ProxyRule } from '../../../contracts/objects/proxy-config.ts';
import { freePort } from '../../support/free-port.ts';
import { endpoint, service, slice } from '../../unit/network/world.ts';
import { backend, exact, prefix, rule } from '../../unit/proxy/configs.ts';
import { proxyWorld, seen, serve, until, type Asked, type Backend, type ProxyWorld } from './world.ts';

describe('requests through the proxy', () => {
  let world: ProxyWorld;
  let web: Backend;
  let api: Backend;
  let port = 0;

  before(async () => {
    world = await proxyWorld();
    port = await freePort();
    web = await serve('web', '127.0.0.1');
    api = await serve('api', '127.0.0.1');
  });
  after(async () => {
    await world.close();
    await web.close();
    await api.close();
  });

  async function hosts(...all: readonly ProxyHost[]): Promise<void> {
    const http: ProxyPort = { port, protocol: 'http', hosts: all };
    await world.give([http], [web.backend, api.backend], ...web.objects(), ...api.objects());
    assert.deepEqual(world.report()?.problems, []);
  }
  async function whoTakes(asked: Asked): Promise<string> {
    const answer = await world.ask(port, asked);
    return answer.status === 200 ? seen(answer).name : String(answer.status);
  }

  it('go by host: its own name, one label, more labels, any', async () => {
    const answer = (status: number) => [rule(prefix('/'), { type: 'answer' as const, status })];
    await hosts(
      { hostname: 'a.example.com', rules: answer(201) },
      { hostname: '*.deep.example.com', rules: answer(202) },
      { hostname: '*.one.org', oneLabel: true, rules: answer(203) },
      { hostname: '*.example.com', rules: answer(204) },
      { hostname: '', rules: answer(205) },
    );
    const expected = {
      'a.example.com': '201',
      'A.Example.com:8080': '201',
      'x.deep.example.com': '202',
      'y.x.deep.example.com': '202',
      'deep.example.com': '204',
      'b.a.example.com': '204',
      'example.com': '205',
      'x.one.org': '203',
      'y.x.one.org': '205',
      'one.org': '205',
      '[::1]:80': '205',
    };
    for (const [host, status] of Object.entries(expected)) assert.equal(await whoTakes({ host }), status, host);
  });

  it('do not match a pattern that takes too many steps, which would keep a worker', async () => {
    // Tries all ways to split the x before it tries the second half: 2^20 and more steps until it matches.
    await hosts({
      hostname: '',
      rules: [rule({ path: { type: 'regex', value: '/(x+x+)+y|/x+z' } }, 'web'), rule(prefix('/'), 'api')],
    });
    assert.equal(await whoTakes({ path: '/xxxz' }), 'web');
    assert.equal(await whoTakes({ path: `/${'x'.repeat(20)}z` }), 'api');
  });

  it('go by path, the first rule that takes them', async () => {
    await hosts({
      hostname: '',
      rules: [
        rule(exact('/x'), 'web'),
        rule({ path: { type: 'regex', value: '/v[0-9]+/.*' } }, 'web'),
        rule(prefix('/api'), 'api'),
        rule(
          { path: { type: 'prefix', value: '/' }, headers: [{ name: 'x-canary', type: 'exact', value: 'yes' }] },
          'api',
        ),
        rule(
          {
            path: { type: 'prefix', value: '/' },
            query: [{ name: 'to', type: 'regex', value: 'a.i' }],
            method: 'POST',
          },
          'api',
        ),
      ],
    });
    const cases: readonly (readonly [Asked, string])[] = [
      [{ path: '/x' }, 'web'],
      [{ path: '/x?y=1' }, 'web'],
      [{ path: '/x/' }, '404'],
      [{ path: '/api' }, 'api'],
      [{ path: '/api/' }, 'api'],
      [{ path: '/api/a?b' }, 'api'],
      [{ path: '/apis' }, '404'],
      [{ path: '/v12/a' }, 'web'],
      [{ path: '/w/v12/a' }, '404'],
      [{ path: '/q', headers: { 'X-Canary': 'yes' } }, 'api'],
      [{ path: '/q', headers: { 'X-Canary': 'yes, no' } }, '404'],
      [{ path: '/q?to=api', method: 'POST' }, 'api'],
      [{ path: '/q?to=apis', method: 'POST' }, '404'],
      [{ path: '/q?to=api' }, '404'],
    ];
    for (const [asked, name] of cases) assert.equal(await whoTakes(asked), name, JSON.stringify(asked));
  });

  it('are shared out by weight', async () => {
    const to = (weights: readonly [number, number, number]) =>
      rule(prefix('/'), {
        type: 'forward',
        to: [
          { backend: 'web', weight: weights[0] },
          { backend: 'api', weight: weights[1] },
          { backend: '', weight: weights[2] },
        ],
      });
    await hosts(
      { hostname: 'some', rules: [to([7, 2, 1])] },
      { hostname: 'none', rules: [to([0, 0, 0])] },
      { hostname: 'one', rules: [to([0, 1, 0])] },
      { hostname: 'gone', rules: [to([0, 0, 1])] },
    );
    const counts = new Map<string, number>();
    for (let nth = 0; nth < 400; nth += 1) {
      const name = await whoTakes({ host: 'some' });
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    // Six standard deviations of 400 draws.
    assert.ok(Math.abs((counts.get('web') ?? 0) - 280) < 56, JSON.stringify([...counts]));
    assert.ok(Math.abs((counts.get('api') ?? 0) - 80) < 49, JSON.stringify([...counts]));
    assert.ok((counts.get('500') ?? 0) > 5, JSON.stringify([...counts]));
    assert.deepEqual(
      [await whoTakes({ host: 'none' }), await whoTakes({ host: 'one' }), await whoTakes({ host: 'gone' })],
      ['500', 'api', '500'],
    );
  });

  it('are answered 504 where a server says nothing for as long as it may', async () => {
    const at = await freePort();
    const silent = createServer(() => undefined).listen(at, '127.0.0.1');
    try {
      await once(silent, 'listening');
      const of = service('silent', '198.19.128.8', [{ name: 'http', port: 80, targetPort: at }]);
      await world.give(
        [
          {
            port,
            protocol: 'http',
            hosts: [
              {
                hostname: '',
                rules: [
                  rule(prefix('/request'), 'silent', { requestTimeoutMs: 100 }),
                  rule(prefix('/backend'), 'silent', { backendTimeoutMs: 100, requestTimeoutMs: 60_000 }),
                ],
              },
            ],
          },
        ],
        [backend('silent')],
        of,
        slice(of, [endpoint('127.0.0.1')], 'a', at),
      );
      assert.deepEqual([await whoTakes({ path: '/request' }), await whoTakes({ path: '/backend' })], ['504', '504']);
    } finally {
      silent.closeAllConnections();
      silent.close();
    }
  });

  it('are spoken to in HTTP/2 where the backend is', async () => {
    const h2 = createHttp2Server((asked, answer) => answer.end(JSON.stringify({ name: `http/${asked.httpVersion}` })));
    const at = await freePort();
    h2.listen(at, '127.0.0.1');
    try {
      await once(h2, 'listening');
      const of = service('h2', '198.19.128.8', [{ name: 'http', port: 80, targetPort: at }]);
      await world.give(
        [{ port, protocol: 'http', hosts: [{ hostname: '', rules: [rule(prefix('/'), 'h2')] }] }],
        [backend('h2', { protocol: 'h2c' })],
        of,
        slice(of, [endpoint('127.0.0.1')], 'a', at),
      );
      assert.equal(await whoTakes({}), 'http/2.0');
    } finally {
      h2.close();
    }
  });

  it('are changed on their way, and their answers', async () => {
    await hosts({
      hostname: 'h.test',
      rules: [
        rule(prefix('/full'), 'web', {
          filters: [
            { type: 'rewrite', hostname: 'other.test', path: { type: 'full', value: '/new%20path' } },
            {
              type: 'request-headers',
              set: [{ name: 'x-set', value: `it's "q" %[src] $HOME #1 \\1 %` }],
              add: [{ name: 'x-more', value: 'b' }],
              remove: ['x-gone'],
            },
            {
              type: 'response-headers',
              set: [{ name: 'x-server', value: 'nobody' }],
              add: [{ name: 'x-a', value: '1' }],
              remove: ['date'],
            },
          ],
        }),
        rule(prefix('/cut'), 'web', { filters: [{ type: 'rewrite', path: { type: 'prefix', value: '/' } }] }),
        rule(prefix('/swap'), 'web', { filters: [{ type: 'rewrite', path: { type: 'prefix', value: '/to/\\1%/' } }] }),
        rule({ path: { type: 'regex', value: '/re/([a-z]+)/(.*)' } }, 'web', {
          filters: [{ type: 'rewrite', path: { type: 'regex', value: '/\\2/\\1' } }],
        }),
      ],
    });
    const full = await world.ask(port, {
      host: 'h.test',
      path: '/full/x?q=1',
      headers: { 'x-gone': '1', 'x-more': 'a', 'x-forwarded-for': '9.9.9.9' },
    });
    const there = seen(full);
    assert.equal(there.path, '/new%20path?q=1');
    assert.deepEqual(
      Object.fromEntries(
        ['host', 'x-set', 'x-more', 'x-gone', 'x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host'].map(
          (name) => [name, there.headers[name]],
        ),
      ),
      {
        host: 'other.test',
        'x-set': `it's "q" %[src] $HOME #1 \\1 %`,
        'x-more': 'a, b',
        'x-gone': undefined,
        'x-forwarded-for': '127.0.0.1',
        'x-forwarded-proto': 'http',
        'x-forwarded-host': 'h.test',
      },
    );
    assert.deepEqual([full.headers['x-server'], full.headers['x-a'], full.headers.date], ['nobody', '1', undefined]);
    const paths = {
      '/cut': '/',
      '/cut/': '/',
      '/cut/a?b=/c': '/a?b=/c',
      '/swap': '/to/\\1%',
      '/swap/x': '/to/\\1%/x',
      '/re/ab/c/d': '/c/d/ab',
    };
    for (const [asked, got] of Object.entries(paths))
      assert.equal(seen(await world.ask(port, { host: 'h.test', path: asked })).path, got, asked);
  });

  // [HTTPRouteCORS] [HTTPRouteCORSAllowCredentialsBehavior]
  it('of scripts are shared with the origins that may see them, and preflight requests go no further', async () => {
    const cors = (more: Partial<ProxyCors>): ProxyRule['filters'] => [
      {
        type: 'cors',
        origins: ['*'],
        credentials: false,
        methods: [],
        headers: [],
        expose: [],
        maxAgeSeconds: 5,
        ...more,
      },
    ];
    const some = { methods: ['GET', 'OPTIONS'], headers: ['x-1', 'x-2'], expose: ['x-3', 'x-4'], maxAgeSeconds: 3600 };
    const origins = ['https://www.foo.com', 'https://*.bar.com', 'http://*:8080', 'https://std.com:443'];
    await hosts({
      hostname: '',
      rules: [
        rule(prefix('/some'), 'web', { filters: cors({ ...some, origins, credentials: true }) }),
        rule(prefix('/all'), 'web', { filters: cors({ methods: ['*'], headers: ['*'] }) }),
        rule(prefix('/login'), 'web', { filters: cors({ methods: ['*'], credentials: true }) }),
        rule(prefix('/none'), 'web', { filters: cors({ origins: [] }) }),
        rule(prefix('/down'), { type: 'redirect', status: 302, hostname: 'x.test' }, { filters: cors({}) }),
        rule(
          prefix('/own'),
          { type: 'forward', to: [{ backend: 'web', weight: 1, filters: cors({ origins: ['https://own.com'] }) }] },
          { filters: cors({}) },
        ),
      ],
    });
    /** Status, and what is said of sharing. */
    async function told(path: string, origin: string, asks?: string, headers = 'x-1'): Promise<string> {
      const preflight = asks !== undefined && {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': asks, 'access-control-request-headers': headers },
      };
      const answer = await world.ask(port, { path, headers: { origin }, ...preflight });
      if (asks === undefined && answer.status === 200) assert.equal(seen(answer).name, 'web');
      else assert.equal(answer.text, '');
      return [
        answer.status,
        ...['origin', 'credentials', 'methods', 'headers']
          .map((name) => answer.headers[`access-control-allow-${name}`])
          .concat(answer.headers['access-control-expose-headers'], answer.headers['access-control-max-age'])
          .map((value) => value ?? '-'),
      ].join(' | ');
    }
    const closed = '- | - | - | - | - | -';
    const [foo, bar] = ['https://www.foo.com', 'https://xpto.www.bar.com'];
    const allowed = 'true | GET, OPTIONS | x-1, x-2 | x-3, x-4 | 3600';
    const cases: readonly (readonly [Parameters<typeof told>, string])[] = [
      [['/some', foo, 'GET'], `200 | ${foo} | ${allowed}`],
      [['/some', bar, 'GET'], `200 | ${bar} | ${allowed}`],
      [['/some', 'https://bar.com', 'GET'], `200 | ${closed}`],
      [['/some', 'https://foobar.com', 'GET'], `200 | ${closed}`],
      [['/some', 'https://www.foo.com.evil.test', 'GET'], `200 | ${closed}`],
      [['/some', 'https://wwwxfoo.com', 'GET'], `200 | ${closed}`],
      [['/some', 'http://any.thing:8080', 'GET'], `200 | http://any.thing:8080 | ${allowed}`],
      [['/some', 'https://std.com', 'GET'], `200 | https://std.com | ${allowed}`],
      [['/some', foo], `200 | ${foo} | true | - | - | x-3, x-4 | -`],
      [['/some', 'https://foobar.com'], `200 | ${closed}`],
      [['/all', foo, 'PUT', 'x-a, x-b'], '200 | * | - | PUT | x-a, x-b | - | 5'],
      [['/all', foo], '200 | * | - | - | - | - | -'],
      [['/login', foo, 'PUT'], `200 | ${foo} | true | PUT | - | - | 5`],
      [['/none', foo, 'PUT'], `200 | ${closed}`],
      [['/down', foo], '302 | * | - | - | - | - | -'],
      [['/own', foo], `200 | ${closed}`],
      [['/own', 'https://own.com'], '200 | https://own.com | - | - | - | - | -'],
    ];
    for (const [asked, expected] of cases) assert.equal(await told(...asked), expected, asked.join(' '));
    const plain = await world.ask(port, { path: '/some', method: 'OPTIONS' });
    assert.deepEqual([seen(plain).method, plain.headers.vary], ['OPTIONS', 'origin']);
  });

  // [HTTPRouteRequestMirror] [HTTPRouteRequestMultipleMirrors] [HTTPRouteRequestPercentageMirror]
  it('are sent to a mirror as well, whole and as they are after the filters, and never wait for that', async () => {
    const copies: string[] = [];
    const at = await freePort();
    const mirror = createServer((asked, answer) => {
      const parts: Buffer[] = [];
      asked
        .on('data', (part: Buffer) => parts.push(part))
        .once('end', () => {
          const { host = '', 'x-plumbline-mirror': own, 'x-a': a = '' } = asked.headers;
          const length = Buffer.concat(parts).length;
          copies.push([asked.method, host, asked.url, `a=${String(a)}`, length, ...(own ? ['own'] : [])].join(' '));
          answer.writeHead(500).end('nobody is to see this');
        });
    }).listen(at, '127.0.0.1');
    const calls: string[] = [];
    const h2 = createHttp2Server((asked, answer) => {
      calls.push(`${asked.httpVersion} ${asked.method} ${asked.url}`);
      asked.resume().once('end', () => answer.end());
    }).listen(0, '127.0.0.1');
    try {
      await Promise.all([once(mirror, 'listening'), h2.listening || once(h2, 'listening')]);
      const of = service('copies', '198.19.128.8', [{ name: 'http', port: 80, targetPort: at }]);
      const callsAt = (h2.address() as AddressInfo).port;
      const ofCalls = service('calls', '198.19.128.7', [{ name: 'http', port: 80, targetPort: callsAt }]);
      const to = (name: string, numerator = 100): ProxyRule['filters'][number] => ({
        type: 'mirror',
        backend: name,
        numerator,
        denominator: 100,
      });
      const change = { type: 'request-headers', set: [{ name: 'x-a', value: 'b' }], add: [], remove: [] } as const;
      const rules = [
        rule(prefix('/new'), 'web', {
          filters: [
            to('copies'),
            change,
            { type: 'rewrite', hostname: 'other.test', path: { type: 'full', value: '/y' } },
          ],
        }),
        rule(prefix('/two'), 'web', { filters: [to('copies'), to('calls')] }),
        rule(prefix('/some'), 'web', { filters: [to('copies', 20)] }),
        rule(prefix('/none'), 'web', { filters: [to('copies', 0)] }),
        rule(prefix('/'), 'web', { filters: [to('copies')] }),
      ];
      await world.give(
        [{ port, protocol: 'http', hosts: [{ hostname: '', rules }] }],
        [web.backend, backend('copies'), backend('calls', { protocol: 'h2c' })],
        ...web.objects(),
        of,
        slice(of, [endpoint('127.0.0.1')], 'a', at),
        ofCalls,
        slice(ofCalls, [endpoint('127.0.0.1')], 'a', callsAt),
      );
      assert.deepEqual(world.report()?.problems, []);
      const body = (length: number) => ({ method: 'POST', body: 'x'.repeat(length) });
      const cases: readonly (readonly [Asked, string | undefined])[] = [
        [{ path: '/new?q=1' }, 'GET other.test /y?q=1 a=b 0'],
        [{ path: '/a', headers: { 'x-a': '"q" %', 'x-plumbline-mirror': 'none' } }, 'GET localhost /a a="q" % 0'],
        [{ path: '/a', ...body(5) }, 'POST localhost /a a= 5'],
        [{ path: '/a', ...body(200_000) }, 'POST localhost /a a= 200000'],
        [{ path: '/a', ...body(20_000), headers: { 'transfer-encoding': 'chunked' } }, 'POST localhost /a a= 20000'],
        [{ path: '/a', ...body(400_000) }, undefined],
        [{ path: '/none' }, undefined],
        [{ path: '/two', method: 'PATCH' }, 'PATCH localhost /two a= 0'],
      ];
      const expected: string[] = [];
      for (const [asked, copy] of cases) {
        const answer = await world.ask(port, asked);
        assert.deepEqual([answer.status, seen(answer).name], [200, 'web']);
        if (copy === undefined) continue;
        expected.push(copy);
        await until(() => copies.length >= expected.length);
        // Also what came late of one before, which was to have none.
        assert.deepEqual(copies, expected, JSON.stringify(asked.path));
      }
      await until(() => calls.length > 0);
      assert.deepEqual(calls, ['2.0 PATCH /two']);
      const before = copies.length;
      for (let nth = 0; nth < 200; nth += 1) await world.ask(port, { path: '/some' });
      await world.ask(port, { path: '/last' });
      await until(() => copies.some((copy) => copy.includes('/last')));
      // Six standard deviations of 200 draws.
      const some = copies.slice(before).filter((copy) => copy.includes('/some')).length;
      assert.ok(Math.abs(some - 40) < 34, String(some));
      // A mirror that does not answer takes no place of another's.
      const nothing = await freePort();
      const held: Socket[] = [];
      const silent = createTcpServer((socket) => held.push(socket.on('error', () => undefined)));
      silent.listen(nothing, '127.0.0.1');
      try {
        await once(silent, 'listening');
        const ofSilent = service('silent', '198.19.128.6', [{ name: 'http', port: 80, targetPort: nothing }]);
        await world.give(
          [
            {
              port,
              protocol: 'http',
              hosts: [
                {
                  hostname: '',
                  rules: [
                    rule(prefix('/silent'), 'web', { filters: [to('silent')] }),
                    rule(prefix('/'), 'web', { filters: [to('copies')] }),
                  ],
                },
              ],
            },
          ],
          [web.backend, backend('copies'), backend('silent')],
          ofSilent,
          slice(ofSilent, [endpoint('127.0.0.1')], 'a', nothing),
        );
        for (let nth = 0; nth < 300; nth += 1) await world.ask(port, { path: '/silent' });
        await world.ask(port, { path: '/after' });
        await until(() => copies.at(-1)?.includes('/after') ?? false);
      } finally {
        silent.close();
        for (const socket of held) socket.destroy();
      }
    } finally {
      mirror.closeAllConnections();
      mirror.close();
      h2.close();
    }
    // Nothing takes the copies any more.
    assert.equal(await whoTakes({ path: '/a' }), 'web');
  });

  it('are tried again where their rule says so, also a POST, and answered with what the last try had', async () => {
    const at = await freePort();
    const tries = new Map<string, number>();
    /** Of each path the second try is answered 200. */
    const flaky = createServer((asked, answer) => {
      const nth = (tries.get(asked.url ?? '') ?? 0) + 1;
      tries.set(asked.url ?? '', nth);
      asked.resume().once('end', () => {
        if (nth > 1 && asked.url !== '/503/always') answer.end(JSON.stringify({ name: `try ${nth}` }));
        else if (asked.url === '/cut') asked.socket.destroy();
        else if (asked.url !== '/silent') answer.writeHead(503).end();
      });
    }).listen(at, '127.0.0.1');
    try {
      await once(flaky, 'listening');
      const of = service('flaky', '198.19.128.8', [{ name: 'http', port: 80, targetPort: at }]);
      const rules = [
        rule(prefix('/503'), 'flaky', { retry: { attempts: 2, codes: [503] } }),
        rule(prefix('/other'), 'flaky', { retry: { attempts: 2, codes: [500] } }),
        rule(prefix('/never'), 'flaky', { retry: { attempts: 0, codes: [503] } }),
        rule(prefix('/cut'), 'flaky', { retry: { attempts: 1, codes: [] } }),
        rule(prefix('/silent'), 'flaky', { retry: { attempts: 1, codes: [] }, backendTimeoutMs: 2000 }),
        rule(prefix('/plain'), 'flaky'),
      ];
      await world.give(
        [{ port, protocol: 'http', hosts: [{ hostname: '', rules }] }],
        [backend('flaky')],
        of,
        slice(of, [endpoint('127.0.0.1')], 'a', at),
      );
      assert.deepEqual(world.report()?.problems, []);
      const post = { method: 'POST', body: 'x' };
      const cases: readonly (readonly [Asked, string, number])[] = [
        [{ path: '/503', ...post }, 'try 2', 2],
        [{ path: '/503/always' }, '503', 3],
        [{ path: '/other' }, '503', 1],
        [{ path: '/never' }, '503', 1],
        [{ path: '/cut', ...post }, 'try 2', 2],
        [{ path: '/silent' }, 'try 2', 2],
        [{ path: '/plain', ...post }, '503', 1],
      ];
      for (const [asked, answer, times] of cases)
        assert.deepEqual([await whoTakes(asked), tries.get(asked.path ?? '')], [answer, times], asked.path);
    } finally {
      flaky.closeAllConnections();
      flaky.close();
    }
  });

  it('are answered by the proxy itself', async () => {
    await hosts({
      hostname: 'r.test',
      rules: [
        rule(prefix('/tls'), { type: 'redirect', status: 301, scheme: 'https' }),
        rule(prefix('/old'), {
          type: 'redirect',
          status: 308,
          hostname: 'new.test',
          port: 8443,
          path: { type: 'prefix', value: '/new' },
        }),
        rule(prefix('/share'), {
          type: 'forward',
          to: [
            {
              backend: 'web',
              weight: 1,
              redirect: { status: 302, hostname: 'share.test', path: { type: 'full', value: '/s' } },
            },
          ],
        }),
        rule(prefix('/teapot'), { type: 'answer', status: 418, body: `it's\n"fine" %[src]` }),
        rule(prefix('/big'), 'web', { maxBodyBytes: 10 }),
        rule(prefix('/mine'), 'web', { allowedSources: ['127.0.0.0/8'] }),
        rule(prefix('/theirs'), 'web', { allowedSources: ['192.0.2.0/24', '2001:db8::/32'] }),
      ],
    });
    const at = async (path: string, more: Asked = {}) => await world.ask(port, { host: 'r.test:81', path, ...more });
    const [tls, old, teapot] = [await at('/tls/x?y=1'), await at('/old/x?y=1'), await at('/teapot')];
    assert.deepEqual([tls.status, tls.headers.location], [301, 'https://r.test/tls/x?y=1']);
    assert.deepEqual([old.status, old.headers.location], [308, 'http://new.test:8443/new/x?y=1']);
    const share = await at('/share/x?y=1');
    assert.deepEqual([share.status, share.headers.location], [302, 'http://share.test/s?y=1']);
    assert.deepEqual([teapot.status, teapot.text], [418, `it's\n"fine" %[src]\n`]);
    assert.equal((await at('/big', { method: 'POST', body: '0123456789' })).status, 200);
    assert.equal((await at('/big', { method: 'POST', body: '0123456789a' })).status, 413);
    assert.deepEqual(
      [(await at('/mine')).status, (await at('/theirs')).status, (await at('/nothing')).status],
      [200, 403, 404],
    );
  });

  it('keep a client at its server by a cookie', async () => {
    const many = await serve('many', '127.0.0.2', '127.0.0.3', '127.0.0.4');
    await world.give(
      [
        {
          port,
          protocol: 'http',
          hosts: [{ hostname: '', rules: [rule(prefix('/'), 'many', { stickyCookie: { name: 'SID' } })] }],
        },
      ],
      [many.backend],
      ...many.objects(),
    );
    const first = await world.ask(port);
    const cookie = first.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
    assert.match(cookie, /^SID=/);
    for (let nth = 0; nth < 6; nth += 1)
      assert.equal(seen(await world.ask(port, { headers: { cookie } })).address, seen(first).address);
    await many.close();
  });

  it('are told and answered 500 where HAProxy does not take a rule, and all others go on', async () => {
    const http: ProxyPort = {
      port,
      protocol: 'http',
      hosts: [
        {
          hostname: '',
          rules: [
            rule({ path: { type: 'regex', value: '/([' } }, 'web'),
            rule(
              { path: { type: 'prefix', value: '/h' }, headers: [{ name: 'a b', type: 'exact', value: 'x' }] },
              'web',
            ),
            rule(prefix('/n'), 'web', {
              filters: [{ type: 'request-headers', set: [{ name: 'x', value: 'a\r\nevil: 1' }], add: [], remove: [] }],
            }),
            rule(prefix('/ok'), 'web'),
          ],
        },
      ],
    };
    await world.give([http], [web.backend], ...web.objects());
    assert.equal(world.report()?.problems.length, 3, JSON.stringify(world.report()));
    assert.match(JSON.stringify(world.report()?.problems), /missing terminating \]/);
    assert.deepEqual([await whoTakes({ path: '/ok' }), await whoTakes({ path: '/n' })], ['web', '500']);
  });
});
