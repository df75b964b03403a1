/** Volumes that outlive pods, in folders of a real disk; mounts and images are told of only. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { lstat, mkdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { persistentFolders, type ShownFolders } from '../../../nodeagent/adapters/disk/persistent-folders.ts';
import type { VolumeImages } from '../../../nodeagent/adapters/disk/volume-images.ts';
import { makeFolder } from '../../support/folder.ts';

const PV = 'pvc-00000000-0000-4000-8000-000000000001';
const { signal } = new AbortController();

describe('a volume', () => {
  let root = '';
  before(async () => {
    root = makeFolder('persistent-folders-');
  });
  after(() => rm(root, { recursive: true, force: true }));

  function made(name: string): { readonly kept: ShownFolders; readonly done: readonly string[] } {
    const done: string[] = [];
    const isImage = (folder: string): Promise<boolean> =>
      lstat(join(folder, 'image')).then(
        () => true,
        () => false,
      );
    const images: VolumeImages = {
      async make(folder) {
        done.push('make');
        await writeFile(join(folder, 'image'), 'half');
        for (let turns = 0; turns < 20; turns += 1) await turn();
        await writeFile(join(folder, 'image'), 'whole');
      },
      has: isImage,
      async show(folder, target) {
        done.push(`show ${await readFile(join(folder, 'image'), 'utf8')} at ${target}`);
      },
      async grow() {
        done.push('grow');
      },
      isInUse: () => Promise.resolve(false),
      size: () => Promise.resolve(0),
    };
    const mounts = { bind: () => Promise.resolve(), isShown: () => Promise.resolve(false) };
    return { kept: persistentFolders(join(root, name), mounts, images), done };
  }

  it('that several pods begin with at once is made once', async () => {
    const { kept, done } = made('at-once');
    const volume = { is: 'made', volume: PV, record: '{}', bytes: 1 } as const;
    await Promise.all(['/a', '/b', '/c'].map((target) => kept.show(volume, target, signal)));
    assert.deepEqual(done, ['make', 'show whole at /a', 'show whole at /b', 'show whole at /c']);
    assert.deepEqual(await kept.records(), ['{}']);
  });

  it('has no record where something else is in its place, or more than any record has', async () => {
    const { kept } = made('records');
    const put = async (name: string, what: (path: string) => Promise<unknown>): Promise<void> => {
      await mkdir(join(root, 'records', name), { recursive: true });
      await what(join(root, 'records', name, 'volume.json'));
    };
    await put('pvc-a', (path) => writeFile(path, '{"a":1}'));
    await put('pvc-link', (path) => symlink(join(root, 'records', 'pvc-a', 'volume.json'), path));
    await put('pvc-endless', (path) => symlink('/dev/zero', path));
    await put('pvc-pipe', (path) => promisify(execFile)('mkfifo', [path]));
    await put('pvc-long', (path) => writeFile(path, '').then(() => truncate(path, 2 ** 40)));
    assert.deepEqual(await kept.records(), ['{"a":1}']);
  });

  it('grows where it is an image, and as a folder has all that it asks for', async () => {
    const { kept, done } = made('growth');
    await assert.rejects(kept.grow(PV, 2, signal), /no pod has used it yet/);
    await mkdir(join(root, 'growth', PV, 'data'), { recursive: true });
    await kept.grow(PV, 2, signal);
    assert.deepEqual(done, []);
    await kept.remove(PV, signal);
    await kept.show({ is: 'made', volume: PV, record: '{}', bytes: 1 }, '/a', signal);
    await kept.grow(PV, 2, signal);
    assert.deepEqual(done, ['make', 'show whole at /a', 'grow']);
  });
});
