/** BackendTLSPolicy: what a Service's certificate is held against, and what becomes of a policy that cannot be. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findCondition } from '../../../contracts/objects/index.ts';
import { makePair } from '../proxy/pairs.ts';
import { certificate, gateway, HTTP, httpRoute, Scene, to } from './scene.ts';

const PEM = makePair().certificate.replaceAll('\n', '\\n');
const GARBAGE = '-----BEGIN CERTIFICATE-----\\nMIIB\\n-----END CERTIFICATE-----\\n';
const configMap = (name: string, ca: string): string =>
  `{apiVersion: v1, kind: ConfigMap, metadata: {name: ${name}}, data: {ca.crt: "${ca}"}}`;
const AUTHORITY = 'caCertificateRefs: [{group: "", kind: ConfigMap, name: ca}]';
const policy = (name: string, target = '{group: "", kind: Service, name: web}', authority = AUTHORITY): string =>
  `{apiVersion: gateway.networking.k8s.io/v1, kind: BackendTLSPolicy, metadata: {name: ${name}}, spec: {targetRefs: [${target}], validation: {hostname: web.example.com, ${authority}}}}`;

function told(scene: Scene, name: string): readonly string[] {
  const [ancestor] = scene.get('BackendTLSPolicy', name).status?.ancestors ?? [];
  return ['Accepted', 'ResolvedRefs'].map((type) => findCondition(ancestor?.conditions, type)?.reason ?? 'none');
}
const open = (...more: readonly string[]): Scene => new Scene(gateway(HTTP), httpRoute('web', to('web')), ...more);

describe('a BackendTLSPolicy', () => {
  it('has a Service spoken to in TLS, held against its authority, and tells the Gateway', () => {
    const scene = open(configMap('ca', PEM), policy('tls'));
    assert.equal(scene.ask({ host: 'a' }), 'default/web/http+https');
    const [backend] = scene.spec().backends;
    assert.equal(backend?.protocol, 'https');
    assert.equal(backend.verify?.hostname, 'web.example.com');
    assert.match(backend.verify.caCertificates, /BEGIN CERTIFICATE/);
    assert.deepEqual(told(scene, 'tls'), ['Accepted', 'ResolvedRefs']);
    assert.equal(scene.get('BackendTLSPolicy', 'tls').status?.ancestors[0]?.ancestorRef.name, 'edge');
  });

  it('takes the authorities of the system, and is of one port alone where it says so', () => {
    const port = '{group: "", kind: Service, name: web, sectionName: grpc}';
    const scene = open(policy('tls', port, 'wellKnownCACertificates: System'));
    assert.equal(scene.ask({ host: 'a' }), 'default/web/http');
    scene.add(policy('all', undefined, 'wellKnownCACertificates: System'));
    assert.deepEqual(scene.spec().backends[0]?.verify, { hostname: 'web.example.com', caCertificates: '' });
  });

  const broken: readonly (readonly [string, string, readonly string[], readonly string[]])[] = [
    ['an authority that is not there', AUTHORITY, [], ['NoValidCACertificate', 'InvalidCACertificateRef']],
    ['no certificate in it', AUTHORITY, [configMap('ca', 'x')], ['NoValidCACertificate', 'InvalidCACertificateRef']],
    ['what is none', AUTHORITY, [configMap('ca', GARBAGE)], ['NoValidCACertificate', 'InvalidCACertificateRef']],
    [
      'an authority of another kind',
      AUTHORITY.replace('ConfigMap', 'Secret'),
      [certificate('ca')],
      ['NoValidCACertificate', 'InvalidKind'],
    ],
  ];
  for (const [what, authority, more, expected] of broken)
    it(`with ${what} lets nobody through, and tells`, () => {
      const scene = open(...more, policy('tls', undefined, authority));
      assert.equal(scene.ask({ host: 'a' }), '500');
      assert.deepEqual(told(scene, 'tls'), expected);
    });

  it('follows its ConfigMap', () => {
    const scene = open(policy('tls'));
    assert.equal(scene.ask({ host: 'a' }), '500');
    scene.add(configMap('ca', PEM));
    assert.deepEqual([scene.ask({ host: 'a' }), told(scene, 'tls')[0]], ['default/web/http+https', 'Accepted']);
    assert.equal(scene.remove('ConfigMap', 'ca').ask({ host: 'a' }), '500');
  });

  it('gives way to an older one for the same Service', () => {
    const scene = open(configMap('ca', PEM), policy('old'), policy('young'));
    assert.deepEqual([told(scene, 'old')[0], told(scene, 'young')[0]], ['Accepted', 'Conflicted']);
  });

  it('is no way for calls of gRPC', () => {
    const route = `{apiVersion: gateway.networking.k8s.io/v1, kind: GRPCRoute, metadata: {name: rpc}, spec: {parentRefs: [{name: edge}], hostnames: [rpc], rules: [{backendRefs: [{name: web, port: 80}]}]}}`;
    const scene = open(configMap('ca', PEM), policy('tls'), route);
    assert.equal(scene.route('GRPCRoute', 'rpc', 'ResolvedRefs'), 'False UnsupportedProtocol');
  });
});
