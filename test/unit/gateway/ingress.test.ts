import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findCondition } from '../../../contracts/objects/index.ts';
import { parseManifest } from '../../../reconciler/core/manifests/index.ts';
import { certificate, gateway, HTTP, httpRoute, ingress, paths, Scene, to, type WrittenPath } from './scene.ts';

const WEB = 'default/web/http';
const APIS = 'default/api/http';
const NGINX = 'nginx.ingress.kubernetes.io/';
const annotated = (name: string, value: string): string => `'${NGINX}${name}': '${value}'`;
const one = (host: string, ...list: readonly WrittenPath[]): string => `rules: [{host: '${host}', ${paths(...list)}}]`;
const accepted = (scene: Scene, name = 'web'): string | undefined =>
  findCondition(scene.get('Ingress', name).status?.conditions, 'Accepted')?.status;

describe('an Ingress', () => {
  it('sends by host and path: exact first, then the longest prefix, by whole elements', () => {
    const rules = one('a.example.com', ['Prefix', '/', 'web'], ['Exact', '/x', 'api'], ['Prefix', '/y/', 'api']);
    const scene = new Scene(ingress('web', rules));
    const ask = (path: string): string => scene.ask({ host: 'a.example.com', path });
    assert.deepEqual(['/', '/x', '/x/', '/y', '/y/z', '/yz'].map(ask), [WEB, APIS, WEB, APIS, APIS, WEB]);
    assert.equal(scene.ask({ host: 'b.example.com' }), '404');
  });

  it('takes one label for a wildcard', () => {
    const scene = new Scene(ingress('web', one('*.example.com', ['Prefix', '/', 'web'])));
    const asked = ['a.example.com', 'a.b.example.com', 'example.com'].map((host) => scene.ask({ host }));
    assert.deepEqual(asked, [WEB, '404', '404']);
  });

  it('has a default for what no rule takes', () => {
    const rules = one('a.example.com', ['Exact', '/x', 'web']);
    const scene = new Scene(ingress('web', `defaultBackend: {service: {name: api, port: {name: http}}}, ${rules}`));
    assert.deepEqual(
      [
        scene.ask({ host: 'a.example.com', path: '/x' }),
        scene.ask({ host: 'a.example.com', path: '/y' }),
        scene.ask({ host: 'b.example.com' }),
      ],
      [WEB, APIS, APIS],
    );
  });

  it('is joined with others of the same host; the older one has a path that both have', () => {
    const scene = new Scene(
      ingress('web', one('a.example.com', ['Prefix', '/', 'web'])),
      ingress('api', one('a.example.com', ['Prefix', '/', 'api'], ['Prefix', '/api', 'api'])),
    );
    assert.equal(scene.ask({ host: 'a.example.com' }), WEB);
    assert.equal(scene.ask({ host: 'a.example.com', path: '/api/x' }), APIS);
  });

  it('serves TLS for hosts with a certificate, and sends plain requests there', () => {
    const rules = `tls: [{hosts: [a.example.com], secretName: cert}], rules: [{host: a.example.com, ${paths(['Prefix', '/', 'web'])}}, {host: b.example.com, ${paths(['Prefix', '/', 'api'])}}]`;
    const scene = new Scene(certificate('cert'), ingress('web', rules)).follow();
    assert.deepEqual(scene.find({ host: 'a.example.com' })?.action, { type: 'redirect', status: 308, scheme: 'https' });
    assert.deepEqual(
      [
        scene.ask({ host: 'b.example.com' }),
        scene.ask({ host: 'a.example.com', port: 443 }),
        scene.ask({ host: 'b.example.com', port: 443 }),
      ],
      [APIS, WEB, '404'],
    );
    assert.deepEqual(scene.spec().ports[1]?.hosts[0]?.certificates, [{ namespace: 'default', name: 'cert' }]);
    assert.equal(accepted(scene), 'True');
    scene.remove('Secret', 'cert');
    assert.deepEqual([accepted(scene), scene.spec().ports.length], ['False', 1]);
  });

  it('tells its addresses, and what is missing', () => {
    const scene = new Scene(ingress('web', one('a.example.com', ['Prefix', '/', 'none']))).follow();
    assert.deepEqual(scene.get('Ingress', 'web').status?.loadBalancer?.ingress, [
      { ip: '192.0.2.1' },
      { ip: '192.0.2.2' },
    ]);
    assert.deepEqual([accepted(scene), scene.ask({ host: 'a.example.com' })], ['False', '503']);
  });

  it('shares ports with Gateways', () => {
    const scene = new Scene(
      gateway(HTTP),
      httpRoute('web', to('web')),
      ingress('api', one('a.example.com', ['Prefix', '/', 'api'])),
    );
    assert.deepEqual([scene.ask({ host: 'a.example.com' }), scene.ask({ host: 'b.example.com' })], [APIS, WEB]);
    scene.add(gateway('{name: tcp, port: 80, protocol: TCP}')).follow();
    assert.equal(accepted(scene, 'api'), 'False');
  });

  const of = (name: string, controller: string, isDefault = false): string =>
    `{apiVersion: networking.k8s.io/v1, kind: IngressClass, metadata: {name: ${name}, annotations: {ingressclass.kubernetes.io/is-default-class: '${isDefault}'}}, spec: {controller: ${controller}}}`;
  const classes: readonly (readonly [name: string, classes: readonly string[], spec: string, isServed: boolean])[] = [
    ['of none, where there is none', [], '', true],
    ['of none, where ours is the default', [of('nginx', 'plumbline.dev/ingress', true)], '', true],
    ["of none, where another controller's is the default", [of('nginx', 'k8s.io/ingress-nginx', true)], '', false],
    ['of the class that needs no object', [], 'ingressClassName: plumbline, ', true],
    ['of a class of ours', [of('nginx', 'plumbline.dev/ingress')], 'ingressClassName: nginx, ', true],
    ['of a class of another controller', [of('nginx', 'k8s.io/ingress-nginx')], 'ingressClassName: nginx, ', false],
    ['of a class that is not there', [], 'ingressClassName: nginx, ', false],
  ];
  for (const [name, others, spec, isServed] of classes)
    it(`${name} is ${isServed ? 'served' : 'left alone'}`, () => {
      const scene = new Scene(...others, ingress('web', `${spec}${one('a.example.com', ['Prefix', '/', 'web'])}`));
      assert.equal(scene.world.list('ProxyConfig').length, isServed ? 2 : 0);
      assert.equal(scene.get('Ingress', 'web').status !== undefined, isServed);
    });
});

describe('annotations of ingress-nginx', () => {
  const scene = (annotations: string, path: WrittenPath = ['ImplementationSpecific', '/a(/|$)(.*)', 'web']): Scene =>
    new Scene(ingress('web', one('a.example.com', path), annotations));
  const rule = (annotations: string, path: WrittenPath = ['Prefix', '/', 'web']) =>
    scene(annotations, path).find({ host: 'a.example.com' });

  it('rewrite by groups of a pattern, in any case, whatever follows', () => {
    const found = scene(annotated('rewrite-target', '/$2')).find({ host: 'a.example.com', path: '/A/x/y' });
    assert.deepEqual(found?.match.path, { type: 'regex', value: '(?i)/a(/|$)(.*).*' });
    assert.deepEqual(found?.filters, [{ type: 'rewrite', path: { type: 'regex', value: '/\\2' } }]);
  });

  it('limit and route', () => {
    const all = [
      annotated('proxy-body-size', '8m'),
      annotated('proxy-read-timeout', '3600'),
      annotated('proxy-send-timeout', '60'),
      annotated('affinity', 'cookie'),
      annotated('session-cookie-name', 'route'),
      annotated('whitelist-source-range', '10.0.0.0/8, 192.0.2.7'),
      annotated('backend-protocol', 'GRPC'),
      annotated('upstream-vhost', 'inner.example.com'),
      annotated('auth-type', 'basic'),
      annotated('auth-secret', 'users'),
    ].join(', ');
    const found = rule(all);
    assert.deepEqual(
      [
        found?.maxBodyBytes,
        found?.backendTimeoutMs,
        found?.stickyCookie,
        found?.allowedSources,
        found?.basicAuth,
        found?.filters,
      ],
      [
        8 * 2 ** 20,
        3_600_000,
        { name: 'route' },
        ['10.0.0.0/8', '192.0.2.7'],
        { secret: { namespace: 'default', name: 'users' }, realm: 'Authentication Required' },
        [{ type: 'rewrite', hostname: 'inner.example.com' }],
      ],
    );
    assert.deepEqual(found?.action, { type: 'forward', to: [{ backend: `${WEB}+h2c`, weight: 1 }] });
  });

  it('redirect', () => {
    assert.deepEqual(rule(annotated('force-ssl-redirect', 'true'))?.action, {
      type: 'redirect',
      status: 308,
      scheme: 'https',
    });
    assert.deepEqual(rule(annotated('permanent-redirect', 'https://b.example.com/x?y=1'))?.action, {
      type: 'redirect',
      status: 301,
      scheme: 'https',
      hostname: 'b.example.com',
      path: { type: 'full', value: '/x?y=1' },
    });
    assert.deepEqual(rule(annotated('app-root', '/app'))?.action, {
      type: 'redirect',
      status: 302,
      path: { type: 'full', value: '/app' },
    });
  });

  const told: readonly (readonly [name: string, value: string, severity: 'error' | 'warning' | undefined])[] = [
    ['proxy-body-size', '8 MB', 'error'],
    ['proxy-body-size', '0', undefined],
    ['proxy-read-timeout', '60s', 'error'],
    ['auth-type', 'digest', 'error'],
    ['auth-url', 'https://auth.example.com', 'error'],
    ['whitelist-source-range', 'all', 'error'],
    ['denylist-source-range', '192.0.2.1', 'error'],
    ['backend-protocol', 'FCGI', 'error'],
    ['permanent-redirect', 'javascript:alert(1)', 'error'],
    ['rewrite-target', 'x y', 'error'],
    ['upstream-vhost', 'a b', 'error'],
    ['configuration-snippet', 'deny all;', 'warning'],
    ['enable-cors', 'true', 'warning'],
    ['enable-cors', 'false', undefined],
    ['proxy-buffering', 'on', undefined],
  ];
  for (const [name, value, severity] of told)
    it(`${name}: ${value} is ${severity ?? 'taken'}`, () => {
      const text = ingress('web', one('a.example.com', ['Prefix', '/', 'web']), annotated(name, value));
      const { diagnostics } = parseManifest('a.yaml', '0', new TextEncoder().encode(text));
      assert.deepEqual(
        diagnostics.map((found) => found.severity),
        severity === undefined ? [] : [severity],
      );
    });
});
