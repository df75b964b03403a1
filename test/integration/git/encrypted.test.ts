import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { encryptFor, makeIdentity, type NewIdentity } from '../../../reconciler/adapters/age/encrypt.ts';
import { AgeFileDecryptor } from '../../../reconciler/adapters/age/file-decryptor.ts';
import { SECRET_VALUES, sopsSealed } from '../../../reconciler/core/secrets/secret-file.ts';
import { type SyncBench, syncBench } from './sync-bench.ts';
import { makeFolder } from '../../support/folder.ts';
import { inPatience } from '../../support/patience.ts';

const signal = inPatience(600_000);
const CLUSTER = `apiVersion: plumbline.dev/v1alpha1
kind: Cluster
metadata: { name: cluster }
spec: { sync: { pollSeconds: 1 } }
`;
const secret = (value: string): string =>
  `apiVersion: v1\nkind: Secret\nmetadata: { name: db }\nstringData:\n  password: ${value}\n`;

describe('an encrypted Secret in a real repository', () => {
  let folder: string;
  let identity: NewIdentity;
  let bench: SyncBench;
  const keyFile = (): string => join(folder, 'age.key');
  beforeEach(async () => {
    folder = makeFolder('plumb-encrypted-');
    identity = await makeIdentity();
    bench = await syncBench({ decryptor: new AgeFileDecryptor(keyFile()) });
  });
  afterEach(async () => {
    await bench.close();
    await rm(folder, { recursive: true });
  });

  const hold = (one: NewIdentity): Promise<void> => writeFile(keyFile(), `${one.identity}\n`, { mode: 0o600 });
  async function commit(text: string, recipient: string): Promise<string> {
    const key = randomBytes(32);
    const content = sopsSealed(text, {
      key,
      files: [{ recipient, bytes: await encryptFor([recipient], key) }],
      rules: { encrypted_regex: SECRET_VALUES },
      now: '2026-01-02T03:04:05Z',
      nonce: () => randomBytes(32),
    });
    return bench.repository.commit([
      { path: 'plumbline.yaml', content: CLUSTER },
      { path: 'db.yaml', content },
    ]);
  }
  const live = (of = bench): string | undefined => {
    const found = of.cache.get('secrets/default/db');
    return found && Buffer.from(found.data['password'] ?? '', 'base64').toString('utf8');
  };
  const applied = (sha: string): Promise<void> => bench.until(() => bench.status()?.appliedRevision === sha, 'applied');

  it('is applied with its value, and a new data key alone changes nothing', async () => {
    await hold(identity);
    await applied(await commit(secret('one'), identity.recipient));
    assert.equal(live(), 'one');
    const before = bench.cache.get('secrets/default/db')?.metadata.resourceVersion;
    const sha = await commit(secret('one'), identity.recipient);
    await applied(sha);
    assert.deepEqual(bench.record(sha)?.counts, { create: 0, update: 0, delete: 0 });
    assert.equal(bench.cache.get('secrets/default/db')?.metadata.resourceVersion, before);
    await applied(await commit(secret('two'), identity.recipient));
    assert.equal(live(), 'two');
  });

  it('is refused without an identity, and applied once there is one, without another push', async () => {
    await applied(bench.repository.commit([{ path: 'plumbline.yaml', content: CLUSTER }]));
    const sha = await commit(secret('one'), identity.recipient);
    await bench.until(() => bench.record(sha)?.outcome === 'Refused', 'refused');
    assert.match(bench.record(sha)?.message ?? '', /db\.yaml:.* DecryptionKeyMissing there is no age identity/);
    assert.match(bench.record(sha)?.message ?? '', new RegExp(identity.recipient));
    assert.equal(live(), undefined);
    await hold(await makeIdentity());
    await bench.until(() => bench.record(sha)?.message?.includes('fits') === true, 'another reason');
    await hold(identity);
    await applied(sha);
    assert.equal(live(), 'one');
  });

  it('stays as it is when its identity is lost, whatever else is put back', async () => {
    await hold(identity);
    await applied(await commit(secret('one'), identity.recipient));
    await rm(keyFile());
    const later = await syncBench({
      repository: bench.repository,
      store: bench.store,
      decryptor: new AgeFileDecryptor(keyFile()),
    });
    try {
      const cluster = later.cache.list('Cluster')[0];
      assert.ok(cluster);
      const drifted = { ...cluster, spec: { ...cluster.spec, sync: { ...cluster.spec.sync, pollSeconds: 7 } } };
      await bench.sync.close();
      await later.writer.submit([{ do: 'update', object: drifted }], 'test', signal);
      await later.until(() => later.cache.list('Cluster')[0]?.spec.sync.pollSeconds === 1, 'drift healed');
      assert.equal(live(later), 'one');
    } finally {
      await later.close();
    }
  });
});
