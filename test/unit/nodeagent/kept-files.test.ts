/** Files of a pod whose template has a hash of its config: as they were mounted, whatever the config is now. */
import assert from 'node:assert/strict';
import { readFile, rm, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { CONFIG_HASH, PodManifest, type Pod } from '../../../contracts/objects/index.ts';
import { writeVolumeFiles } from '../../../nodeagent/adapters/disk/volumes/files.ts';
import { configFiles } from '../../../nodeagent/core/pod/volumes/files.ts';
import { makeFolder } from '../../support/folder.ts';

const file = (content: string): Parameters<typeof writeVolumeFiles>[1] => [
  { path: 'a', content: Buffer.from(content), mode: 0o644 },
];
const pod = (annotations: Record<string, string>): Pod =>
  PodManifest.parse({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'default', annotations },
    spec: { containers: [{ name: 'c', image: 'x' }] },
  });

describe('files of config', () => {
  let folder = '';
  before(async () => {
    folder = makeFolder('kept-files-');
  });
  after(() => rm(folder, { recursive: true, force: true }));
  const read = (name: string): Promise<string> => readFile(join(folder, name, 'a'), 'utf8');

  it('are kept in a pod with a hash, and follow in one without', () => {
    const of = (annotations: Record<string, string>): unknown => {
      const mounted = configFiles({ ok: true, value: file('1') }, pod(annotations));
      return mounted.ok && mounted.value.kind === 'files' && mounted.value.keeps;
    };
    assert.deepEqual([of({ [CONFIG_HASH]: 'k.h' }), of({})], [true, undefined]);
  });

  it('that are kept stay as they were first written, and whole', async () => {
    await writeVolumeFiles(join(folder, 'kept'), file('1'), undefined, true);
    // As after a crash between the version's link and the file's.
    await unlink(join(folder, 'kept', 'a'));
    await writeVolumeFiles(join(folder, 'kept'), file('2'), undefined, true);
    assert.equal(await read('kept'), '1');
  });

  it('that follow are replaced', async () => {
    await writeVolumeFiles(join(folder, 'follows'), file('1'), undefined);
    await writeVolumeFiles(join(folder, 'follows'), file('2'), undefined);
    assert.equal(await read('follows'), '2');
  });
});
