/** What any control plane issued is kept by each of them. */
import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { CertificateManifest, type StoredSecret } from '../../../contracts/objects/index.ts';
import { MemoryVault } from '../../../reconciler/adapters/memory/certificate-vault.ts';
import { VaultMirror } from '../../../reconciler/controllers/certificates/vault-mirror.ts';
import type { ChangeListener } from '../../../reconciler/controllers/runtime/cache.ts';
import { contentOf } from '../../../reconciler/core/certificates/judge.ts';
import { keptName, keptText } from '../../../reconciler/core/certificates/kept.ts';
import { keyText } from '../../../reconciler/core/certificates/private-keys.ts';
import { issuedSecret } from '../../../reconciler/core/certificates/secrets.ts';
import { makeCertificate, pem } from '../../../reconciler/core/certificates/x509.ts';
import { MemoryLog } from '../runtime/world.ts';

const web = CertificateManifest.parse({
  apiVersion: 'cert-manager.io/v1',
  kind: 'Certificate',
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    secretName: 'tls',
    issuerRef: { name: 'ca' },
    dnsNames: ['web.example.com'],
    privateKey: { algorithm: 'ECDSA' },
  },
});
const NAME = keptName('default', 'tls');
const STORED = { uid: 'u', resourceVersion: '1', generation: 1, creationTimestamp: '2026-01-01T00:00:00Z' };

function issued(day: number): StoredSecret {
  const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const der = makeCertificate(contentOf(web.spec), key, {
    serial: randomBytes(16),
    notBefore: new Date(Date.UTC(2026, 0, day)),
    notAfter: new Date(Date.UTC(2026, 3, day)),
  });
  const secret = issuedSecret(
    web,
    { chain: pem('CERTIFICATE', der), key: keyText(key, web.spec.privateKey) },
    undefined,
  );
  return { ...secret, metadata: { ...secret.metadata, ...STORED } };
}

function mirror(there: readonly StoredSecret[] = []) {
  const vault = new MemoryVault();
  const log = new MemoryLog();
  let tell: ChangeListener = () => assert.fail('nobody listens');
  const view = { list: () => there } as unknown as ConstructorParameters<typeof VaultMirror>[0]['view'];
  const one = new VaultMirror({
    view,
    vault,
    log,
    subscribe: (listener) => {
      tell = listener;
      return () => undefined;
    },
  });
  return { one, vault, log, put: (secret: StoredSecret) => tell('put', secret, undefined) };
}

describe('the mirror of what was issued', () => {
  it('keeps what is there at a start, and what comes', async () => {
    const [first, second] = [issued(1), issued(2)];
    const { one, vault, put } = mirror([first]);
    one.start();
    put(second);
    await one.close();
    assert.equal(vault.texts.get(NAME), keptText(second));
  });

  it('does not go back to what was issued before', async () => {
    const [first, second] = [issued(1), issued(2)];
    const { one, vault, put } = mirror();
    vault.texts.set(NAME, keptText(second));
    one.start();
    put(first);
    await one.close();
    assert.equal(vault.texts.get(NAME), keptText(second));
  });

  it('keeps nothing that was not made here', async () => {
    const { one, vault, put } = mirror();
    one.start();
    const own = issued(1);
    put({ ...own, metadata: { ...own.metadata, labels: {} } });
    await one.close();
    assert.equal(vault.texts.size, 0);
  });

  it('tells of what it cannot keep, and goes on', async () => {
    const { one, vault, log, put } = mirror();
    const write = vault.write.bind(vault);
    let failures = 1;
    vault.write = (...args) => (failures-- > 0 ? Promise.reject(new Error('the disk is full')) : write(...args));
    one.start();
    const [first, second] = [issued(1), issued(2)];
    put(first);
    while (log.lines.length === 0) await Promise.resolve();
    put(second);
    await one.close();
    assert.match(JSON.stringify(log.lines), /the disk is full/);
    assert.equal(vault.texts.get(NAME), keptText(second));
  });

  it('loses none that comes just as it is through', async () => {
    const all = [1, 2, 3, 4, 5, 6].map(issued);
    // However many turns of the queue pass before the next one comes.
    for (let turns = 0; turns < 12; turns += 1) {
      const { one, vault, put } = mirror();
      one.start();
      for (const secret of all) {
        put(secret);
        for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
      }
      await one.close();
      assert.equal(vault.texts.get(NAME), keptText(issuedLast(all)), `${turns} turns`);
    }
  });
});

function issuedLast(all: readonly StoredSecret[]): StoredSecret {
  return all.at(-1) ?? assert.fail('none');
}
