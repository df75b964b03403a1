import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { afterEach, describe, it } from 'node:test';
import { IngressManifest, objectKey, type StoredOf } from '../../../contracts/objects/index.ts';
import { MemoryVault } from '../../../reconciler/adapters/memory/certificate-vault.ts';
import { AcmeUnavailable } from '../../../reconciler/core/certificates/acme-errors.ts';
import { lostSecrets } from '../../../reconciler/controllers/certificates/vault-mirror.ts';
import { acmeIssuer, issuer, scene, wanted, type Scene } from './scene.ts';

function x509(secret: StoredOf<'Secret'> | undefined): X509Certificate {
  return new X509Certificate(Buffer.from(secret?.data['tls.crt'] ?? '', 'base64'));
}

describe('issuing', () => {
  let now: Scene | undefined;
  afterEach(() => now?.close());
  const open = async (...args: Parameters<typeof scene>): Promise<Scene> => (now = await scene(...args));
  const ready = (name: string): Promise<void> | undefined =>
    now?.world.until(() => now?.word(name) === 'Ready', `${name}: ${JSON.stringify(now.certificate(name)?.status)}`);

  it('an ACME certificate is shown by the proxies, and in a Secret of its own', async () => {
    const { write, secret, certificate, acme, world } = await open(new MemoryVault());
    await write(acmeIssuer(), wanted('web', { dnsNames: ['web.example.com', 'www.example.com'] }));
    await ready('web');
    const made = secret('web-tls');
    assert.equal(made?.type, 'kubernetes.io/tls');
    assert.deepEqual(x509(made).subjectAltName, 'DNS:web.example.com, DNS:www.example.com');
    assert.equal(made.metadata.annotations?.['cert-manager.io/certificate-name'], 'web');
    assert.equal(made.metadata.annotations['cert-manager.io/issuer-name'], 'acme');
    assert.equal(certificate('web')?.status?.revision, 1);
    assert.ok(Date.parse(certificate('web')?.status?.renewalTime ?? '') > Date.now());
    assert.deepEqual(acme.ordered, [['web.example.com', 'www.example.com']]);
    // Nothing is left of the way there.
    await world.until(
      () => world.cache.list('ProxyConfig').length === 0,
      'the proxies have nothing to answer any more',
    );
    const left = [...world.cache.list('Order'), ...world.cache.list('Challenge')];
    assert.deepEqual(
      [left, world.cache.list('Secret').map(({ metadata }) => metadata.name)],
      [[], ['account', 'web-tls']],
    );
  });

  describe('by DNS-01', () => {
    const zone = acmeIssuer({
      solvers: [
        { http01: { ingress: {} } },
        {
          selector: { dnsZones: ['example.com'] },
          dns01: { cloudflare: { apiTokenSecretRef: { name: 'cloudflare', key: 'token' } } },
        },
      ],
    });
    const token = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'cloudflare', namespace: 'default' },
      type: 'Opaque',
      data: { token: Buffer.from('planted').toString('base64') },
    } as const;
    const told = (): string =>
      now?.certificate('web')?.status?.conditions?.find(({ type }) => type === 'Issuing')?.message ?? '';
    const texts = (): readonly string[] => [...(now?.records.texts.values() ?? [])].flatMap((all) => [...all]);

    it('a wildcard and its name are shown at one name, and nothing is left there', async () => {
      const { write, secret, world, records } = await open(new MemoryVault());
      await write(token, zone, wanted('web', { dnsNames: ['*.example.com', 'example.com'] }));
      await ready('web');
      assert.equal(x509(secret('web-tls')).subjectAltName, 'DNS:*.example.com, DNS:example.com');
      assert.deepEqual([...records.texts.keys()], ['_acme-challenge.example.com']);
      await world.until(() => world.cache.list('Challenge').length === 0, 'the challenges are gone');
      assert.deepEqual(texts(), []);
      assert.deepEqual(world.cache.list('ProxyConfig'), []);
    });

    it('waits for the Secret of its provider, and for the provider, and says so', async () => {
      const { write, world, records } = await open(new MemoryVault());
      await write(zone, wanted('web', { dnsNames: ['web.example.com'] }));
      await world.until(() => told().includes('Secret cloudflare has no token'), 'the Secret is told of');
      records.isDown = true;
      await write(token);
      await world.until(() => told().includes('it is down'), 'the provider is told of');
      records.isDown = false;
      await ready('web');
    });

    it('takes its record away when it goes on the way', async () => {
      const { write, world, records, acme } = await open(new MemoryVault());
      await write(token, zone);
      await world.until(() => acmeReady(world), 'the issuer is ready');
      acme.challenge = () => Promise.reject(new AcmeUnavailable('it is down', {}));
      await write(wanted('web', { dnsNames: ['web.example.com'] }));
      await world.until(() => texts().length === 1 && told().includes('it is down'), 'the record is made');
      records.isDown = true;
      const [challenge] = world.cache.list('Challenge');
      const certificate = now?.certificate('web');
      assert.ok(challenge && certificate);
      // As the collector of garbage does once the Certificate is gone; while it is there, a challenge is made anew.
      for (const { kind, metadata } of [certificate, challenge]) {
        const key = objectKey(kind, metadata.namespace, metadata.name);
        await world.writer.submit([{ do: 'delete', key, uid: metadata.uid }], 'test', world.signal);
      }
      const going = () => world.cache.list('Challenge').some((one) => one.metadata.deletionTimestamp !== undefined);
      await world.until(going, 'the challenge waits for its record');
      records.isDown = false;
      await world.until(() => world.cache.list('Challenge').length === 0, 'the challenge is gone', 30);
      assert.deepEqual(texts(), []);
    });

    it('makes the record again that somebody has taken away meanwhile', async () => {
      const { write, records } = await open(new MemoryVault());
      const missing = records.missing.bind(records);
      let looks = 0;
      records.missing = async (provider, record, signal) => {
        looks += 1;
        if (looks > 1) return missing(provider, record, signal);
        await records.remove(provider, record, signal);
        return 'it is not there';
      };
      await write(token, zone, wanted('web', { dnsNames: ['web.example.com'] }));
      await ready('web');
      assert.ok(looks > 1);
    });

    it('a common name that is no DNS name is asked of nobody', async () => {
      const { write, world, acme } = await open(new MemoryVault());
      await write(token, zone, wanted('web', { commonName: 'x.example.com\nsend', dnsNames: ['x.example.com'] }));
      await world.until(() => told().includes('issues for DNS names alone'), 'it is told');
      assert.deepEqual(acme.ordered, []);
    });

    it('a name that only HTTP-01 could show has no solver as a wildcard', async () => {
      const { write, world } = await open(new MemoryVault());
      await write(acmeIssuer(), wanted('web', { dnsNames: ['*.example.com'] }));
      await world.until(() => told().includes('a wildcard needs a solver with dns01'), 'it is told');
    });
  });

  it('what was issued is not asked for again after the loss of the store', async () => {
    const vault = new MemoryVault();
    const before = await open(vault);
    await before.write(acmeIssuer(), wanted('web', { dnsNames: ['web.example.com'] }));
    await ready('web');
    const data = before.secret('web-tls')?.data;
    await before.close();
    const after = await open(vault);
    await after.write(acmeIssuer(), wanted('web', { dnsNames: ['web.example.com'] }));
    await ready('web');
    assert.deepEqual(after.secret('web-tls')?.data, data);
    assert.deepEqual(after.acme.ordered, []);
  });

  it('is put back for whatever asks for it before anybody acts', async () => {
    const vault = new MemoryVault();
    const before = await open(vault);
    await before.write(acmeIssuer(), wanted('web', { dnsNames: ['web.example.com'] }));
    await ready('web');
    const { signal, cache } = before.world;
    assert.deepEqual(await lostSecrets(cache, vault, signal), []);
    const view = { list: cache.list.bind(cache), get: () => undefined };
    const steps = await lostSecrets(view, vault, signal);
    assert.deepEqual(steps.map((step) => step.do === 'create' && step.object.metadata.name).sort(), [
      'account',
      'web-tls',
    ]);
  });

  it('a name that is not shown fails, and is not asked for again at once', async () => {
    const { write, acme, certificate } = await open(new MemoryVault(), { isShown: false });
    await write(acmeIssuer(), wanted('web', { dnsNames: ['web.example.com'] }));
    await now?.world.until(() => now?.word('web') === 'Failed', 'it has failed');
    const { status } = certificate('web') ?? {};
    const issuing = status?.conditions?.find(({ type }) => type === 'Issuing');
    assert.match(issuing?.message ?? '', /will be retried: .*web\.example\.com is invalid: .*nothing is shown/);
    assert.equal(status?.failedIssuanceAttempts, 1);
    // Another look changes nothing.
    await write(wanted('other', { dnsNames: ['other.invalid'], secretName: 'other-tls' }));
    await now?.world.until(() => now?.word('other') === 'Failed', 'the other has failed too');
    assert.deepEqual(acme.ordered, [['web.example.com']]);
  });

  it('waits for a server that is down, and for an account that is gone', async () => {
    const { write, acme, world, certificate } = await open(new MemoryVault());
    await write(acmeIssuer());
    await world.until(() => acmeReady(world), 'the issuer is ready');
    acme.isDown = true;
    await write(wanted('web', { dnsNames: ['web.example.com'] }));
    const told = (): string =>
      certificate('web')?.status?.conditions?.find(({ type }) => type === 'Issuing')?.message ?? '';
    await world.until(() => told().includes('it is down'), 'it is told');
    acme.forgetAccounts();
    acme.isDown = false;
    await ready('web');
  });

  it('is renewed before its end, with another key, and the Secret is never gone', async () => {
    const { write, world, secret, acme } = await open(new MemoryVault(), { lifeMs: 6000 });
    await write(acmeIssuer(), wanted('web', { dnsNames: ['web.example.com'] }));
    await ready('web');
    const first = secret('web-tls');
    let isGone = false;
    world.cache.subscribe((type, object) => {
      isGone ||= type === 'delete' && object.kind === 'Secret' && object.metadata.name === 'web-tls';
    });
    await world.until(() => secret('web-tls')?.data['tls.key'] !== first?.data['tls.key'], 'it has a new key', 30);
    assert.equal(isGone, false);
    assert.ok(acme.ordered.length >= 2);
  });

  it('an own authority signs', async () => {
    const { write, secret } = await open(new MemoryVault());
    const root = { isCA: true, commonName: 'Own root', issuerRef: { name: 'self', kind: 'ClusterIssuer' } };
    await write(
      issuer('self', { selfSigned: {} }),
      wanted('root', root),
      issuer('ca', { ca: { secretName: 'root-tls' } }),
    );
    await write(
      wanted('db', {
        issuerRef: { name: 'ca', kind: 'ClusterIssuer' },
        dnsNames: ['db.default.svc'],
        ipAddresses: ['10.0.0.1'],
        usages: ['server auth', 'client auth'],
        secretTemplate: { labels: { tier: 'data' } },
      }),
    );
    await ready('db');
    const [leaf, ca] = [x509(secret('db-tls')), x509(secret('root-tls'))];
    assert.ok(leaf.checkIssued(ca) && leaf.verify(ca.publicKey));
    assert.equal(leaf.subjectAltName, 'DNS:db.default.svc, IP Address:10.0.0.1');
    assert.equal(secret('db-tls')?.data['ca.crt'], secret('root-tls')?.data['tls.crt']);
    assert.equal(secret('db-tls')?.metadata.labels?.['tier'], 'data');
  });

  it('an Ingress asks by its annotation, and its end takes the Certificate away', async () => {
    const { write, world, secret, certificate } = await open(new MemoryVault());
    const ingress = IngressManifest.parse({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      metadata: {
        name: 'shop',
        namespace: 'default',
        annotations: { 'cert-manager.io/cluster-issuer': 'acme', 'cert-manager.io/private-key-algorithm': 'ECDSA' },
      },
      spec: {
        tls: [{ hosts: ['shop.example.com'], secretName: 'shop-tls' }],
        rules: [
          {
            host: 'shop.example.com',
            http: {
              paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'shop', port: { number: 80 } } } }],
            },
          },
        ],
      },
    });
    await write(acmeIssuer(), ingress);
    await ready('shop-tls');
    const served = (): unknown =>
      world.cache
        .get(objectKey('ProxyConfig', undefined, 'n1'))
        ?.spec.ports.find(({ port }) => port === 443)
        ?.hosts.map(({ hostname, certificates }) => [hostname, certificates?.map(({ name }) => name).join()].join(' '));
    await world.until(() => String(served()) === 'shop.example.com shop-tls', 'the proxy serves it');
    await world.change(objectKey('Ingress', 'default', 'shop'), (before) => ({
      ...before,
      metadata: { ...before.metadata, annotations: {} },
    }));
    await world.until(() => certificate('shop-tls') === undefined, 'the Certificate is gone');
    assert.ok(secret('shop-tls'), 'the Secret stays');
  });

  it('two Certificates of one Secret, and one of a Secret of Git, are refused', async () => {
    const { write, word, world } = await open(new MemoryVault());
    await write(issuer('acme', { selfSigned: {} }), wanted('a', { dnsNames: ['a.example.com'], secretName: 'one' }));
    await ready('a');
    await write(wanted('b', { dnsNames: ['b.example.com'], secretName: 'one' }), {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'written', namespace: 'default', annotations: { 'plumbline.dev/source': 'fleet' } },
      type: 'kubernetes.io/tls',
      data: { 'tls.crt': 'YQ==', 'tls.key': 'YQ==' },
    });
    await write(wanted('c', { dnsNames: ['c.example.com'], secretName: 'written' }));
    await world.until(
      () => word('b') === 'IncorrectCertificate' && word('c') === 'IncorrectCertificate',
      'both are told',
    );
    assert.equal(word('a'), 'Ready');
  });
});

function acmeReady(world: Scene['world']): boolean {
  const found = world.cache.get(objectKey('ClusterIssuer', undefined, 'acme'));
  return found?.status?.conditions?.[0]?.reason === 'ACMEAccountRegistered';
}
