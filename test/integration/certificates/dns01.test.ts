/** A wildcard of a real ACME server, which looks at the records that were made in a real zone. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { findCondition, objectKey, type KubeObject } from '../../../contracts/objects/index.ts';
import { HttpAcmeServers } from '../../../reconciler/adapters/acme/servers.ts';
import { DnsRecords } from '../../../reconciler/adapters/dns01/records.ts';
import { MemoryVault } from '../../../reconciler/adapters/memory/certificate-vault.ts';
import { Issuing } from '../../../reconciler/controllers/certificates/issuing.ts';
import { startTestKnot, type TestKnot } from '../../support/knot.ts';
import { startTestPebble, type TestPebble } from '../../support/pebble.ts';
import { acmeIssuer, wanted } from '../../unit/certificates/scene.ts';
import { world, type World } from '../../unit/runtime/world.ts';

describe('a certificate by DNS-01', () => {
  let w: World;
  let knot: TestKnot;
  let pebble: TestPebble;
  let issuing: Issuing;
  before(async () => {
    w = await world();
    knot = await startTestKnot();
    pebble = await startTestPebble({ address: '127.0.0.1', httpPort: 1, dnsPort: knot.port });
    const { cache, writer, clock, log } = w;
    issuing = new Issuing({
      view: cache,
      subscribe: (listener) => cache.subscribe(listener),
      submit: (steps, during) => writer.submit(steps, 'cert-manager', during),
      vault: new MemoryVault(),
      acme: new HttpAcmeServers({ clock }),
      records: new DnsRecords({ clock }),
      clock,
      log,
    });
    issuing.start();
  });
  after(async () => {
    await issuing?.close();
    await Promise.all([w?.close(), knot?.close(), pebble?.close()]);
  });

  const write = (...objects: readonly KubeObject[]): Promise<void> =>
    w.writer.submit(
      objects.map((object) => ({ do: 'create', object })),
      'test',
      w.signal,
    );
  const key = (secret: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'tsig', namespace: 'default' },
    type: 'Opaque',
    data: { key: Buffer.from(secret).toString('base64') },
  });
  const status = () => w.cache.get(objectKey('Certificate', 'default', 'wild'))?.status;

  it('tells why a zone takes no record, and is issued once it does; nothing stays in the zone', async () => {
    const wrong = Buffer.from('planted-wrong-secret').toString('base64');
    await write(
      key(wrong),
      acmeIssuer({
        server: pebble.url,
        caBundle: Buffer.from(pebble.ca).toString('base64'),
        solvers: [
          {
            dns01: {
              rfc2136: {
                nameserver: `127.0.0.1:${knot.port}`,
                tsigKeyName: knot.keyName,
                tsigAlgorithm: 'HMACSHA256',
                tsigSecretSecretRef: { name: 'tsig', key: 'key' },
              },
            },
          },
        ],
      }),
      wanted('wild', { dnsNames: ['*.example.com', 'example.com'] }),
    );
    const told = (): string => findCondition(status()?.conditions, 'Issuing')?.message ?? '';
    await w.until(() => told().includes('the update was not made'), 'why it waits', 60);
    assert.match(told(), /BADSIG|NOTAUTH/);
    assert.ok(!JSON.stringify(w.log.lines).includes(wrong) && !told().includes(wrong));
    await w.change(objectKey('Secret', 'default', 'tsig'), (before) => ({
      ...before,
      data: { key: Buffer.from(knot.secret).toString('base64') },
    }));
    await w.until(() => findCondition(status()?.conditions, 'Ready')?.status === 'True', 'ready', 120);
    const secret = w.cache.get(objectKey('Secret', 'default', 'wild-tls'));
    const made = new X509Certificate(Buffer.from(secret?.data['tls.crt'] ?? '', 'base64'));
    assert.deepEqual(made.subjectAltName?.split(', ').sort(), ['DNS:*.example.com', 'DNS:example.com']);
    await w.until(() => w.cache.list('Challenge').length === 0, 'the challenges are gone', 60);
    assert.deepEqual(await knot.texts('_acme-challenge.example.com'), []);
  });
});
