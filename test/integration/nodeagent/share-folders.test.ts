/**
 * Folders of volumes on a share, on a real file system. Where the kernel has no NFS, a folder of this machine that is
 * mounted by another program stands in for what a server exports: it keeps what is in it from one mount to the next.
 */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { ShareFolder } from '../../../contracts/objects/nfs-volumes.ts';
import { systemMounts } from '../../../nodeagent/adapters/disk/mounts.ts';
import { shareFolders } from '../../../nodeagent/adapters/disk/share-folders.ts';
import { createRunCommand } from '../../../nodeagent/adapters/process/run-command.ts';
import { systemClock } from '../../../nodeagent/adapters/system/clock.ts';
import type { RunCommand } from '../../../nodeagent/ports/run-command.ts';
import type { ShareFolders } from '../../../nodeagent/ports/share-folders.ts';
import { ownMount } from './own-mount.ts';

const signal = new AbortController().signal;

describe('folders of a share', () => {
  const mount = ownMount('plumbline-shares-');

  let root: string;
  let exported: string;
  let asked: (readonly string[])[];
  /** Of mounts and unmounts, which one is the last that this agent lives to see: it is killed before or after it. */
  let killed: { readonly at: number; readonly when: 'before' | 'after' } | undefined;

  /** Each call is an agent started anew. */
  function agent(): ShareFolders {
    const real = createRunCommand();
    let count = 0;
    const run: RunCommand = async (argv, options) => {
      const isDead = killed !== undefined && count >= killed.at + (killed.when === 'before' ? 0 : 1);
      count += 1;
      if (isDead) throw new Error('killed');
      asked.push(argv);
      const [program, source = '', target = ''] = argv;
      return real(
        program === 'mount.nfs' ? ['mount', '--bind', source.replace(/^files:\/srv/, exported), target] : argv,
        options,
      );
    };
    return shareFolders(root, systemMounts(run, systemClock, { mountMs: 5000, unmountMs: 5000 }));
  }
  const folder = (extra: Partial<ShareFolder> = {}): ShareFolder => ({
    volume: 'pvc-a',
    server: 'files',
    share: '/srv',
    folder: 'pvc-a',
    mode: undefined,
    onDelete: 'delete',
    mountOptions: [],
    ...extra,
  });
  const make = (extra?: Partial<ShareFolder>): Promise<void> => agent().make(folder(extra), signal);
  const remove = (extra?: Partial<ShareFolder>): Promise<void> => agent().remove(folder(extra), signal);
  const points = async (): Promise<readonly string[]> =>
    (await readFile('/proc/self/mountinfo', 'utf8'))
      .split('\n')
      .flatMap((line) => line.split(' ')[4] ?? [])
      .filter((point) => point.startsWith(root));
  const shown = async (): Promise<readonly string[]> =>
    (await readdir(exported)).filter((name) => name !== '.plumbline').sort();
  const notes = (): Promise<readonly string[]> => readdir(join(exported, '.plumbline'));
  const modeOf = async (name: string): Promise<string> =>
    ((await stat(join(exported, name))).mode & 0o7777).toString(8);

  beforeEach(async () => {
    const base = await mkdtemp(join(mount.path, 't'));
    [root, exported] = [join(base, 'shares'), join(base, 'exported')];
    await mkdir(exported);
    asked = [];
    killed = undefined;
  });
  afterEach(async () => {
    killed = undefined;
    await agent().tidy(signal);
    assert.deepEqual(await points(), []);
    assert.deepEqual(await readdir(root).catch(() => []), []);
  });

  it('are made once, for everybody to write, and the share is mounted no longer than that', async () => {
    await make({ mountOptions: ['nfsvers=4.1'] });
    assert.deepEqual(
      asked.filter(([program]) => program === 'mount.nfs'),
      [['mount.nfs', 'files:/srv', join(root, 'pvc-a'), '-o', 'nfsvers=4.1,soft,timeo=50,retrans=2']],
    );
    assert.deepEqual([await shown(), await modeOf('pvc-a'), await points()], [['pvc-a'], '777', []]);
    await writeFile(join(exported, 'pvc-a', 'row'), '1');
    await make({ mode: 0o700 });
    assert.deepEqual([await readdir(join(exported, 'pvc-a')), await modeOf('pvc-a')], [['row'], '777']);
  });

  it('are made deep, with the permissions that a class asks for', async () => {
    await make({ folder: 'shop/data', mode: 0o770 });
    assert.equal(await modeOf('shop/data'), '770');
  });

  it('are removed with what is in them, and so is what was noted of them', async () => {
    await make({ folder: 'shop/data' });
    await writeFile(join(exported, 'shop/data/row'), '1');
    await remove({ folder: 'shop/data' });
    assert.deepEqual([await readdir(join(exported, 'shop')), await notes()], [[], []]);
    await remove({ folder: 'shop/data' });
  });

  it('are archived beside their place, also a second time', async () => {
    for (const volume of ['pvc-a', 'pvc-b']) {
      await make({ volume, folder: 'shop/data' });
      await writeFile(join(exported, 'shop/data/row'), volume);
      await remove({ volume, folder: 'shop/data', onDelete: 'archive' });
    }
    const found = await readdir(join(exported, 'shop'));
    assert.deepEqual(found.sort(), ['archived-data', 'archived-data-pvc-b']);
    assert.equal(await readFile(join(exported, 'shop/archived-data/row'), 'utf8'), 'pvc-a');
  });

  it('of several volumes are removed with the last', async () => {
    for (const volume of ['pvc-a', 'pvc-b']) await make({ volume, folder: 'all' });
    await writeFile(join(exported, 'all', 'row'), '1');
    await remove({ folder: 'all' });
    assert.deepEqual(await readdir(join(exported, 'all')), ['row']);
    await remove({ volume: 'pvc-b', folder: 'all' });
    assert.deepEqual(await shown(), []);
  });

  it('are left alone by an agent that comes too late, when another volume has the place', async () => {
    await make({ folder: 'data' });
    await remove({ folder: 'data' });
    await make({ volume: 'pvc-b', folder: 'data' });
    await writeFile(join(exported, 'data', 'row'), '1');
    await remove({ folder: 'data' });
    assert.deepEqual(await readdir(join(exported, 'data')), ['row']);
  });

  it('are left alone where nothing was noted of them', async () => {
    await mkdir(join(exported, 'data'));
    await remove({ folder: 'data' });
    assert.deepEqual(await shown(), ['data']);
  });

  it('are not reached through links', async () => {
    const outside = join(exported, '../outside');
    await mkdir(outside);
    await symlink(outside, join(exported, 'shop'));
    await assert.rejects(make({ folder: 'shop/data' }), { code: 'ENOTDIR' });
    assert.deepEqual(await readdir(outside), []);
    await make({ folder: 'other/data' });
    await symlink(outside, join(exported, 'other/data/link'));
    await writeFile(join(outside, 'row'), '1');
    await remove({ folder: 'other/data' });
    assert.deepEqual([await readdir(join(exported, 'other')), await readdir(outside)], [[], ['row']]);
  });

  it('are noted without opening what a container has put in the place of the entry', async () => {
    await make();
    const [folderOf = ''] = await notes();
    const entry = join(exported, '.plumbline', folderOf, 'pvc-a');
    const outside = join(exported, '../outside');
    await rm(entry);
    await symlink(outside, entry);
    await make();
    await assert.rejects(stat(outside), { code: 'ENOENT' });
    await rm(entry);
    // Who opens a pipe to write waits for one who reads.
    await createRunCommand()(['mkfifo', entry], { signal });
    await make();
    await remove();
    assert.deepEqual([await shown(), await notes()], [[], []]);
  });

  it('are no folders of this machine where the share is not mounted', async () => {
    const real = createRunCommand();
    const run: RunCommand = (argv, options) => real(argv[0] === 'mount.nfs' ? ['true'] : argv, options);
    const shares = shareFolders(root, systemMounts(run, systemClock));
    await assert.rejects(shares.make(folder(), signal), /files:\/srv is not mounted/);
  });

  it('of a name that leads elsewhere are neither made nor removed', async () => {
    await assert.rejects(make({ volume: '../pods' }), /no name of a volume/);
    await assert.rejects(remove({ volume: '../pods' }), /no name of a volume/);
  });

  for (const at of [0, 1])
    for (const when of ['before', 'after'] as const)
      it(`are made and removed by the agent after one that was killed ${when} its program number ${at + 1}`, async () => {
        killed = { at, when };
        await make().catch(() => undefined);
        killed = undefined;
        await agent().tidy(signal);
        assert.deepEqual(await points(), []);
        await make();
        assert.deepEqual(await shown(), ['pvc-a']);
        await writeFile(join(exported, 'pvc-a', 'row'), '1');
        killed = { at, when };
        await remove().catch(() => undefined);
        killed = undefined;
        await remove();
        assert.deepEqual([await shown(), await notes()], [[], []]);
      });

  it('are removed by the agent after one that was killed when the folder had left its place', async () => {
    await make();
    await writeFile(join(exported, 'pvc-a', 'row'), '1');
    await rename(join(exported, 'pvc-a'), join(exported, '.plumbline', 'gone-pvc-a'));
    await remove();
    assert.deepEqual([await shown(), await notes()], [[], []]);
  });
});
