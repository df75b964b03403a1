import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  GatewayManifest,
  IngressManifest,
  type StoredGateway,
  type StoredIngress,
} from '../../../contracts/objects/index.ts';
import { certificatesOf } from '../../../reconciler/core/certificates/shim.ts';

const META = { uid: 'u', resourceVersion: '1', generation: 1, creationTimestamp: '2026-01-01T00:00:00Z' };
const CLUSTER_ISSUER = { 'cert-manager.io/cluster-issuer': 'acme' };

function ingress(annotations: Record<string, string>, tls: readonly object[]): StoredIngress {
  const parsed = IngressManifest.parse({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name: 'web', namespace: 'default', annotations, labels: { app: 'web' } },
    spec: { tls, defaultBackend: { service: { name: 'web', port: { number: 80 } } } },
  });
  return { ...parsed, metadata: { ...parsed.metadata, ...META } };
}

function gateway(listeners: readonly object[]): StoredGateway {
  const parsed = GatewayManifest.parse({
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'Gateway',
    metadata: { name: 'edge', namespace: 'default', annotations: CLUSTER_ISSUER },
    spec: { gatewayClassName: 'plumbline', listeners },
  });
  return { ...parsed, metadata: { ...parsed.metadata, ...META } };
}

const told = (owner: StoredIngress | StoredGateway): unknown => {
  const { certificates, problems } = certificatesOf(owner);
  return [certificates.map(({ spec }) => [spec.secretName, ...spec.dnsNames].join(' ')), problems];
};
const A = { hosts: ['a.example.com'], secretName: 'a-tls' };

describe('the annotation of an Ingress', () => {
  it('asks for a Certificate of each tls entry, of its own', () => {
    const { certificates } = certificatesOf(
      ingress({ 'cert-manager.io/issuer': 'own', 'cert-manager.io/renew-before': '240h' }, [A]),
    );
    const [one] = certificates;
    assert.deepEqual(one?.spec.issuerRef, { name: 'own', kind: 'Issuer', group: 'cert-manager.io' });
    assert.equal(one.spec.renewBefore, '240h');
    assert.deepEqual(one.spec.usages, ['digital signature', 'key encipherment']);
    assert.deepEqual(one.metadata.labels, { app: 'web' });
    assert.deepEqual(
      one.metadata.ownerReferences?.map(({ uid, controller }) => [uid, controller]),
      [['u', true]],
    );
  });

  const cases: readonly (readonly [string, StoredIngress, unknown])[] = [
    ['nothing without it', ingress({}, [A]), [[], []]],
    [
      'nothing where both are there',
      ingress({ ...CLUSTER_ISSUER, 'cert-manager.io/issuer': 'b' }, [A]),
      [[], ['both cert-manager.io/issuer and cert-manager.io/cluster-issuer may not be set']],
    ],
    [
      'of what is whole alone',
      ingress(CLUSTER_ISSUER, [
        A,
        { hosts: ['b.example.com'] },
        { secretName: 'c-tls' },
        { ...A, hosts: ['d.example.com'] },
      ]),
      [
        ['a-tls a.example.com'],
        [
          'skipped spec.tls[1]: it has no secretName',
          'skipped spec.tls[2]: it has no hosts',
          'skipped spec.tls[3]: another one has the secretName a-tls',
        ],
      ],
    ],
    [
      'none of what cannot be',
      ingress({ ...CLUSTER_ISSUER, 'cert-manager.io/duration': 'long' }, [A]),
      [[], ['Certificate a-tls: duration must be a duration such as 2160h or 1h30m']],
    ],
    [
      'none by a stranger',
      ingress({ ...CLUSTER_ISSUER, 'cert-manager.io/issuer-group': 'example.com' }, [A]),
      [[], ['Certificate a-tls: issuerRef.group must be cert-manager.io: other issuers are not there']],
    ],
  ];
  for (const [what, owner, expected] of cases)
    it(`asks for ${what}`, () => {
      assert.deepEqual(told(owner), expected);
    });
});

describe('the annotation of a Gateway', () => {
  it('asks for the names of listeners that end TLS, by Secret', () => {
    const https = (name: string, hostname: string | undefined, secret: object) => ({
      name,
      port: 443,
      protocol: 'HTTPS',
      ...(hostname !== undefined && { hostname }),
      tls: { certificateRefs: [secret] },
    });
    const owner = gateway([
      { name: 'http', port: 80, protocol: 'HTTP' },
      https('a', 'a.example.com', { name: 'one' }),
      https('b', 'b.example.com', { name: 'one' }),
      https('any', undefined, { name: 'two' }),
      https('far', 'far.example.com', { name: 'three', namespace: 'other' }),
      { name: 'through', port: 444, protocol: 'TLS', hostname: 'd.example.com', tls: { mode: 'Passthrough' } },
    ]);
    assert.deepEqual(told(owner), [
      ['one a.example.com b.example.com'],
      ['skipped listener any: it has no hostname', 'skipped listener far: Secret three is of another namespace'],
    ]);
  });
});
