import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ManifestCache } from '../../../reconciler/core/manifests/index.ts';
import { MAX_REVISION_BYTES, renderFiles, type FileReader } from '../../../reconciler/core/revisions/render.ts';

const configMap = (name: string): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {a: b}\n`;
const file = (path: string, oid: string) => ({ path, oid, mode: '100644' });

/** Reads from `contents`, by blob id; counts. */
function reader(contents: Readonly<Record<string, string>>): { read: FileReader; reads: () => number } {
  let reads = 0;
  return {
    reads: () => reads,
    read: async ({ oid }) => {
      reads++;
      return Buffer.from(contents[oid] ?? '');
    },
  };
}

describe('rendering files', () => {
  it('reads and parses the same contents once, and says of each path what it says of one', async () => {
    const files = ['a.yaml', 'b.yaml', 'c/d.yaml'].map((path) => file(path, 'same'));
    const { read, reads } = reader({ same: `${configMap('one')}immutible: true\n` });
    const cache = new ManifestCache();
    const { diagnostics } = await renderFiles(files, read, cache);
    assert.equal(reads(), 1);
    assert.deepEqual(
      diagnostics.map((d) => [d.file, d.line, d.code]),
      files.map(({ path }) => [path, 5, 'UnknownField']),
    );
    assert.equal(cache.size, 3);
  });

  it('gives an object the place of its own path, also where the file was moved', async () => {
    const { read, reads } = reader({ one: configMap('one') });
    const cache = new ManifestCache();
    await renderFiles([file('old.yaml', 'one')], read, cache);
    const { state } = await renderFiles([file('new.yaml', 'one')], read, cache);
    assert.equal(state.get('configmaps/default/one')?.position.file, 'new.yaml');
    assert.equal(reads(), 1);
    assert.equal(cache.get('old.yaml', 'one'), undefined);
  });

  it('refuses manifests over the limit together, at the same file whatever comes first, before it reads them all', async () => {
    const big = `# ${'x'.repeat(1024 * 1000)}\n`;
    const fits = Math.floor(MAX_REVISION_BYTES / big.length);
    const files = Array.from({ length: 500 }, (_, i) => file(`${String(i).padStart(4, '0')}.yaml`, `blob${i}`));
    let reads = 0;
    const read: FileReader = async ({ path }) => {
      reads++;
      for (let i = Number(path.slice(0, 4)) % 5; i > 0; i--) await Promise.resolve();
      return Buffer.from(big);
    };
    const { state, diagnostics } = await renderFiles(files, read, new ManifestCache());
    assert.equal(state.size, 0);
    assert.deepEqual(
      diagnostics.map((d) => [d.code, d.file]),
      [['RevisionTooLarge', `${String(fits).padStart(4, '0')}.yaml`]],
    );
    assert.ok(reads < fits + 40, `${reads} reads`);
    const same = await renderFiles(
      files.map(({ path }) => file(path, 'same')),
      read,
      new ManifestCache(),
    );
    assert.deepEqual(same.diagnostics, diagnostics);
  });
});
