/** Pods' files on a real file system, with what a container may have put among them. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import {
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { promisify } from 'node:util';
import assert from 'node:assert/strict';
import {
  hostsFile,
  subPathTarget,
  terminationFile,
  volumeFolder,
  type NodeFolders,
} from '../../../nodeagent/core/pod/layout.ts';
import type { PodFiles } from '../../../nodeagent/ports/pod-files.ts';
import { inTime } from '../../support/in-time.ts';
import { ownFiles } from './own-files.ts';
import { ownMount } from './own-mount.ts';

const exec = promisify(execFile);
const signal = new AbortController().signal;
const POD = { namespace: 'default', name: 'app', uid: 'uid-1' };
const WAIT_MS = 10_000;

describe('files of pods', () => {
  const mount = ownMount('plumbline-pod-files-');

  let folders: NodeFolders;
  let files: PodFiles;
  let outside: string;
  let volume: string;
  beforeEach(async () => {
    const base = await mkdtemp(join(mount.path, 't'));
    folders = { state: join(base, 'state'), run: join(base, 'run'), podLogs: join(base, 'logs') };
    ({ files } = ownFiles(folders));
    outside = join(base, 'outside');
    await mkdir(outside);
    await writeFile(join(outside, 'kept'), 'kept');
    volume = volumeFolder(folders, POD.uid, 'v', 'disk');
    await files.prepare(signal);
    await files.syncVolumes(
      [{ kind: 'empty', name: 'v', path: volume, medium: 'disk', sizeBytes: undefined, group: undefined }],
      signal,
    );
  });
  afterEach(async () => {
    assert.deepEqual(await readdir(outside), ['kept']);
    await files.remove(POD, signal);
    for (const folder of [folders.state, folders.run]) assert.ok(!existsSync(join(folder, 'pods', POD.uid)));
    assert.equal(await readFile(join(outside, 'kept'), 'utf8'), 'kept');
  });

  const target = (): string => subPathTarget(folders, POD.uid, 'main', 0);
  const prepare = (subPath: string): Promise<void> =>
    files.prepareContainer(
      {
        hostsFile: { path: hostsFile(folders, POD.uid), text: '' },
        terminationFile: terminationFile(folders, POD.uid, 'main', 0),
        logFolder: join(folders.podLogs, 'main'),
        subPaths: [{ volume, subPath, target: target() }],
      },
      signal,
    );

  describe('a subPath', () => {
    for (const [what, link, subPath] of [
      ['a link to a folder outside', 'a', 'a'],
      ['what is to be made behind such a link', 'a', 'a/new/x'],
      ['a file behind it', 'a', 'a/kept'],
      ['a link deeper down', 'deep/a', 'deep/a/new'],
    ] as const) {
      it(`refuses ${what}, and makes nothing there`, async () => {
        await mkdir(join(volume, 'deep'));
        await symlink(outside, join(volume, link));
        await assert.rejects(prepare(subPath), /leaves its volume/);
      });
    }

    it('refuses a link to nothing', async () => {
      await symlink(join(outside, 'not-yet'), join(volume, 'a'));
      await assert.rejects(prepare('a/b'));
      await assert.rejects(prepare('a'));
    });

    it('is made where it is missing, with the mode of its volume', async () => {
      await prepare('a/new/x');
      await writeFile(join(target(), 'file'), 'text');
      assert.equal(await readFile(join(volume, 'a/new/x/file'), 'utf8'), 'text');
      assert.equal((await stat(join(volume, 'a/new/x'))).mode & 0o7777, 0o777);
    });

    it('shows what was opened, whatever takes its name afterwards', async () => {
      await prepare('data');
      await writeFile(join(volume, 'data', 'file'), 'text');
      await rename(join(volume, 'data'), join(volume, 'moved'));
      await symlink(outside, join(volume, 'data'));
      assert.deepEqual(await readdir(target()), ['file']);
    });

    it('follows links within the volume, also to a file', async () => {
      await mkdir(join(volume, '..v1'));
      await writeFile(join(volume, '..v1', 'key'), 'value');
      await symlink('..v1', join(volume, '..data'));
      await symlink('..data/key', join(volume, 'key'));
      await prepare('key');
      assert.equal(await readFile(target(), 'utf8'), 'value');
    });

    it('is mounted once, however often its container is made', async () => {
      await prepare('one');
      await mkdir(join(volume, 'one', 'inner'));
      await prepare('one');
      await prepare('one');
      const points = (await readFile('/proc/self/mountinfo', 'utf8'))
        .split('\n')
        .filter((line) => line.split(' ')[4] === target());
      assert.equal(points.length, 1);
      assert.deepEqual(await readdir(target()), ['inner']);
      await writeFile(join(volume, 'two'), 'a file now');
      await prepare('two');
      assert.equal(await readFile(target(), 'utf8'), 'a file now');
    });
  });

  describe('a termination message', () => {
    const path = (): string => terminationFile(folders, POD.uid, 'main', 0);
    const message = (): Promise<string> => inTime('the message', WAIT_MS, files.terminationMessage(path()));
    beforeEach(() => prepare('any'));

    it('is the end of the file, however long that is', async () => {
      const bytes = 64 * 2 ** 30;
      await truncate(path(), bytes);
      const file = await open(path(), 'r+');
      await file.write('the end', bytes - 7);
      await file.close();
      const text = await message();
      assert.deepEqual([Buffer.byteLength(text), text.slice(-7)], [4096, 'the end']);
    });

    for (const [what, plant] of [
      [
        'a FIFO',
        async () => {
          await exec('mkfifo', [path()]);
        },
      ],
      [
        'a link',
        async () => {
          await symlink(join(outside, 'kept'), path());
        },
      ],
      [
        'a folder',
        async () => {
          await mkdir(path());
        },
      ],
      ['nothing', async () => undefined],
    ] as const) {
      it(`is empty where there is ${what}`, async () => {
        await rm(path());
        await plant();
        assert.equal(await message(), '');
      });
    }

    it('goes with its attempt, and no newer one does: it may be about to be created', async () => {
      const of = (attempt: number): string => terminationFile(folders, POD.uid, 'main', attempt);
      for (const attempt of [1, 2, 3]) await writeFile(of(attempt), `of ${attempt}`);
      await files.tidyAttempts(POD, 'main', 2, new Set([1]));
      const messages = await Promise.all([0, 1, 2, 3].map((attempt) => files.terminationMessage(of(attempt))));
      assert.deepEqual(messages, ['', 'of 1', '', 'of 3']);
    });
  });

  describe('removal', () => {
    it('follows no link', async () => {
      await symlink(outside, join(volume, 'link'));
      await mkdir(join(volume, 'folder'));
      await symlink(outside, join(volume, 'folder', 'link'));
      assert.equal(await readlink(join(volume, 'link')), outside);
    });

    it('takes away what is mounted, and not what is in it', async () => {
      for (const name of ['m', 'm2']) {
        await mkdir(join(volume, name));
        await exec('mount', ['--bind', outside, join(volume, name)]);
      }
    });

    it('ends in folders deeper than any path', async () => {
      // From within: no path to the deepest is short enough.
      await exec('sh', [
        '-c',
        'cd "$1" && i=0 && while [ $i -lt 600 ]; do mkdir a-folder-with-a-long-name && cd -P a-folder-with-a-long-name || exit 1; i=$((i+1)); done',
        'sh',
        volume,
      ]);
    });

    it('takes many entries', async () => {
      await Promise.all(Array.from({ length: 3000 }, (_, index) => writeFile(join(volume, `f${index}`), '')));
    });
  });
});
