/**
 * Requests from outside, through the proxies of real hosts: what is written as Gateway API and as Ingress, seen by curl.
 * Names in brackets are those of Gateway API's conformance tests.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { findCondition, type Condition } from '../../contracts/objects/index.ts';
import { eventually, Fleet } from './fleet.ts';
import { BEHAVIOURS, behaviourManifests, FROM_ONE, FROM_TWO } from './gateway-behaviours.ts';
import { helloApp } from './manifests.ts';

const NODES = ['node-1', 'node-2'] as const;
const API = 'apiVersion: gateway.networking.k8s.io/v1';

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers: string;
}

describe('gateways', () => {
  let fleet: Fleet;

  before(async () => {
    fleet = await Fleet.start({
      name: 'gate',
      subnet: '198.18.31.0/24',
      podCIDR: '198.19.192.0/20',
      serviceCIDR: '198.19.208.0/20',
      nodes: NODES.length,
    });
    for (const [app, version] of [
      ['one', '1'],
      ['two', '2'],
    ] as const)
      await fleet.write(`${app}.yaml`, helloApp({ name: app, version, replicas: 1 }));
    await fleet.write('secret.yaml', await certificate(fleet.dir));
    await fleet.commitAndPush('Run two versions');
    await fleet.podsReady('one', 1);
    await fleet.podsReady('two', 1);
  });
  after(async () => {
    await fleet?.close();
  });

  /** The address of the host, as others reach it. */
  const addressOf = (node: string): string => fleet.lab.nodes.find(({ name }) => name === node)?.address ?? '';

  /** From the other host. */
  async function ask(host: string, url = '/', ...options: readonly string[]): Promise<Answer> {
    const scheme = options.includes('--insecure') ? 'https' : 'http';
    const argv = ['curl', '-s', '-i', '--max-time', '3', '--resolve', `${host}:80:${addressOf('node-1')}`];
    argv.push('--resolve', `${host}:443:${addressOf('node-1')}`, ...options, `${scheme}://${host}${url}`);
    const { stdout, code, stderr } = await fleet.on('node-2', argv);
    assert.equal(code, 0, `${argv.join(' ')}: ${code} ${stderr}`);
    const end = stdout.indexOf('\r\n\r\n');
    const headers = stdout.slice(0, end).toLowerCase();
    return { status: Number(/^http\/\S+ (\d+)/.exec(headers)?.[1]), body: stdout.slice(end + 4), headers };
  }

  async function programmed(): Promise<void> {
    await eventually('the Gateway is programmed', 60, async () => {
      const [found] = await fleet.list('Gateway');
      const { status } = findCondition(found?.status?.conditions, 'Programmed') ?? {};
      if (status !== 'True') throw new Error(JSON.stringify(found?.status));
      return true;
    });
  }

  /** Once it is accepted. */
  const routeConditions = (): Promise<readonly Condition[]> =>
    eventually('the route is accepted', 30, async () => {
      const [route] = await fleet.list('HTTPRoute');
      const conditions = route?.status?.parents[0]?.conditions ?? [];
      return findCondition(conditions, 'Accepted')?.status === 'True' && conditions;
    });

  it('route by host, path and header, and by weight (HTTPRouteSimpleSameNamespace, HTTPRouteHeaderMatching, HTTPRouteWeight)', async () => {
    await fleet.write(
      'gateway.yaml',
      `${API}
kind: Gateway
metadata: {name: edge}
spec:
  gatewayClassName: plumbline
  listeners:
    - {name: http, port: 80, protocol: HTTP}
    - {name: https, port: 443, protocol: HTTPS, hostname: '*.example.com', tls: {certificateRefs: [{name: cert}]}}
---
${API}
kind: HTTPRoute
metadata: {name: web}
spec:
  parentRefs: [{name: edge}]
  hostnames: [web.example.com]
  rules:
    - matches: [{path: {value: /split}}]
      filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath, replaceFullPath: /}}}]
      backendRefs: [{name: one, port: 80, weight: 1}, {name: two, port: 80, weight: 1}]
    - matches: [{headers: [{name: version, value: '2'}]}]
      backendRefs: [{name: two, port: 80}]
    - matches: [{path: {value: /old}}]
      filters: [{type: RequestRedirect, requestRedirect: {scheme: https, statusCode: 301, path: {type: ReplacePrefixMatch, replacePrefixMatch: /new}}}]
    - matches: [{path: {value: /gone}}]
      backendRefs: [{name: nobody, port: 80}]
    - filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: X-Edge, value: 'yes'}]}}]
      backendRefs: [{name: one, port: 80}]
`,
    );
    await fleet.commitAndPush('Open a gateway');
    await programmed();
    assert.equal(findCondition(await routeConditions(), 'ResolvedRefs')?.reason, 'BackendNotFound');
    // What it serves follows its routes.
    await eventually('its route is served', 30, async () => (await ask('web.example.com')).status === 200);
    const [plain, second] = await Promise.all([
      ask('web.example.com'),
      ask('web.example.com', '/', '-H', 'version: 2'),
    ]);
    assert.deepEqual([plain.status, second.status], [200, 200]);
    assert.match(plain.headers, /x-edge: yes/);
    assert.notEqual(plain.body.trim(), second.body.trim());
    const bodies = new Set<string>();
    for (let i = 0; i < 20; i += 1) bodies.add((await ask('web.example.com', '/split')).body.trim());
    assert.deepEqual([...bodies].sort(), [plain.body.trim(), second.body.trim()].sort());
  });

  it('redirect, and answer what leads nowhere (HTTPRouteRedirectScheme, HTTPRouteInvalidNonExistentBackendRef)', async () => {
    const moved = await ask('web.example.com', '/old/x?y=1');
    assert.equal(moved.status, 301);
    assert.match(moved.headers, /location: https:\/\/web\.example\.com\/new\/x\?y=1/);
    assert.deepEqual(
      [(await ask('web.example.com', '/gone')).status, (await ask('other.example.net')).status],
      [500, 404],
    );
  });

  it('end TLS with the certificate of a Secret (HTTPRouteHTTPSListener)', async () => {
    assert.equal((await ask('web.example.com', '/', '--insecure')).status, 200);
    const at = ['--resolve', `web.example.com:443:${addressOf('node-1')}`, 'https://web.example.com/'];
    const argv = ['curl', '-s', '--insecure', '--max-time', '3', '-o', '/dev/null', '-w', '%{certs}', ...at];
    const { stdout } = await fleet.on('node-2', argv);
    const [shown = '', ...more] = stdout.match(/-----BEGIN CERTIFICATE-----[^]+?-----END CERTIFICATE-----/g) ?? [];
    const own = await readFile(path.join(fleet.dir, 'tls.crt'));
    assert.deepEqual(
      [new X509Certificate(shown).fingerprint256, more.length],
      [new X509Certificate(own).fingerprint256, 0],
    );
  });

  it('answer as Gateway API has it', async (context) => {
    const [pod] = await fleet.podsReady('one', 1);
    await fleet.write('behaviours.yaml', behaviourManifests(pod?.status?.podIP ?? ''));
    await fleet.commitAndPush('Route in all ways');
    await eventually('all routes are taken', 30, async () => {
      const routes = (await fleet.list('HTTPRoute')).filter(({ metadata }) => metadata.name !== 'web');
      return routes.length > 0 && routes.every(({ status }) => (status?.parents.length ?? 0) > 0);
    });
    for (const [behaviour, requests] of BEHAVIOURS)
      await context.test(`(${behaviour})`, async () => {
        for (const [url, expected, ...options] of requests)
          await eventually(`${url} ${options.join(' ')}: ${expected}`, 15, async () => {
            const [, host = '', at = '/'] = /^([^/]+)(\/.*)$/.exec(url) ?? [];
            const answer = await ask(host, at, ...options);
            const said = `${answer.status} ${answer.body.trim()} ${answer.headers.replaceAll('\r\n', ' ')}`;
            return new RegExp(expected).test(said) || Promise.reject(new Error(said));
          });
      });
    await context.test(
      '(HTTPRouteInvalidCrossNamespaceParentRef, HTTPRouteInvalidParentRefNotMatchingSectionName, HTTPRouteInvalidBackendRefUnknownKind, HTTPRouteInvalidCrossNamespaceBackendRef)',
      async () => {
        const reasons = new Map(
          (await fleet.list('HTTPRoute')).map(({ metadata, status }) => [
            metadata.name,
            ['Accepted', 'ResolvedRefs'].map((type) => findCondition(status?.parents[0]?.conditions, type)?.reason),
          ]),
        );
        assert.deepEqual(reasons.get('outside'), ['NotAllowedByListeners', 'BackendNotFound']);
        assert.deepEqual(reasons.get('nowhere'), ['NoMatchingParent', 'ResolvedRefs']);
        assert.deepEqual(reasons.get('kind'), ['Accepted', 'InvalidKind']);
        assert.deepEqual(reasons.get('granted'), ['Accepted', 'ResolvedRefs']);
        assert.deepEqual(reasons.get('closed'), ['Accepted', 'RefNotPermitted']);
      },
    );
    await fleet.removeFiles('behaviours.yaml');
  });

  it('pass on bytes, and TLS by the name that is asked for or ended (TLSRouteSimpleSameNamespace)', async () => {
    const route = (kind: string, name: string, spec: string): string =>
      `{apiVersion: gateway.networking.k8s.io/v1alpha2, kind: ${kind}, metadata: {name: ${name}}, spec: {parentRefs: [{name: streams, sectionName: ${name}}], ${spec}}}`;
    const listeners = [
      '{name: bytes, port: 9100, protocol: TCP}',
      '{name: ended, port: 9443, protocol: TLS, hostname: "*.example.com", tls: {mode: Terminate, certificateRefs: [{name: cert}]}}',
      '{name: through, port: 9444, protocol: TLS, tls: {mode: Passthrough}}',
    ];
    await fleet.write(
      'streams.yaml',
      [
        `{${API}, kind: Gateway, metadata: {name: streams}, spec: {gatewayClassName: plumbline, listeners: [${listeners.join(', ')}]}}`,
        route('TCPRoute', 'bytes', 'rules: [{backendRefs: [{name: two, port: 80}]}]'),
        route('TLSRoute', 'ended', 'hostnames: [ended.example.com], rules: [{backendRefs: [{name: two, port: 80}]}]'),
        // What ends TLS there is this very gateway, at its other port.
        route('TLSRoute', 'through', 'hostnames: [web.example.com], rules: [{backendRefs: [{name: tls, port: 443}]}]'),
        '{apiVersion: v1, kind: Service, metadata: {name: tls}, spec: {ports: [{port: 443}]}}',
        `{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: tls-1, labels: {kubernetes.io/service-name: tls}}, addressType: IPv4, ports: [{port: 443}], endpoints: [{addresses: [${addressOf('node-1')}]}]}`,
      ].join('\n---\n'),
    );
    await fleet.commitAndPush('Pass on bytes');
    const at = (port: number, host: string): Promise<{ readonly code: number | null; readonly stdout: string }> => {
      const scheme = port === 9100 ? 'http' : 'https';
      const url = `${scheme}://${host}:${port}/`;
      return fleet.on('node-2', [
        ...['curl', '-s', '--insecure', '--max-time', '3'],
        ...['--resolve', `${host}:${port}:${addressOf('node-1')}`, url],
      ]);
    };
    for (const [port, host, answer] of [
      [9100, 'any.test', 'hello from v2'],
      [9443, 'ended.example.com', 'hello from v2'],
      [9444, 'web.example.com', 'hello from v1'],
    ] as const)
      await eventually(`${host}:${port} answers`, 30, async () => {
        const { code, stdout } = await at(port, host);
        return stdout.startsWith(answer) || Promise.reject(new Error(`${code} ${stdout}`));
      });
    // Nobody has these names there.
    for (const [port, host] of [
      [9443, 'other.example.com'],
      [9444, 'other.example.com'],
    ] as const)
      assert.notEqual((await at(port, host)).code, 0, host);
    await fleet.removeFiles('streams.yaml');
  });

  it('serve Ingresses beside them', async () => {
    await fleet.write(
      'ingress.yaml',
      `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: shop
  annotations: {nginx.ingress.kubernetes.io/rewrite-target: /$2}
spec:
  rules:
    - host: shop.example.net
      http:
        paths: [{path: '/shop(/|$)(.*)', pathType: ImplementationSpecific, backend: {service: {name: two, port: {number: 80}}}}]
`,
    );
    await fleet.commitAndPush('Open a shop');
    const addresses = await eventually('the Ingress has its addresses', 30, async () => {
      const [found] = await fleet.list('Ingress');
      const accepted = findCondition(found?.status?.conditions, 'Accepted')?.status;
      return accepted === 'True' && found?.status?.loadBalancer?.ingress?.map(({ ip }) => ip);
    });
    assert.deepEqual(addresses, NODES.map(addressOf));
    await eventually('it is served', 30, async () => (await ask('shop.example.net', '/shop/healthz')).status === 200);
    assert.deepEqual(
      [(await ask('shop.example.net', '/shop/healthz')).status, (await ask('shop.example.net', '/')).status],
      [200, 404],
    );
  });

  it('hold what annotations of ingress-nginx say, and hosts as Kubernetes has them', async () => {
    const crypted = execFileSync('openssl', ['passwd', '-6', '-stdin'], { input: 'sesame\n' }).toString().trim();
    const ingress = (name: string, annotations: Readonly<Record<string, string>>, spec: object = {}): string =>
      JSON.stringify({
        apiVersion: 'networking.k8s.io/v1',
        kind: 'Ingress',
        metadata: {
          name,
          annotations: Object.fromEntries(
            Object.entries(annotations).map(([key, value]) => [`nginx.ingress.kubernetes.io/${key}`, value]),
          ),
        },
        spec: { rules: [ruleFor(`${name}.example.org`, 'one')], ...spec },
      });
    const backendOf = (name: string): object => ({ service: { name, port: { number: 80 } } });
    const ruleFor = (host: string, name: string): object => ({
      host,
      http: { paths: [{ path: '/', pathType: 'Prefix', backend: backendOf(name) }] },
    });
    await fleet.write(
      'annotated.yaml',
      [
        JSON.stringify({
          apiVersion: 'v1',
          kind: 'Secret',
          metadata: { name: 'users' },
          stringData: { auth: `ann:${crypted}\n` },
        }),
        ingress('small', { 'proxy-body-size': '8' }),
        ingress('closed', { 'auth-type': 'basic', 'auth-secret': 'users', 'auth-realm': 'shop' }),
        ingress('theirs', { 'whitelist-source-range': '192.0.2.0/24' }),
        ingress('ours', { 'whitelist-source-range': '192.0.2.0/24, 198.18.31.0/24' }),
        ingress('sticky', { affinity: 'cookie', 'session-cookie-name': 'route' }),
        ingress('moved', { 'permanent-redirect': 'https://new.example.org/x' }),
        ingress('wild', {}, { rules: [ruleFor('*.wild.example.org', 'two')] }),
      ].join('\n---\n'),
    );
    await fleet.commitAndPush('Serve as annotations say');
    const post = (body: string): readonly string[] => ['-X', 'POST', '--data-binary', body];
    const cases: readonly (readonly [url: string, said: string, ...options: readonly string[]])[] = [
      ['small.example.org/', '^413', ...post('123456789')],
      ['small.example.org/', '^(?!413|404)', ...post('12345678')],
      ['closed.example.org/', '^401 [^]*www-authenticate: basic realm="shop"'],
      ['closed.example.org/', '^401', '-u', 'ann:other'],
      ['closed.example.org/', FROM_ONE, '-u', 'ann:sesame'],
      ['theirs.example.org/', '^403'],
      ['ours.example.org/', FROM_ONE],
      ['sticky.example.org/', `${FROM_ONE}.*set-cookie: route=`],
      ['moved.example.org/a', '^301 .*location: https://new\\.example\\.org/x( |$)'],
      ['a.wild.example.org/', FROM_TWO],
      ['a.b.wild.example.org/', '^404'],
      ['wild.example.org/', '^404'],
    ];
    for (const [url, said, ...options] of cases)
      await eventually(`${url} ${options.join(' ')}: ${said}`, 30, async () => {
        const [, host = '', at = '/'] = /^([^/]+)(\/.*)$/.exec(url) ?? [];
        const { status, body, headers } = await ask(host, at, ...options);
        const answer = `${status} ${body.trim()} ${headers.replaceAll('\r\n', ' ')}`;
        return new RegExp(said).test(answer) || Promise.reject(new Error(answer));
      });
    // Whatever no rule takes.
    await fleet.write('default.yaml', ingress('any', {}, { rules: undefined, defaultBackend: backendOf('two') }));
    await fleet.commitAndPush('Answer all others');
    await eventually('the default answers', 30, async () =>
      (await ask('nobody.example.org')).body.startsWith('hello from v2'),
    );
    await fleet.removeFiles('annotated.yaml', 'default.yaml');
  });

  it('serve an Ingress of a class of its own as both are in Git, and no longer [conformance: ingress-api, ingressclass-api]', async () => {
    const written = (backend: string, mark: string): string => `apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: own, labels: {mark: ${mark}}}
spec: {controller: plumbline.dev/ingress}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: own, labels: {mark: ${mark}}}
spec:
  ingressClassName: own
  rules:
    - host: own.example.net
      http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: ${backend}, port: {number: 80}}}}]}
`;
    const own = async <K extends 'Ingress' | 'IngressClass'>(kind: K) =>
      (await fleet.list(kind)).find(({ metadata }) => metadata.name === 'own');
    for (const [backend, mark, answer] of [
      ['one', 'first', 'hello from v1'],
      ['two', 'second', 'hello from v2'],
    ] as const) {
      await fleet.write('own.yaml', written(backend, mark));
      await fleet.commitAndPush(`Serve ${backend} by a class of its own`);
      await eventually(`${answer} is answered`, 30, async () => {
        const { status, body } = await ask('own.example.net');
        return body.startsWith(answer) || Promise.reject(new Error(`${status} ${body}`));
      });
      const [ingress, ofClass] = [await own('Ingress'), await own('IngressClass')];
      assert.deepEqual([ingress?.metadata.labels, ofClass?.metadata.labels], [{ mark }, { mark }]);
      await eventually('its addresses are told', 30, async () => {
        assert.deepEqual(
          (await own('Ingress'))?.status?.loadBalancer?.ingress?.map(({ ip }) => ip),
          NODES.map(addressOf),
        );
        return true;
      });
    }
    await fleet.removeFiles('own.yaml');
    await eventually('it is gone', 30, async () => (await ask('own.example.net')).status === 404);
    assert.deepEqual([await own('Ingress'), await own('IngressClass')], [undefined, undefined]);
  });

  it('come into a closed namespace where its ingress controller may, and nothing else of their nodes does', async () => {
    const pod = (await fleet.list('Pod')).find(({ metadata }) => metadata.labels?.['app'] === 'one');
    const { nodeName = '', containers = [] } = pod?.spec ?? {};
    const other = NODES.find((name) => name !== nodeName) ?? '';
    const target = `http://${pod?.status?.podIP}:${containers[0]?.ports?.[0]?.containerPort}/`;
    const range = (await fleet.list('Node')).find(({ metadata }) => metadata.name === other)?.spec.podCIDR ?? '';
    /** Of the other node: its own address, and that of its proxy, which only the proxy's user has. */
    const fromOther = async (): Promise<readonly (number | null)[]> => {
      const curl = ['curl', '-s', '-o', '/dev/null', '--max-time', '2', target];
      const borrowed = [...curl, '--interface', range.replace(/0\/\d+$/, '1')];
      const proxy = ['setpriv', '--reuid', 'haproxy', '--regid', 'haproxy', '--clear-groups', ...borrowed];
      const all = await Promise.all([curl, borrowed, proxy].map((argv) => fleet.on(other, argv)));
      return all.map(({ code }) => code);
    };
    const TIMED_OUT = 28;
    assert.deepEqual(await fromOther(), [0, TIMED_OUT, 0]);
    await fleet.write(
      'policy.yaml',
      `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed}
spec:
  podSelector: {matchLabels: {app: one}}
  policyTypes: [Ingress]
  ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ingress-nginx}}}]}]
`,
    );
    await fleet.commitAndPush('Close a namespace to all but the gateways');
    await eventually('the other node does not come in', 30, async () => (await fromOther())[0] === TIMED_OUT);
    assert.deepEqual(await fromOther(), [TIMED_OUT, TIMED_OUT, 0]);
    const host = ['-H', 'Host: web.example.com'];
    for (const gateway of NODES)
      await eventually(`the gateway ${gateway} comes in`, 30, async () => {
        const argv = ['curl', '-s', '-f', '--max-time', '2', ...host, `http://${addressOf(gateway)}/`];
        return (await fleet.on('node-2', argv)).code === 0;
      });
    await fleet.removeFiles('policy.yaml');
  });

  it('go when they are in Git no more', async () => {
    const knock = async (): Promise<number | null> =>
      (await fleet.on('node-2', ['curl', '-s', '--max-time', '2', `http://${addressOf('node-1')}/`])).code;
    assert.equal(await knock(), 0);
    assert.notEqual((await fleet.list('ProxyConfig')).length, 0);
    await fleet.removeFiles('gateway.yaml', 'ingress.yaml');
    await eventually('nobody listens', 30, async () => (await knock()) === 7);
    await eventually('no node has it', 30, async () => (await fleet.list('ProxyConfig')).length === 0);
  });
});

async function certificate(folder: string): Promise<string> {
  const [crt, key] = [path.join(folder, 'tls.crt'), path.join(folder, 'tls.key')];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=example.com'];
  execFileSync('openssl', ['req', '-x509', '-days', '2', ...curve, '-keyout', key, '-out', crt], { stdio: 'ignore' });
  const [first, second] = await Promise.all([crt, key].map(async (file) => (await readFile(file)).toString('base64')));
  return `apiVersion: v1\nkind: Secret\nmetadata: {name: cert}\ntype: kubernetes.io/tls\ndata: {tls.crt: ${first}, tls.key: ${second}}\n`;
}
