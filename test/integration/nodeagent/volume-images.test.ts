/** Volumes whose size is held to, on a real file system with real loop devices. */
import { execFile } from 'node:child_process';
import {
  copyFile,
  link,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  stat,
  statfs,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { promisify } from 'node:util';
import assert from 'node:assert/strict';
import { createRunCommand } from '../../../nodeagent/adapters/process/run-command.ts';
import { persistentRoot, volumeFolder, type NodeFolders } from '../../../nodeagent/core/pod/layout.ts';
import type { VolumePlan } from '../../../nodeagent/core/pod/volumes/index.ts';
import type { RunCommand } from '../../../nodeagent/ports/run-command.ts';
import { ownFiles, type OwnFiles } from './own-files.ts';
import { ownMount } from './own-mount.ts';

const exec = promisify(execFile);
const signal = new AbortController().signal;
const PV = 'pvc-0a1b';
const RECORD = '{"metadata":{"name":"pvc-0a1b"}}';
const MIB = 2 ** 20;

describe('volumes whose size is held to', () => {
  const mount = ownMount('plumbline-images-', '160m');

  let folders: NodeFolders;
  let root: string;
  let agent: OwnFiles;
  beforeEach(async () => {
    const base = await mkdtemp(join(mount.path, 't'));
    folders = { state: join(base, 'state'), run: join(base, 'run'), podLogs: join(base, 'logs') };
    root = persistentRoot(folders);
    agent = ownFiles(folders);
    await agent.files.prepare(signal);
  });
  afterEach(async () => {
    for (const uid of ['uid-1', 'uid-2']) await end(uid);
    assert.deepEqual(await leftOver(), { mounts: [], devices: [] });
    await exec('rm', ['-rf', root]);
  });

  const image = (): string => join(root, PV, 'image');
  const shown = (uid: string): string => volumeFolder(folders, uid, 'v', 'network');
  const plan = (uid: string, bytes = 16 * MIB): VolumePlan => ({
    kind: 'persistent',
    from: { is: 'made', volume: PV, record: RECORD, bytes },
    changePolicy: 'Always',
    name: 'v',
    path: shown(uid),
    group: undefined,
  });
  const use = (uid: string, bytes?: number, by = agent): Promise<void> =>
    by.files.syncVolumes([plan(uid, bytes)], signal);
  const end = (uid: string): Promise<void> => agent.files.remove({ namespace: 'default', name: 'app', uid }, signal);
  /** What the machine still holds for this test. */
  async function leftOver(): Promise<{ mounts: string[]; devices: string[] }> {
    const mounts = (await readFile('/proc/self/mountinfo', 'utf8'))
      .split('\n')
      .flatMap((line) => line.split(' ')[4] ?? [])
      .filter((path) => path.startsWith(`${folders.state}/`));
    const { stdout } = await exec('losetup', ['--list', '--noheadings', '--output', 'BACK-FILE']);
    return { mounts, devices: stdout.split('\n').filter((path) => path.includes(folders.state)) };
  }
  /** Writes and flushes until the volume is full; resolves with how many bytes it took. */
  async function fill(uid: string): Promise<number> {
    const file = await open(join(shown(uid), 'large'), 'w');
    try {
      for (let written = 0; ; written += MIB) {
        try {
          await file.writeFile(Buffer.alloc(MIB, 1));
          await file.sync();
        } catch (cause) {
          assert.equal((cause as NodeJS.ErrnoException).code, 'ENOSPC');
          return written;
        }
      }
    } finally {
      await file.close();
    }
  }
  const free = async (): Promise<number> => {
    const { bavail, bsize } = await statfs(root);
    return bavail * bsize;
  };

  it('take of the room for volumes what they are, made or not', async () => {
    // Others write to the same file system: only what two looks, one after the other, differ by is the volume's.
    const counted = async (): Promise<number> => (await agent.kept.room([PV])) - (await agent.kept.room([]));
    assert.ok(Math.abs(await counted()) < 4 * MIB, 'one that is not made takes nothing');
    await use('uid-1', 32 * MIB);
    assert.ok(Math.abs((await counted()) - 32 * MIB) < 4 * MIB, 'one that is made has its size');
  });

  it('take no more than their size, which is theirs from the start, and two pods have the same one', async () => {
    await use('uid-1');
    assert.deepEqual(await readdir(shown('uid-1')), [], 'as empty as a folder: some programs want that');
    assert.equal((await stat(shown('uid-1'))).mode & 0o7777, 0o777);
    const before = await free();
    const taken = await fill('uid-1');
    assert.ok(taken > 8 * MIB && taken < 16 * MIB, `${taken}`);
    assert.ok(before - (await free()) < MIB, 'its room was taken before');
    await use('uid-2');
    await end('uid-1');
    assert.deepEqual(await readdir(shown('uid-2')), ['large']);
    assert.equal((await leftOver()).devices.length, 1);
    await end('uid-2');
    assert.deepEqual(await leftOver(), { mounts: [], devices: [] });
    await use('uid-1');
    assert.deepEqual(await readdir(shown('uid-1')), ['large']);
    assert.deepEqual(await agent.kept.records(), [RECORD]);
  });

  it('have what was flushed after the machine lost its power', async () => {
    await use('uid-1');
    const file = await open(join(shown('uid-1'), 'row'), 'w');
    await file.writeFile('1');
    await file.sync();
    await file.close();
    // What is on the disk now, with a journal that nobody has read.
    const saved = join(folders.state, 'saved');
    await copyFile(image(), saved);
    await end('uid-1');
    await copyFile(saved, image());
    await use('uid-1');
    assert.equal(await readFile(join(shown('uid-1'), 'row'), 'utf8'), '1');
    await exec('rm', [saved]);
  });

  it('are left as they are where their file system is damaged or gone, and no new one is made', async () => {
    await use('uid-1');
    await end('uid-1');
    const zeroes = Buffer.alloc(16 * MIB);
    await writeFile(image(), zeroes);
    await assert.rejects(use('uid-1'), /MountVolume.SetUp failed for volume "v" : .*e2fsck/s);
    assert.ok((await readFile(image())).equals(zeroes));
  });

  it('are no links, nor files that have another name, nor those of somebody else', async () => {
    await use('uid-1');
    await end('uid-1');
    const elsewhere = join(folders.state, 'elsewhere');
    await exec('mv', [image(), elsewhere]);
    await symlink(elsewhere, image());
    await assert.rejects(use('uid-1'), /no image that was made here/);
    await exec('rm', [image()]);
    await link(elsewhere, image());
    await assert.rejects(use('uid-1'), /no image that was made here/);
    await exec('rm', [elsewhere]);
    await exec('chmod', ['666', image()]);
    await assert.rejects(use('uid-1'), /no image that was made here/);
  });

  it('are not made where the disk would be short then, of whatever size', async () => {
    for (const bytes of [200 * MIB, 2 ** 63, 2 ** 63 - 1024])
      await assert.rejects(use('uid-1', bytes), /disk has no room for \d+ more bytes of volumes/);
    assert.deepEqual(
      (await readdir(root)).filter((name) => !name.startsWith('.')),
      [],
    );
    await use('uid-1', 0.5);
    assert.equal((await stat(image())).size, 16 * MIB);
  });

  it('stay folders where they were made as such', async () => {
    await mkdir(join(root, PV, 'data'), { recursive: true });
    await writeFile(join(root, PV, 'data', 'row'), '1');
    await use('uid-1');
    assert.deepEqual(await readdir(shown('uid-1')), ['row']);
  });

  it('are mounted once where an agent was killed and its program goes on', async () => {
    const gate = join(folders.state, 'gate');
    await exec('mkfifo', [gate]);
    const real = createRunCommand();
    let leftBehind: Promise<unknown> | undefined;
    const killed: RunCommand = async (argv, options) => {
      const at = argv.indexOf('mount');
      if (at < 0) return await real(argv, options);
      const slow = [...argv.slice(0, at), 'sh', '-c', 'read -r _ < "$0"; exec "$@"', gate, ...argv.slice(at)];
      leftBehind = real(slow, options);
      throw new Error('killed');
    };
    await assert.rejects(use('uid-1', undefined, ownFiles(folders, killed)), /killed/);
    const next = use('uid-2');
    await writeFile(gate, '\n');
    await Promise.all([next, leftBehind]);
    await use('uid-1');
    const { mounts, devices } = await leftOver();
    assert.deepEqual([mounts.length, devices.length], [2, 1]);
  });

  /** An agent that is killed at its `k`-th command: before the program began, or when it had ended. */
  function killedAt(k: number, when: 'before' | 'after'): { agent: OwnFiles; wasKilled: () => boolean } {
    let commands = 0;
    const real = createRunCommand();
    const run: RunCommand = async (argv, options) => {
      commands += 1;
      if (commands > k) throw new Error('killed');
      if (commands < k) return await real(argv, options);
      if (when === 'after') await real(argv, options);
      throw new Error('killed');
    };
    return { agent: ownFiles(folders, run), wasKilled: () => commands >= k };
  }

  const bytesShown = async (uid: string): Promise<number> => {
    const { blocks, bsize } = await statfs(shown(uid));
    return blocks * bsize;
  };
  const put = async (text: string): Promise<void> => {
    await use('uid-1');
    await writeFile(join(shown('uid-1'), 'row'), text);
    await end('uid-1');
  };

  it('grow before the next pod has them, with what is in them, and take the room at once', async () => {
    await assert.rejects(agent.kept.grow(PV, 32 * MIB, signal), /no pod has used it yet/);
    await put('1');
    const before = await free();
    await agent.kept.grow(PV, 32 * MIB, signal);
    assert.ok(before - (await free()) >= 16 * MIB);
    await use('uid-1', 32 * MIB);
    assert.ok((await bytesShown('uid-1')) > 24 * MIB);
    assert.deepEqual(await readdir(shown('uid-1')), ['row']);
    assert.equal(await readFile(join(shown('uid-1'), 'row'), 'utf8'), '1');
    await agent.kept.grow(PV, 20 * MIB, signal);
    assert.equal((await stat(image())).size, 32 * MIB, 'never less');
  });

  it('grow under a pod where the kernel lets them, and else with the next pod', async () => {
    await use('uid-1');
    await writeFile(join(shown('uid-1'), 'row'), '1');
    const refusal = await agent.kept.grow(PV, 32 * MIB, signal).then(
      () => undefined,
      (cause: Error) => cause.message,
    );
    if (refusal !== undefined) {
      // Without CAP_SYS_RESOURCE nobody may.
      assert.match(refusal, /does not grow while it is in use/);
      await writeFile(join(shown('uid-1'), 'row'), '2');
      await end('uid-1');
      await use('uid-1');
    }
    await agent.kept.grow(PV, 32 * MIB, signal);
    assert.ok((await bytesShown('uid-1')) > 24 * MIB);
    assert.match(await readFile(join(shown('uid-1'), 'row'), 'utf8'), /^[12]$/);
  });

  it('grow with the next agent, when a growth was cut off in the middle of what it writes', async () => {
    await put('1');
    await agent.kept.grow(PV, 64 * MIB, signal);
    const real = createRunCommand();
    for (let seconds = 0.0005; ; seconds *= 1.07) {
      let isCutOff = false;
      // Ended later each time, wherever it is then. Without the kernel's way, which cannot be cut off.
      const run: RunCommand = async (argv, options) => {
        if (!argv.includes('resize2fs')) return await real(argv, options);
        if (!argv.includes('-z')) throw new Error('refused');
        const at = argv.indexOf('resize2fs');
        const timeout = ['timeout', '--signal', 'KILL', seconds.toFixed(5)];
        const ended = await real([...argv.slice(0, at), ...timeout, ...argv.slice(at)], options);
        isCutOff = ended.code !== 0;
        return ended;
      };
      await use('uid-1', 64 * MIB, ownFiles(folders, run)).catch(() => undefined);
      if (!isCutOff) break;
      await end('uid-1');
    }
    assert.ok((await bytesShown('uid-1')) > 48 * MIB);
    assert.equal(await readFile(join(shown('uid-1'), 'row'), 'utf8'), '1');
  });

  it('stay as they are where the disk would be short then', async () => {
    await put('1');
    for (const bytes of [200 * MIB, 2 ** 63]) {
      await assert.rejects(agent.kept.grow(PV, bytes, signal), /disk has no room for \d+ more bytes of volumes/);
      assert.equal((await stat(image())).size, 16 * MIB);
    }
  });

  it('grow with the next agent, when one was killed at any program that it ran', async () => {
    for (const when of ['before', 'after'] as const)
      for (let k = 1; ; k += 1) {
        await put(`${k}`);
        const first = killedAt(k, when);
        await first.agent.kept.grow(PV, 32 * MIB, signal).catch(() => undefined);
        agent = ownFiles(folders);
        await use('uid-1', 32 * MIB);
        await agent.kept.grow(PV, 32 * MIB, signal).catch(() => undefined);
        await end('uid-1');
        await agent.kept.grow(PV, 32 * MIB, signal);
        await use('uid-1', 32 * MIB);
        assert.ok((await bytesShown('uid-1')) > 24 * MIB, `command ${k}`);
        assert.equal(await readFile(join(shown('uid-1'), 'row'), 'utf8'), `${k}`);
        await end('uid-1');
        await agent.kept.remove(PV, signal);
        if (!first.wasKilled()) break;
      }
  });

  for (const when of ['before', 'after'] as const)
    it(`are made, shown and removed by the next agent, when one was killed ${when} any program that it ran`, async () => {
      for (let k = 1; ; k += 1) {
        const first = killedAt(k, when);
        await use('uid-1', undefined, first.agent).catch(() => undefined);
        agent = ownFiles(folders);
        await use('uid-1');
        assert.deepEqual(await readdir(root), [PV], `command ${k}`);
        const { mounts, devices } = await leftOver();
        assert.deepEqual([mounts.length, devices.length], [1, 1], `command ${k}`);
        await writeFile(join(shown('uid-1'), 'row'), '1');
        const second = killedAt(1, when);
        await use('uid-2', undefined, second.agent).catch(() => undefined);
        await use('uid-2');
        assert.equal(await readFile(join(shown('uid-2'), 'row'), 'utf8'), '1');
        await end('uid-1');
        await assert.rejects(agent.kept.remove(PV, signal), /a pod has it mounted/);
        await end('uid-2');
        await killedAt(1, when)
          .agent.kept.remove(PV, signal)
          .catch(() => undefined);
        await agent.kept.remove(PV, signal);
        assert.deepEqual(await readdir(root), []);
        if (!first.wasKilled()) return;
      }
    });
});
