/**
 * Volumes of the network on a real file system. Where the kernel has no NFS, a memory file system stands in for what a
 * server exports, and a program that never ends for a server that is silent.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { createRunCommand } from '../../../nodeagent/adapters/process/run-command.ts';
import { podFolder, subPathTarget, volumeFolder, type NodeFolders } from '../../../nodeagent/core/pod/layout.ts';
import type { VolumePlan } from '../../../nodeagent/core/pod/volumes/index.ts';
import type { PodFiles } from '../../../nodeagent/ports/pod-files.ts';
import type { RunCommand } from '../../../nodeagent/ports/run-command.ts';
import { ownFiles } from './own-files.ts';
import { ownMount } from './own-mount.ts';

const signal = new AbortController().signal;
const POD = { namespace: 'default', name: 'app', uid: 'uid-1' };
const SILENCE = ['sleep', '1000'];
/** For programs that end, and for those alone that never do. */
const [LONG_MS, SHORT_MS] = [60_000, 200];

describe('volumes of the network', () => {
  const mount = ownMount('plumbline-network-volumes-');

  let folders: NodeFolders;
  let path: string;
  let plan: VolumePlan;
  /** Programs that were started, and what is run instead of some. */
  let asked: (readonly string[])[];
  let instead: (argv: readonly string[]) => readonly string[] | undefined;
  /** Each call is an agent started anew. `ms`: how long it waits for programs. */
  function agent(ms = LONG_MS): PodFiles {
    const real = createRunCommand();
    const run: RunCommand = (argv, options) => {
      asked.push(argv);
      return real(instead(argv) ?? argv, options);
    };
    return ownFiles(folders, run, { mountMs: ms, unmountMs: ms }).files;
  }
  const isMount = (argv: readonly string[]): boolean => argv[0] === 'mount.nfs';
  const served = (argv: readonly string[]): readonly string[] | undefined =>
    isMount(argv) ? ['mount', '-t', 'tmpfs', 'tmpfs', argv[2] ?? ''] : undefined;
  const points = async (): Promise<readonly string[]> =>
    (await readFile('/proc/self/mountinfo', 'utf8'))
      .split('\n')
      .flatMap((line) => line.split(' ')[4] ?? [])
      .filter((point) => point.startsWith(folders.state));
  const remove = (ms?: number): Promise<void> => agent(ms).remove(POD, signal);

  beforeEach(async () => {
    const base = await mkdtemp(join(mount.path, 't'));
    folders = { state: join(base, 'state'), run: join(base, 'run'), podLogs: join(base, 'logs') };
    path = volumeFolder(folders, POD.uid, 'v', 'network');
    plan = { kind: 'nfs', name: 'v', path, group: undefined, source: 'files:/srv', options: ['ro'] };
    asked = [];
    instead = served;
    await agent().prepare(signal);
  });
  afterEach(async () => {
    instead = () => undefined;
    await remove();
    assert.deepEqual(await points(), []);
    assert.ok(!existsSync(podFolder(folders, POD.uid, 'network')));
  });

  it('are mounted once, by the helper of the kernel, also by agents that come later', async () => {
    for (let i = 0; i < 3; i += 1) await agent().syncVolumes([plan], signal);
    assert.deepEqual(asked.filter(isMount), [['mount.nfs', 'files:/srv', path, '-o', 'ro']]);
    assert.deepEqual(await points(), [path]);
  });

  it('are found by the files of a pod that nobody knows of', async () => {
    await agent().syncVolumes([plan], signal);
    assert.deepEqual(await agent().list(), [{ namespace: '', name: '', uid: POD.uid }]);
  });

  it('are shown in part', async () => {
    await agent().syncVolumes([plan], signal);
    await writeFile(join(path, 'file'), 'text');
    const target = subPathTarget(folders, POD.uid, 'main', 0);
    const prepare = (subPath: string, ms?: number) =>
      agent(ms).prepareContainer(
        {
          hostsFile: undefined,
          terminationFile: join(folders.state, 'end'),
          logFolder: join(folders.podLogs, 'main'),
          subPaths: [{ volume: path, subPath, target }],
        },
        signal,
      );
    await prepare('file');
    assert.equal(await readFile(target, 'utf8'), 'text');
    // The server falls silent.
    instead = (argv) => (argv[0] === 'stat' ? SILENCE : served(argv));
    await assert.rejects(prepare('file', SHORT_MS), /no answer within 0\.2 s/);
  });

  it('say why they cannot be mounted', async () => {
    instead = (argv) => (isMount(argv) ? ['sh', '-c', 'echo "mount.nfs: Connection refused" >&2; exit 32'] : undefined);
    await assert.rejects(agent().syncVolumes([plan], signal), {
      message: `MountVolume.SetUp failed for volume "v" : mount.nfs files:/srv ${path} -o ro: mount.nfs: Connection refused`,
    });
    instead = (argv) => (isMount(argv) ? ['/no/such/program'] : undefined);
    await assert.rejects(agent().syncVolumes([plan], signal), {
      message: 'MountVolume.SetUp failed for volume "v" : this node has no mount.nfs: install nfs-common (nfs-utils)',
    });
  });

  it('of a silent server are given up', async () => {
    instead = (argv) => (isMount(argv) ? SILENCE : undefined);
    await assert.rejects(agent(SHORT_MS).syncVolumes([plan], signal), {
      message: `MountVolume.SetUp failed for volume "v" : mount.nfs files:/srv ${path} -o ro: no answer within 0.2 s`,
    });
  });

  it('are mounted at the next attempt after an agent that was cut off before or after the mount', async () => {
    const cut = new AbortController();
    instead = (argv) => {
      if (!isMount(argv)) return undefined;
      setImmediate(() => cut.abort(new Error('cut off')));
      return SILENCE;
    };
    await assert.rejects(agent().syncVolumes([plan], cut.signal), /cut off/);
    assert.deepEqual(await points(), []);
    instead = served;
    await agent().syncVolumes([plan], signal);
    assert.deepEqual(await points(), [path]);
  });

  it('are taken away with their pod, also those in use and those whose server is silent', async () => {
    await agent().syncVolumes([plan], signal);
    await writeFile(join(path, 'kept'), 'text');
    const plain = (argv: readonly string[]): boolean => argv[0] === 'umount' && !argv.includes('--lazy');
    instead = (argv) => (plain(argv) ? SILENCE : served(argv));
    // What comes behind it does end, on a busy machine too.
    await remove(10 * SHORT_MS);
    assert.deepEqual(await points(), []);
    assert.deepEqual(asked.at(-1), ['umount', '--no-canonicalize', '--force', '--lazy', path]);
  });

  it('keep the folders of a pod until nothing is mounted there', async () => {
    await agent().syncVolumes([plan], signal);
    await writeFile(join(path, 'kept'), 'text');
    instead = (argv) => (argv[0] === 'umount' ? SILENCE : served(argv));
    await assert.rejects(remove(SHORT_MS), /no answer within 0\.2 s/);
    assert.deepEqual(await readdir(path), ['kept']);
  });
});
