import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { objectKey } from '../../../contracts/objects/index.ts';
import { certificate, gateway, HTTP, httpRoute, Scene, service, to } from './scene.ts';

const tls = (ref: string, name = 'https', hostname = ''): string =>
  `{name: ${name}, port: 443, protocol: HTTPS, tls: {certificateRefs: [${ref}]}${hostname === '' ? '' : `, hostname: '${hostname}'`}}`;
const namespace = (name: string, labels = ''): string =>
  `{apiVersion: v1, kind: Namespace, metadata: {name: ${name}, labels: {${labels}}}}`;

describe('a Gateway', () => {
  it('is programmed when all proxies follow, and tells the addresses of its nodes', () => {
    const scene = new Scene(gateway(HTTP));
    assert.deepEqual([scene.gateway('Accepted'), scene.gateway('Programmed')], ['True Accepted', 'False Pending']);
    scene.follow();
    assert.deepEqual(
      [scene.gateway('Programmed'), scene.gateway('Programmed', 'http')],
      ['True Programmed', 'True Programmed'],
    );
    assert.deepEqual(
      scene.get('Gateway', 'edge').status?.addresses?.map(({ value }) => value),
      ['192.0.2.1', '192.0.2.2'],
    );
    assert.deepEqual(scene.spec('n1'), scene.spec('n2'));
  });

  it('stays programmed while nodes follow a change of routes, and tells what they cannot do', () => {
    const scene = new Scene(gateway(HTTP)).follow().add(httpRoute('web', to('web')));
    assert.equal(scene.gateway('Programmed'), 'True Programmed');
    scene.follow([{ port: 80, message: 'port 80 is in use by another program' }]);
    assert.equal(scene.gateway('Programmed', 'http'), 'False Invalid');
    scene.follow([{ port: 8080, message: 'is of another port' }]);
    assert.equal(scene.gateway('Programmed', 'http'), 'True Programmed');
    scene.follow([{ message: 'haproxy is not installed' }]);
    assert.equal(scene.gateway('Programmed'), 'False Invalid');
  });

  it('notes the generation that it has seen', () => {
    const scene = new Scene(gateway(HTTP))
      .follow()
      .add(gateway(`${HTTP}, {name: alt, port: 8080, protocol: HTTP}`))
      .follow();
    const { metadata, status } = scene.get('Gateway', 'edge');
    assert.equal(metadata.generation, 2);
    const seen = [...(status?.conditions ?? []), ...(status?.listeners ?? []).flatMap(({ conditions }) => conditions)];
    assert.deepEqual([...new Set(seen.map((one) => one.observedGeneration))], [2]);
  });

  it('keeps conditions that others have written', () => {
    const scene = new Scene(gateway(HTTP)).follow();
    const { status, ...object } = scene.get('Gateway', 'edge');
    const foreign = { type: 'special.io/SomeField', status: 'True' as const, reason: 'Set' };
    scene.world.put({ ...object, status: { ...status, conditions: [foreign, ...(status?.conditions ?? [])] } });
    scene.add(httpRoute('web', to('web'))).follow([{ message: 'broken' }]);
    assert.deepEqual(scene.get('Gateway', 'edge').status?.conditions?.[0], foreign);
  });

  it('is left alone where its class is of another controller, and served by a class of ours by any name', () => {
    const of = (name: string, controller: string): string =>
      `{apiVersion: gateway.networking.k8s.io/v1, kind: GatewayClass, metadata: {name: ${name}}, spec: {controllerName: ${controller}}}`;
    const named = (name: string): string => gateway(HTTP).replace('plumbline', name);
    const scene = new Scene(
      of('cilium', 'io.cilium/gateway-controller'),
      of('own', 'plumbline.dev/gateway'),
      named('cilium'),
    );
    assert.equal(scene.get('Gateway', 'edge').status, undefined);
    assert.equal(scene.get('GatewayClass', 'own', '').status?.conditions?.[0]?.status, 'True');
    assert.equal(scene.get('GatewayClass', 'cilium', '').status, undefined);
    assert.equal(scene.add(named('own')).gateway('Accepted'), 'True Accepted');
    assert.equal(scene.add(named('nobody')).get('Gateway', 'edge').status, undefined);
    assert.equal(scene.world.list('ProxyConfig').length, 0);
  });

  it('is on the nodes alone whose addresses it asks for', () => {
    const asks = (address: string): string => gateway(HTTP, 'edge', `, addresses: [{value: ${address}}]`);
    const scene = new Scene(asks('192.0.2.2')).follow();
    assert.deepEqual([scene.spec('n1').ports, scene.spec('n2').ports.length], [[], 1]);
    assert.deepEqual(
      scene.get('Gateway', 'edge').status?.addresses?.map(({ value }) => value),
      ['192.0.2.2'],
    );
    scene.add(asks('198.51.100.1'));
    assert.equal(scene.gateway('Programmed'), 'False AddressNotUsable');
    scene.add(gateway(HTTP, 'edge', ', addresses: [{type: Hostname, value: a.example.com}]'));
    assert.equal(scene.gateway('Accepted'), 'False UnsupportedAddress');
  });

  it('takes its ProxyConfigs along when the last of all goes', () => {
    const scene = new Scene(gateway(HTTP));
    assert.equal(scene.world.list('ProxyConfig').length, 2);
    assert.equal(scene.remove('Gateway', 'edge').world.list('ProxyConfig').length, 0);
  });

  it('tells of a node that goes: people are sent to the others', () => {
    const scene = new Scene(gateway(HTTP)).follow();
    const one = scene.world.get(objectKey('Node', undefined, 'n2'));
    assert.ok(one);
    scene.world.put({ ...one, spec: { ...one.spec, unschedulable: true } });
    scene.world.settle();
    assert.deepEqual(
      scene.get('Gateway', 'edge').status?.addresses?.map(({ value }) => value),
      ['192.0.2.1'],
    );
    assert.equal(scene.spec('n2').ports.length, 1);
  });
});

describe('listeners', () => {
  const cases: readonly (readonly [name: string, listeners: string, told: Readonly<Record<string, string>>])[] = [
    [
      'of two protocols at one port',
      `${HTTP}, {name: tcp, port: 80, protocol: TCP}`,
      { http: 'True ProtocolConflict', tcp: 'True ProtocolConflict' },
    ],
    [
      'of HTTPS and of TLS passed through at one port',
      `${tls('{name: cert}')}, {name: pass, port: 443, protocol: TLS, tls: {mode: Passthrough}}`,
      { https: 'True ProtocolConflict', pass: 'True ProtocolConflict' },
    ],
    [
      'of different host names at one port',
      `${HTTP}, {name: a, port: 80, protocol: HTTP, hostname: a.example.com}`,
      { http: 'False NoConflicts', a: 'False NoConflicts' },
    ],
    [
      'of a protocol that is not there',
      `${HTTP}, {name: udp, port: 80, protocol: UDP}`,
      { http: 'False NoConflicts', udp: 'False NoConflicts' },
    ],
  ];
  for (const [name, listeners, told] of cases)
    it(`${name}: are told apart, or told of`, () => {
      const scene = new Scene(certificate('cert'), gateway(listeners)).follow();
      for (const [listener, conflict] of Object.entries(told)) {
        assert.equal(scene.gateway('Conflicted', listener), conflict, listener);
        const isServed = conflict.startsWith('False') && listener !== 'udp';
        assert.equal(scene.gateway('Programmed', listener), isServed ? 'True Programmed' : 'False Invalid', listener);
      }
    });

  it('of a protocol that is not there are not accepted, and the Gateway is with the others', () => {
    const scene = new Scene(gateway(`${HTTP}, {name: udp, port: 53, protocol: UDP}`));
    assert.equal(scene.gateway('Accepted', 'udp'), 'False UnsupportedProtocol');
    assert.equal(scene.gateway('Accepted'), 'True ListenersNotValid');
    assert.equal(
      scene.add(gateway('{name: udp, port: 53, protocol: UDP}')).gateway('Accepted'),
      'False ListenersNotValid',
    );
  });

  it('at the port of the machines sshd are not accepted', () => {
    assert.equal(
      new Scene(gateway('{name: tcp, port: 22, protocol: TCP}')).gateway('Accepted', 'tcp'),
      'False PortUnavailable',
    );
  });

  it('that an older Gateway has are not taken from it; on other nodes they are free', () => {
    const scene = new Scene(gateway(HTTP), gateway(HTTP, 'other'));
    assert.equal(scene.gateway('Accepted', 'http'), 'True Accepted');
    assert.equal(scene.gateway('Accepted', 'http', 'other'), 'False HostnameConflict');
    const apart = new Scene(
      gateway(HTTP, 'edge', ', addresses: [{value: 192.0.2.1}]'),
      gateway(HTTP, 'other', ', addresses: [{value: 192.0.2.2}]'),
    );
    assert.equal(apart.gateway('Accepted', 'http', 'other'), 'True Accepted');
    scene.remove('Gateway', 'edge');
    assert.equal(scene.gateway('Accepted', 'http', 'other'), 'True Accepted');
  });

  it('say which kinds of routes they take, and which they were asked for in vain', () => {
    const kinds = (list: string): string => `{name: http, port: 80, protocol: HTTP, allowedRoutes: {kinds: [${list}]}}`;
    const scene = new Scene(gateway(kinds('{kind: TCPRoute}, {kind: HTTPRoute}')));
    const names = (): unknown =>
      scene.get('Gateway', 'edge').status?.listeners?.[0]?.supportedKinds.map(({ kind }) => kind);
    assert.deepEqual([names(), scene.gateway('ResolvedRefs', 'http')], [['HTTPRoute'], 'False InvalidRouteKinds']);
    scene.add(gateway(kinds('{kind: TCPRoute}')));
    assert.deepEqual([names(), scene.gateway('Programmed', 'http')], [[], 'False Invalid']);
    scene.add(gateway(HTTP));
    assert.deepEqual(
      [names(), scene.gateway('ResolvedRefs', 'http')],
      [['HTTPRoute', 'GRPCRoute'], 'True ResolvedRefs'],
    );
  });

  const grant = (from: string, name = ''): string =>
    `{apiVersion: gateway.networking.k8s.io/v1beta1, kind: ReferenceGrant, metadata: {name: g, namespace: certs}, spec: {from: [{group: gateway.networking.k8s.io, kind: Gateway, namespace: ${from}}], to: [{group: '', kind: Secret${name === '' ? '' : `, name: ${name}`}}]}}`;
  const refs: readonly (readonly [name: string, ref: string, others: readonly string[], told: string])[] = [
    ['a certificate', '{name: cert}', [certificate('cert')], 'True ResolvedRefs'],
    ['a Secret that is not there', '{name: cert}', [], 'False InvalidCertificateRef'],
    [
      'a key of another certificate',
      '{name: cert}',
      [certificate('cert', 'default', true)],
      'False InvalidCertificateRef',
    ],
    [
      'a Secret of another type',
      '{name: cert}',
      [certificate('cert').replace('kubernetes.io/tls', 'Opaque')],
      'False InvalidCertificateRef',
    ],
    ['another kind', '{kind: ConfigMap, name: cert}', [certificate('cert')], 'False InvalidCertificateRef'],
    [
      'one of another namespace',
      '{name: cert, namespace: certs}',
      [certificate('cert', 'certs')],
      'False RefNotPermitted',
    ],
    [
      'one that a grant allows',
      '{name: cert, namespace: certs}',
      [certificate('cert', 'certs'), grant('default')],
      'True ResolvedRefs',
    ],
    [
      'one that a grant names',
      '{name: cert, namespace: certs}',
      [certificate('cert', 'certs'), grant('default', 'cert')],
      'True ResolvedRefs',
    ],
    [
      'a grant for another name',
      '{name: cert, namespace: certs}',
      [certificate('cert', 'certs'), grant('default', 'x')],
      'False RefNotPermitted',
    ],
    [
      'a grant for others',
      '{name: cert, namespace: certs}',
      [certificate('cert', 'certs'), grant('team')],
      'False RefNotPermitted',
    ],
    [
      'a granted one that is not there',
      '{name: cert, namespace: certs}',
      [grant('default')],
      'False InvalidCertificateRef',
    ],
  ];
  for (const [name, ref, others, told] of refs)
    it(`with TLS and ${name}`, () => {
      const scene = new Scene(namespace('certs'), ...others, gateway(tls(ref))).follow();
      assert.equal(scene.gateway('ResolvedRefs', 'https'), told);
      assert.equal(scene.gateway('Programmed', 'https'), told.startsWith('True') ? 'True Programmed' : 'False Invalid');
      assert.equal(scene.spec().ports.length, told.startsWith('True') ? 1 : 0);
    });

  it('of which one takes names of the other tell that their TLS overlaps', () => {
    const scene = new Scene(
      certificate('cert'),
      gateway(
        [
          tls('{name: cert}', 'a', 'foo.example.com'),
          tls('{name: cert}', 'b', 'foo.example.org'),
          tls('{name: cert}', 'c', '*.example.com'),
        ].join(', '),
      ),
    );
    const told = ['a', 'b', 'c'].map((name) => scene.gateway('OverlappingTLSConfig', name));
    assert.deepEqual(told, ['True OverlappingHostnames', 'none', 'True OverlappingHostnames']);
  });

  it('count the routes that are attached to them, whether they are served or not', () => {
    const scene = new Scene(
      namespace('team', 'edge: yes'.replace('yes', "'yes'")),
      service('web', 'team'),
      gateway(
        `${HTTP}, {name: alt, port: 8080, protocol: HTTP, allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {edge: 'yes'}}}}}, {name: udp, port: 1, protocol: UDP}`,
      ),
      httpRoute('a', to('web')),
      httpRoute('b', to('web'), 'parentRefs: [{name: edge, namespace: default}]', ', namespace: team'),
      httpRoute('c', to('web'), 'parentRefs: [{name: edge, sectionName: http}, {name: edge, sectionName: alt}]'),
    );
    const counts = scene.get('Gateway', 'edge').status?.listeners?.map(({ attachedRoutes }) => attachedRoutes);
    assert.deepEqual(counts, [2, 1, 0]);
    // By their port alone.
    scene.add(httpRoute('d', to('web'), 'parentRefs: [{name: edge, port: 80}]'));
    assert.deepEqual(
      scene.get('Gateway', 'edge').status?.listeners?.map(({ attachedRoutes }) => attachedRoutes),
      [3, 1, 0],
    );
    assert.deepEqual(
      scene.get('HTTPRoute', 'c').status?.parents.map(({ conditions }) => conditions[0]?.reason),
      ['Accepted', 'NotAllowedByListeners'],
    );
  });
});
