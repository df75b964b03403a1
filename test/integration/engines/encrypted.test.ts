/** Encrypted Secrets in an App: Kustomize passes them on, and neither sees nor keeps what is in them. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { inflateRawSync } from 'node:zlib';
import { removeFolder } from '../../../lab/remove-folder.ts';
import { openEngines, type Engines } from '../../../reconciler/adapters/engines/index.ts';
import { MemorySecretDecryptor } from '../../../reconciler/adapters/memory/secret-decryptor.ts';
import { makeFolder } from '../../support/folder.ts';
import { PLANE, SECRET, sops } from '../../unit/secrets/sealed-files.ts';
import { app, namespace, render, type Files, type Rendered } from './apps.ts';
import { inPatience } from '../../support/patience.ts';

/** What is kept of a rendering is compressed, after a digest. */
function unpacked(file: Buffer): string {
  try {
    return inflateRawSync(file.subarray(32)).toString('utf8');
  } catch {
    return file.toString('utf8');
  }
}

describe('an App with encrypted Secrets', () => {
  const folder = makeFolder('plumbline-encrypted-');
  const signal = inPatience(120_000);
  const decryptor = new MemorySecretDecryptor([PLANE]);
  let engines: Engines;
  before(() => {
    engines = openEngines(folder);
  });
  after(() => removeFolder(folder));
  const rendered = (files: Files): Promise<Rendered> =>
    render(
      { 'apps.yaml': `${namespace('shop')}---\n${app('shop', { path: 'shop', namespace: 'shop' })}`, ...files },
      engines,
      signal,
      (envelope) => decryptor.open(envelope, signal),
    );

  it('has their values, of which nothing is in what the engine was given or left on the disk', async () => {
    const { told, state } = await rendered({
      'shop/kustomization.yaml': 'resources: [db.yaml]\nnamePrefix: my-\n',
      'shop/db.yaml': sops(SECRET),
    });
    assert.deepEqual(told, []);
    const made = state.get('secrets/shop/my-db')?.object;
    assert.equal(
      made?.kind === 'Secret' && Buffer.from(made.data['password'] ?? '', 'base64').toString('utf8'),
      's3cret-canary',
    );
    const kept = readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .map((name) => join(folder, name))
      .filter((path) => statSync(path).isFile() && statSync(path).size < 1024 * 1024)
      .map((path) => unpacked(readFileSync(path)));
    assert.ok(kept.some((text) => text.includes('ENC[AES256_GCM,')));
    for (const text of kept) assert.doesNotMatch(text, /s3cret-canary|czNjcmV0LWNhbmFye/);
  });

  it('is refused where the engine would have to read what is encrypted', async () => {
    const { told } = await rendered({
      'shop/kustomization.yaml': 'secretGenerator: [{ name: db, files: [values.yaml] }]\n',
      'shop/values.yaml': sops('password: s3cret-canary\n', [PLANE], { rules: {} }),
    });
    assert.match(told.join('\n'), /EncryptedField.*shop\/values\.yaml, which is encrypted with SOPS/);
  });

  it('gives no value of one to Helm, which would have to print it', async () => {
    let runs = 0;
    const counted = Object.create(engines, {
      tools: {
        value: (abort: AbortSignal) => {
          const tools = engines.tools(abort);
          return { ...tools, run: (call: Parameters<typeof tools.run>[0]) => (runs++, tools.run(call)) };
        },
      },
    }) as Engines;
    const helm = (kind: string) => ({ valuesFrom: [{ kind, name: 'db', valuesKey: 'password', targetPath: 'a' }] });
    const files = (kind: string): Files => ({
      'apps.yaml': `${namespace('shop')}---\n${app('shop', { path: 'shop', namespace: 'shop', helm: helm(kind) })}`,
      'db.yaml': sops(SECRET),
      'shop/Chart.yaml': 'apiVersion: v2\nname: shop\nversion: 1.0.0\n',
      'shop/templates/map.yaml':
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shown}\ndata: {a: "{{ .Values.a }}"}\n',
    });
    const { told, state } = await render(files('Secret'), counted, signal, (envelope) =>
      decryptor.open(envelope, signal),
    );
    assert.match(
      told.join('\n'),
      /MissingReference.*Secret db is encrypted, and what is decrypted is given to no engine/,
    );
    assert.equal(runs, 0);
    assert.equal(state.get('configmaps/shop/shown'), undefined);
    assert.doesNotMatch(told.join('\n'), /s3cret-canary/);
  });
});
