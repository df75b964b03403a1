/** Data that outlives pods, on a real file system with real mounts. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { lstat, mkdir, mkdtemp, readdir, readFile, rename, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { promisify } from 'node:util';
import assert from 'node:assert/strict';
import { persistentRoot, volumeFolder, type NodeFolders } from '../../../nodeagent/core/pod/layout.ts';
import type { VolumePlan } from '../../../nodeagent/core/pod/volumes/index.ts';
import type { PersistentFolders } from '../../../nodeagent/ports/persistent-folders.ts';
import type { PodFiles } from '../../../nodeagent/ports/pod-files.ts';
import { ownFiles } from './own-files.ts';
import { ownMount } from './own-mount.ts';

const exec = promisify(execFile);
const signal = new AbortController().signal;
const PV = 'pvc-0a1b';
const RECORD = '{"metadata":{"name":"pvc-0a1b"}}';
const GROUP = 4321;

describe('volumes that outlive pods', () => {
  const mount = ownMount('plumbline-volumes-');

  let folders: NodeFolders;
  let files: PodFiles;
  let kept: PersistentFolders;
  let root: string;
  beforeEach(async () => {
    const base = await mkdtemp(join(mount.path, 't'));
    folders = { state: join(base, 'state'), run: join(base, 'run'), podLogs: join(base, 'logs') };
    ({ files, kept } = ownFiles(folders));
    root = persistentRoot(folders);
    await files.prepare(signal);
  });
  afterEach(async () => {
    for (const uid of ['uid-1', 'uid-2']) await end(uid);
    assert.deepEqual(await mounted(), []);
  });

  const shown = (uid: string): string => volumeFolder(folders, uid, 'v', 'network');
  const plan = (uid: string, extra: Partial<VolumePlan> = {}): VolumePlan =>
    ({
      kind: 'persistent',
      from: { is: 'made', volume: PV, record: RECORD, bytes: undefined },
      changePolicy: 'Always',
      name: 'v',
      path: shown(uid),
      group: undefined,
      ...extra,
    }) as VolumePlan;
  const use = (uid: string, extra?: Partial<VolumePlan>): Promise<void> =>
    files.syncVolumes([plan(uid, extra)], signal);
  const end = (uid: string): Promise<void> => files.remove({ namespace: 'default', name: 'app', uid }, signal);
  /** Places below the agent's folder where something is mounted. */
  const mounted = async (): Promise<string[]> =>
    (await readFile('/proc/self/mountinfo', 'utf8'))
      .split('\n')
      .flatMap((line) => line.split(' ')[4] ?? [])
      .filter((path) => path.startsWith(`${folders.state}/`));

  it('keep what a pod wrote for the next one, and two have the same at a time', async () => {
    await use('uid-1');
    await writeFile(join(shown('uid-1'), 'row'), '1');
    await use('uid-1');
    assert.equal((await mounted()).length, 1);
    await use('uid-2');
    await end('uid-1');
    assert.equal(await readFile(join(shown('uid-2'), 'row'), 'utf8'), '1');
    await end('uid-2');
    assert.deepEqual(await readdir(join(root, PV, 'data')), ['row']);
    assert.deepEqual(await kept.records(), [RECORD]);
  });

  const cuts: readonly (readonly [string, () => Promise<void>])[] = [
    ['the draft was begun', () => mkdir(join(root, `.${PV}.new`), { recursive: true }).then(() => undefined)],
    [
      'the draft had its folder',
      () => mkdir(join(root, `.${PV}.new`, 'data'), { recursive: true }).then(() => undefined),
    ],
    [
      'the draft was whole',
      async () => {
        await mkdir(join(root, `.${PV}.new`, 'data'), { recursive: true });
        await writeFile(join(root, `.${PV}.new`, 'volume.json'), 'half');
      },
    ],
    [
      'it was in its place and not shown',
      async () => {
        await mkdir(join(root, PV, 'data'), { recursive: true });
        await writeFile(join(root, PV, 'volume.json'), RECORD);
      },
    ],
    [
      'it was shown',
      async () => {
        await use('uid-1');
      },
    ],
  ];
  for (const [when, cut] of cuts) {
    it(`are made by an agent that was killed when ${when}`, async () => {
      await cut();
      await use('uid-1');
      await writeFile(join(shown('uid-1'), 'row'), '1');
      assert.deepEqual(await kept.records(), [RECORD]);
      assert.equal((await mounted()).length, 1);
      assert.deepEqual(await readdir(root), [PV]);
    });
  }

  it('are removed only when no pod has them, also by an agent that was killed in between', async () => {
    await use('uid-1');
    await writeFile(join(shown('uid-1'), 'row'), '1');
    await assert.rejects(kept.remove(PV, signal), /a pod has it mounted/);
    assert.equal(await readFile(join(shown('uid-1'), 'row'), 'utf8'), '1');
    await end('uid-1');
    await rename(join(root, PV), join(root, `.${PV}.gone`));
    await kept.remove(PV, signal);
    assert.deepEqual(await readdir(root), []);
    await kept.remove(PV, signal);
  });

  it('of a name that leads elsewhere are neither made nor removed', async () => {
    await assert.rejects(kept.remove('../pods', signal), /no name of a volume/);
    await assert.rejects(use('uid-1', { from: { is: 'made', volume: '../x', record: '', bytes: undefined } }));
    assert.ok(!existsSync(join(folders.state, 'x')));
  });

  it("are given to the pod's group, links themselves and not what they lead to", async () => {
    const outside = join(folders.state, 'outside');
    await writeFile(outside, '');
    await use('uid-1');
    const data = shown('uid-1');
    await mkdir(join(data, 'd'), { mode: 0o700 });
    await writeFile(join(data, 'd', 'f'), '', { mode: 0o600 });
    await symlink(outside, join(data, 'd', 'l'));
    await use('uid-1', { group: GROUP });
    const seen = await Promise.all(['.', 'd', 'd/f', 'd/l'].map((name) => lstat(join(data, name))));
    assert.deepEqual(
      seen.map(({ gid }) => gid),
      [GROUP, GROUP, GROUP, GROUP],
    );
    assert.deepEqual(
      seen.slice(0, 3).map(({ mode }) => (mode & 0o7777).toString(8)),
      ['2777', '2770', '660'],
    );
    assert.equal((await stat(outside)).gid, 0);
    await writeFile(join(data, 'new'), '', { mode: 0o600 });
    await exec('chgrp', ['0', join(data, 'new')]);
    await use('uid-1', { group: GROUP, changePolicy: 'OnRootMismatch' });
    assert.equal((await stat(join(data, 'new'))).gid, 0, 'the top has the group: nothing is gone through');
  });

  it("show a folder of the machine's own, and leave it as it is", async () => {
    const disk = join(folders.state, 'disk');
    await mkdir(disk);
    const from = { is: 'host', path: disk, type: 'Directory', setsGroup: false };
    await use('uid-1', { from } as Partial<VolumePlan>);
    await writeFile(join(shown('uid-1'), 'row'), '1');
    await end('uid-1');
    assert.deepEqual(await readdir(disk), ['row']);
    await assert.rejects(
      use('uid-1', { from: { ...from, path: join(folders.state, 'none') } } as Partial<VolumePlan>),
      /hostPath type check failed/,
    );
  });
});
