/** Issuing in memory: the real runtime, a gateway node whose proxy follows, an ACME server that looks at it. */
import { generateKeyPairSync } from 'node:crypto';
import {
  ClusterIssuerManifest,
  CertificateManifest,
  objectKey,
  type ClusterIssuer,
  type KubeObject,
  type StoredOf,
} from '../../../contracts/objects/index.ts';
import { MemoryAcmeServers } from '../../../reconciler/adapters/memory/acme-servers.ts';
import { MemoryChallengeRecords } from '../../../reconciler/adapters/memory/challenge-records.ts';
import type { MemoryVault } from '../../../reconciler/adapters/memory/certificate-vault.ts';
import { certificateShim } from '../../../reconciler/controllers/certificates/certificate-shim.ts';
import { Issuing } from '../../../reconciler/controllers/certificates/issuing.ts';
import { createGatewayController } from '../../../reconciler/controllers/gateway.ts';
import { machine, node } from '../controllers/objects.ts';
import { world, type World } from '../runtime/world.ts';

const caKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

export interface Scene {
  readonly world: World;
  readonly acme: MemoryAcmeServers;
  readonly records: MemoryChallengeRecords;
  readonly write: (...objects: readonly KubeObject[]) => Promise<void>;
  readonly certificate: (name: string) => StoredOf<'Certificate'> | undefined;
  readonly secret: (name: string) => StoredOf<'Secret'> | undefined;
  /** Why it is not ready, or `Ready`. */
  readonly word: (name: string) => string | undefined;
  close(): Promise<void>;
}

export async function scene(
  vault: MemoryVault,
  options: { readonly isShown?: boolean; readonly lifeMs?: number } = {},
): Promise<Scene> {
  const one = await world();
  const { cache, writer, clock, log, signal } = one;
  const look = (dnsName: string, token: string): string | undefined => {
    if (options.isShown === false) return undefined;
    const config = cache.get(objectKey('ProxyConfig', undefined, 'n1'));
    const host = config?.spec.ports.find(({ port }) => port === 80)?.hosts.find(({ hostname }) => hostname === dnsName);
    const path = `/.well-known/acme-challenge/${token}`;
    const rule = host?.rules?.find(({ match }) => match.path?.value === path);
    return rule?.action.type === 'answer' ? rule.action.body : undefined;
  };
  const records = new MemoryChallengeRecords();
  const acme = new MemoryAcmeServers({
    clock,
    caKey,
    look,
    texts: (name) => records.texts.get(name) ?? new Set(),
    ...(options.lifeMs !== undefined && { lifeMs: options.lifeMs }),
  });
  const write = (...objects: readonly KubeObject[]): Promise<void> =>
    writer.submit(
      objects.map((object) => ({ do: 'create', object })),
      'test',
      signal,
    );
  // The proxy of the node serves what it is told at once.
  cache.subscribe((type, object) => {
    const its = cache.get(objectKey('Node', undefined, 'n1'));
    if (type !== 'put' || object.kind !== 'ProxyConfig' || !its) return;
    const proxy = { generation: object.metadata.generation, problems: [] };
    void writer.attempt([{ do: 'updateStatus', object: { ...its, status: { ...its.status, proxy } } }], 'test', signal);
  });
  const plain = node('n1');
  const addresses = [{ type: 'InternalIP' as const, address: '192.0.2.11' }];
  await write(machine('n1'), { ...plain, status: { ...plain.status, addresses } });
  const manager = one.manager([createGatewayController(), certificateShim]);
  manager.start();
  const issuing = new Issuing({
    view: cache,
    subscribe: (listener) => cache.subscribe(listener),
    submit: (steps, during) => writer.submit(steps, 'cert-manager', during),
    vault,
    acme,
    records,
    clock,
    log,
  });
  issuing.start();
  const certificate = (name: string): StoredOf<'Certificate'> | undefined =>
    cache.get(objectKey('Certificate', 'default', name));
  return {
    world: one,
    acme,
    records,
    write,
    certificate,
    secret: (name) => cache.get(objectKey('Secret', 'default', name)),
    word: (name) => {
      const { conditions = [] } = certificate(name)?.status ?? {};
      const ready = conditions.find(({ type }) => type === 'Ready');
      return conditions.find(({ type, status }) => type === 'Issuing' && status === 'False')?.reason ?? ready?.reason;
    },
    close: async () => {
      await issuing.close();
      await one.close();
    },
  };
}

export function acmeIssuer(more: object = {}): ClusterIssuer {
  return issuer('acme', {
    acme: {
      server: 'https://acme.example.com/directory',
      privateKeySecretRef: { name: 'account' },
      solvers: [{ http01: { ingress: { ingressClassName: 'plumbline' } } }],
      ...more,
    },
  });
}

export function issuer(name: string, spec: object): ClusterIssuer {
  return ClusterIssuerManifest.parse({
    apiVersion: 'cert-manager.io/v1',
    kind: 'ClusterIssuer',
    metadata: { name },
    spec,
  });
}

export function wanted(name: string, spec: object): KubeObject {
  return CertificateManifest.parse({
    apiVersion: 'cert-manager.io/v1',
    kind: 'Certificate',
    metadata: { name, namespace: 'default' },
    spec: {
      secretName: `${name}-tls`,
      issuerRef: { name: 'acme', kind: 'ClusterIssuer' },
      privateKey: { algorithm: 'ECDSA' },
      ...spec,
    },
  });
}
