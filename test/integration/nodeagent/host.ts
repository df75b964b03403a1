/**
 * A host of its own for one test: its own network, mounts and processes, its own containerd. Killing its first process
 * leaves nothing behind.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { machineHierarchies } from '../../../lab/cgroups.ts';
import { processStart } from '../../../lab/process.ts';
import { removeFolder } from '../../../lab/remove-folder.ts';
import { imageArchive, type ImageSource } from '../../../nodeagent/core/image/archive.ts';
import { makeFolder } from '../../support/folder.ts';
import { whenInterrupted } from '../../support/interruption.ts';
import { patience } from '../../support/patience.ts';
import { tied } from '../../support/tied.ts';

type ImageProgram = Pick<ImageSource, 'entrypoint' | 'command'>;

export interface TestHost {
  readonly folder: string;
  readonly containerdSocket: string;
  /** Process that is the host's init, as this machine numbers it. */
  readonly pid: number;
  /** Starts a command inside the host. */
  spawn(argv: readonly string[], env?: Readonly<Record<string, string>>): ChildProcess;
  run(argv: readonly string[], env?: Readonly<Record<string, string>>): Promise<string>;
  /** `runs`: what the image says of its program; a shell where that is absent. */
  importImage(name: string, variant?: string, runs?: ImageProgram): Promise<void>;
  close(): Promise<void>;
}

export const BUSYBOX = 'registry.test/busybox:1';

function containerdConfig(folder: string): string {
  return `version = 2
root = "${folder}/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.internal.v1.opt"]
[grpc]
  address = "${folder}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${folder}/cni"
`;
}

const CNI = {
  cniVersion: '0.4.0',
  name: 'test',
  plugins: [
    {
      type: 'ptp',
      ipMasq: false,
      ipam: {
        type: 'host-local',
        dataDir: '/run/cni',
        ranges: [[{ subnet: '198.18.77.0/24' }]],
        routes: [{ dst: '0.0.0.0/0' }],
      },
    },
  ],
};

const BOOT = `
mount -t tmpfs tmpfs /run && mkdir -p /run/netns /run/lock
mount -t tmpfs tmpfs /var/lib/cni 2>/dev/null || true
if [ -n "$2" ]; then
  mkdir -p "$1/containerd" "$1/root/var/lib/plumbline"
  mount -t tmpfs -o "size=$2" tmpfs "$1/containerd"
  mkdir "$1/containerd/agent" && mount --bind "$1/containerd/agent" "$1/root/var/lib/plumbline"
fi
ip link set lo up
ip link add uplink0 type veth peer name uplink1 && ip addr add 198.18.76.1/24 dev uplink0 && ip link set uplink0 up && ip link set uplink1 up
echo 1 > /proc/sys/net/ipv4/ip_forward
exec containerd --config "$1/config.toml" --log-level warn
`;

/**
 * Boots a host and waits until its containerd answers. Removes the cgroups of test processes that were killed. `disk`:
 * size of the disk that images, containers' own files and the agent's are on, as tmpfs has it; the machine's own disk
 * when absent.
 */
export async function startHost(options: { readonly disk?: string } = {}): Promise<TestHost> {
  await removeCgroups((owner) => processStart(owner) === undefined);
  for (const parent of cgroupParents()) await mkdir(join(parent, `uid${UID_MARK}host`), { recursive: true });
  const folder = makeFolder('plumbline-host-');
  await mkdir(join(folder, 'cni'), { recursive: true });
  await writeFile(join(folder, 'config.toml'), containerdConfig(folder));
  await writeFile(join(folder, 'cni', '10-test.conflist'), JSON.stringify(CNI));
  const [program, ...args] = tied(
    'unshare',
    '--mount',
    '--pid',
    '--net',
    '--uts',
    '--ipc',
    '--fork',
    '--kill-child',
    '--mount-proc',
    'sh',
    '-ec',
    BOOT,
    'boot',
    folder,
    options.disk ?? '',
  );
  const init = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let noise = '';
  init.stdout.on('data', (chunk: Buffer) => {
    noise += chunk.toString();
  });
  init.stderr.on('data', (chunk: Buffer) => {
    noise += chunk.toString();
  });
  const ended = once(init, 'exit');
  const socket = join(folder, 'containerd.sock');

  async function close(): Promise<void> {
    init.kill('SIGKILL');
    if (init.exitCode === null && init.signalCode === null) await ended;
    // The kernel takes the host's processes down in its own time; files vanish from under the last of them.
    await removeFolder(folder);
    await removeCgroups((owner) => owner === process.pid);
    forget();
  }
  const forget = whenInterrupted(`the host in ${folder}`, close);

  let pid = 0;
  for (const isOver = patience(10_000); ;) {
    pid = Number(
      (await readFile(`/proc/${init.pid ?? 0}/task/${init.pid ?? 0}/children`, 'utf8').catch(() => '')).trim(),
    );
    if (
      pid > 0 &&
      (await output('ctr', ['--address', socket, 'version']).then(
        () => true,
        () => false,
      ))
    )
      break;
    if (isOver() || init.exitCode !== null) {
      await close();
      throw new Error(`the test's containerd does not start: ${noise}`);
    }
    await delay(50);
  }

  const enter = (argv: readonly string[]): string[] => [
    '--target',
    String(pid),
    '--mount',
    '--pid',
    '--net',
    '--uts',
    '--ipc',
    '--',
    ...argv,
  ];
  return {
    folder,
    containerdSocket: socket,
    pid,
    close,
    spawn: (argv, env) =>
      spawn('nsenter', enter(argv), { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } }),
    run: (argv, env) => output('nsenter', enter(argv), env),
    async importImage(name, variant = '1', runs) {
      const file = join(folder, 'image.tar');
      await writeFile(file, await busyboxImage(name, variant, runs));
      await output('nsenter', enter(['ctr', '--address', socket, '--namespace', 'k8s.io', 'images', 'import', file]));
      await rm(file);
    },
  };
}

/** Uids of a test's pods carry the test's own process id. */
export const UID_MARK = `-${process.pid}-`;

/**
 * What the runtime makes cgroups in, and would make itself. Test hosts of the machine share them: while a host has one of
 * its own in there, no other takes them away from under its pods.
 */
function cgroupParents(): readonly string[] {
  return machineHierarchies().flatMap(({ mountPoint }) => [join(mountPoint, 'plumbline'), join(mountPoint, 'k8s.io')]);
}

/** Cgroups outlive the processes that were in them. */
async function removeCgroups(ofProcess: (pid: number) => boolean): Promise<void> {
  for (const parent of cgroupParents()) {
    for (const name of await readdir(parent).catch(() => [])) {
      const pid = /^(?:pod)?(?:uid|contract|stranger)-(\d+)-/.exec(name)?.[1];
      if (pid !== undefined && ofProcess(Number(pid))) await removeCgroup(join(parent, name));
    }
    await rmdir(parent).catch(() => undefined);
  }
}

async function removeCgroup(path: string): Promise<void> {
  for (const entry of await readdir(path, { withFileTypes: true }).catch(() => []))
    if (entry.isDirectory()) await removeCgroup(join(path, entry.name));
  for (let tries = 0; ; tries += 1) {
    try {
      return await rmdir(path);
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      if (code === 'ENOENT') return;
      if (code !== 'EBUSY' || tries > 100) throw cause;
      await delay(50);
    }
  }
}

/** busybox with its usual names, and a file that tells the variant. */
export async function busyboxImage(
  name: string,
  variant: string,
  runs: ImageProgram = { command: ['/bin/sh'] },
): Promise<Buffer> {
  const busybox = await readFile('/bin/busybox');
  const applets = [
    'sh',
    'sleep',
    'cat',
    'echo',
    'httpd',
    'nc',
    'wget',
    'true',
    'false',
    'ls',
    'env',
    'id',
    'hostname',
    'kill',
    'test',
    'touch',
    'rm',
    'stat',
    'head',
    'seq',
    'stty',
    'ip',
    'readlink',
    'mount',
    'wc',
    'dd',
    'tail',
  ];
  return imageArchive({
    name,
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    files: [
      ...['bin', 'etc', 'www'].map((path) => ({ type: 'folder' as const, path, mode: 0o755 })),
      { type: 'folder', path: 'tmp', mode: 0o777 },
      { type: 'file', path: 'www/index.html', mode: 0o644, content: Buffer.from(`variant ${variant}\n`) },
      { type: 'file', path: 'etc/passwd', mode: 0o644, content: Buffer.from('root:x:0:0:root:/:/bin/sh\n') },
      { type: 'file', path: 'bin/busybox', mode: 0o755, content: busybox },
      ...applets.map((applet) => ({ type: 'symlink' as const, path: `bin/${applet}`, target: 'busybox' })),
    ],
    ...runs,
  });
}

async function output(
  command: string,
  args: readonly string[],
  env?: Readonly<Record<string, string>>,
): Promise<string> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString();
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} failed with ${code}: ${err}${out}`);
  return out;
}
