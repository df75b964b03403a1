/**
 * A Debian 12 disk as a person's own server would have it: systemd, cgroup v2, the distribution's kernel, sshd,
 * containerd.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmod, copyFile, mkdir, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LabFailure, LabRefusal } from '../../../lab/errors.ts';
import { findProgram, run, runOrFail, systemPath } from '../../../lab/process.ts';
import { interrupted, whenInterrupted } from '../interruption.ts';
import { tied } from '../tied.ts';

export interface VmImage {
  /** Raw ext4 file system, never written to after it was built: a machine runs on a copy. */
  readonly disk: string;
  readonly kernel: string;
  readonly initrd: string;
  /** `ssh-ed25519 BASE64`. */
  readonly hostKey: string;
}

/** Where images are kept between runs. */
export const VM_CACHE = join(import.meta.dirname, '../../../.cache/vm');

export interface ImageOptions {
  /** Cache folder, where an image is built once per recipe; {@link VM_CACHE} by default. */
  readonly dir?: string;
  readonly signal?: AbortSignal;
  readonly progress?: (line: string) => void;
}

const PACKAGES = [
  'systemd',
  'systemd-sysv',
  'udev',
  'dbus',
  'openssh-server',
  'iproute2',
  'linux-image-amd64',
  'ca-certificates',
  'nftables',
  'containerd',
  'runc',
  'containernetworking-plugins',
  'kmod',
  'procps',
  'wireguard-tools',
  'conntrack',
  'ipvsadm',
];
const DISK_BYTES = 4 * 1024 ** 3;

/**
 * Gives the machine what differs from boot to boot, out of the kernel's command line: address, root's key, the
 * registry's place.
 */
const IDENTITY_SCRIPT = `#!/bin/sh
set -eu
for word in $(cat /proc/cmdline); do
  value=\${word#*=}
  case $word in
    vm.name=*) echo "$value" > /etc/hostname; hostname "$value"; printf '127.0.0.1 localhost\\n127.0.1.1 %s\\n' "$value" > /etc/hosts ;;
    vm.address=*) mkdir -p /run/systemd/network; printf '[Match]\\nName=en*\\n[Network]\\nAddress=%s\\nLinkLocalAddressing=no\\n' "$value" > /run/systemd/network/10-lan.network ;;
    vm.key=*) mkdir -p -m 700 /root/.ssh; printf '%s' "$value" | base64 -d > /root/.ssh/authorized_keys; chmod 600 /root/.ssh/authorized_keys ;;
    vm.registry=*) folder=/etc/containerd/certs.d/\${value%%@*}; mkdir -p "$folder"
      printf 'server = "http://%s"\\n\\n[host."http://%s"]\\n  capabilities = ["pull", "resolve"]\\n' "\${value#*@}" "\${value#*@}" > "$folder/hosts.toml" ;;
  esac
done
`;

const IDENTITY_UNIT = `[Unit]
Description=Name, address and keys of this machine
DefaultDependencies=no
After=systemd-remount-fs.service
Before=systemd-networkd.service ssh.service containerd.service network-pre.target
Wants=network-pre.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/vm-identity

[Install]
WantedBy=sysinit.target
`;

const CONTAINERD_CONFIG = `version = 2

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "/usr/lib/cni"
  conf_dir = "/etc/cni/net.d"

[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "/etc/containerd/certs.d"

[plugins."io.containerd.internal.v1.opt"]
  path = "/var/lib/containerd/opt"
`;

/** Files put over what the packages install: path, text, mode. */
const FILES: readonly (readonly [path: string, text: string, mode: number])[] = [
  ['usr/local/sbin/vm-identity', IDENTITY_SCRIPT, 0o755],
  ['etc/systemd/system/vm-identity.service', IDENTITY_UNIT, 0o644],
  ['etc/containerd/config.toml', CONTAINERD_CONFIG, 0o644],
  ['etc/fstab', '/dev/vda / ext4 defaults 0 1\n', 0o644],
  ['etc/machine-id', '5f3c1b0e7d424a6c9e8b2d7a61f0c394\n', 0o444],
  // A small initial RAM disk: under software emulation a full one costs ten seconds.
  ['etc/initramfs-tools/conf.d/small', 'MODULES=list\nCOMPRESS=gzip\n', 0o644],
  ['etc/initramfs-tools/modules', 'virtio_pci\nvirtio_blk\next4\n', 0o644],
  ['etc/resolv.conf', '# No name server: this machine sees the lab only.\n', 0o644],
];

const FINISH = [
  'systemctl enable systemd-networkd ssh containerd vm-identity',
  // Nothing here needs them, and under software emulation each costs seconds of every boot.
  'systemctl mask systemd-networkd-wait-online apt-daily.timer apt-daily-upgrade.timer modprobe@.service systemd-pstore e2scrub_reap dev-hugepages.mount',
  'update-initramfs -u -k all',
  'passwd -l root',
  'apt-get clean',
];

/** Says with one sentence why images cannot be built or run on this machine; undefined when they can. */
export function vmUnsupported(): string | undefined {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return `the machine test needs Linux on x86-64, this is ${process.platform} on ${process.arch}`;
  if (process.geteuid?.() !== 0) return 'the machine test needs root';
  const needed = [
    ['qemu-system-x86_64', 'qemu-system-x86'],
    ['debootstrap', 'debootstrap'],
    ['mkfs.ext4', 'e2fsprogs'],
  ] as const;
  const missing = needed.filter(([program]) => findProgram(program) === undefined);
  return missing.length === 0
    ? undefined
    : `missing ${missing.map(([program]) => program).join(', ')}: apt-get install ${missing.map(([, debianPackage]) => debianPackage).join(' ')}`;
}

/**
 * The image, from the cache or built: debootstrap takes one to three minutes and needs the machine's Debian mirror.
 * Throws LabRefusal where {@link vmUnsupported} says so. A build that is killed leaves nothing but a folder that the
 * next one removes; one that is interrupted not even that.
 */
export async function buildImage(options: ImageOptions = {}): Promise<VmImage> {
  const dir = options.dir ?? VM_CACHE;
  const refusal = vmUnsupported();
  if (refusal !== undefined) throw new LabRefusal(refusal);
  const recipe = createHash('sha256')
    .update(JSON.stringify([PACKAGES, FILES, FINISH, DISK_BYTES]))
    .digest('hex')
    .slice(0, 16);
  const folder = `${dir}/debian-12-${recipe}`;
  const cached = await readImage(folder);
  if (cached) return cached;
  const work = `${dir}/building-${process.pid}`;
  await mkdir(dir, { recursive: true });
  for (const name of await readdir(dir))
    if (isAbandoned(name)) await rm(`${dir}/${name}`, { recursive: true, force: true });
  const signal = options.signal ? AbortSignal.any([options.signal, interrupted]) : interrupted;
  const building = build(work, { ...options, signal });
  const forget = whenInterrupted(`the image in ${work}`, () =>
    building.catch(() => undefined).then(() => rm(work, { recursive: true, force: true })),
  );
  try {
    await building;
    // Images of older recipes go: nobody asks for them again, and a machine that runs has its own copy.
    for (const name of await readdir(dir))
      if (name.startsWith('debian-12-')) await rm(`${dir}/${name}`, { recursive: true, force: true });
    await rename(work, folder);
  } finally {
    await rm(work, { recursive: true, force: true });
    forget();
  }
  const built = await readImage(folder);
  if (!built) throw new Error(`the image in ${folder} is not whole`);
  return built;
}

async function build(work: string, options: ImageOptions & { readonly signal: AbortSignal }): Promise<void> {
  const { signal } = options;
  const progress = options.progress ?? (() => undefined);
  const root = `${work}/root`;
  await mkdir(root, { recursive: true });
  progress('installing Debian 12 into a folder (debootstrap)');
  await runAlone(
    [
      'debootstrap',
      '--variant=minbase',
      `--include=${PACKAGES.join(',')}`,
      'bookworm',
      root,
      await debianMirror(signal),
    ],
    signal,
  );
  for (const [path, text, mode] of FILES) {
    await mkdir(`${root}/${path}`.replace(/\/[^/]+$/, ''), { recursive: true });
    await rm(`${root}/${path}`, { force: true });
    await writeFile(`${root}/${path}`, text);
    await chmod(`${root}/${path}`, mode);
  }
  await runAlone(['chroot', root, 'sh', '-euc', FINISH.join('\n')], signal);
  const boot = await readdir(`${root}/boot`);
  for (const [prefix, name] of [
    ['vmlinuz-', 'vmlinuz'],
    ['initrd.img-', 'initrd'],
  ] as const) {
    const found = boot.find((file) => file.startsWith(prefix));
    if (found === undefined) throw new Error(`the installed system has no ${prefix}* in /boot`);
    await copyFile(`${root}/boot/${found}`, `${work}/${name}`);
  }
  await copyFile(`${root}/etc/ssh/ssh_host_ed25519_key.pub`, `${work}/host-key.pub`);
  progress('writing the disk');
  await writeFile(`${work}/disk.img`, '');
  await truncate(`${work}/disk.img`, DISK_BYTES);
  await runOrFail(['mkfs.ext4', '-q', '-F', '-d', root, `${work}/disk.img`], { signal });
  await rm(root, { recursive: true, force: true });
}

/**
 * Runs what mounts things and starts others in mount and process namespaces of their own: no mount can stay behind, and
 * all processes end with the first. That is killed when it is told to give up, since unshare(1) lets no other signal
 * through to itself.
 */
async function runAlone(argv: readonly string[], signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const [program, ...args] = tied(
    'unshare',
    '--mount',
    '--propagation',
    'private',
    '--pid',
    '--fork',
    '--kill-child',
    '--',
    ...argv,
  );
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, PATH: systemPath(), LC_ALL: 'C' },
  });
  let words = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      words = (words + chunk.toString('utf8')).slice(-4000);
    });
  const giveUp = (): void => void child.kill('SIGKILL');
  signal.addEventListener('abort', giveUp);
  const [code] = (await once(child, 'close')) as [number | null];
  signal.removeEventListener('abort', giveUp);
  signal.throwIfAborted();
  if (code !== 0) throw new LabFailure(`${argv.join(' ')} ended with ${code}: ${words.trim() || 'it said nothing'}`);
}

async function readImage(folder: string): Promise<VmImage | undefined> {
  const files = await readdir(folder).catch(() => []);
  const key = await readFile(`${folder}/host-key.pub`, 'utf8').catch(() => undefined);
  if (key === undefined || !['disk.img', 'vmlinuz', 'initrd'].every((name) => files.some((file) => file === name)))
    return undefined;
  return {
    disk: `${folder}/disk.img`,
    kernel: `${folder}/vmlinuz`,
    initrd: `${folder}/initrd`,
    hostKey: key.trim().split(' ').slice(0, 2).join(' '),
  };
}

/** A build folder whose builder is gone. */
function isAbandoned(name: string): boolean {
  const pid = /^building-(\d+)$/.exec(name)?.[1];
  if (pid === undefined) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch {
    return true;
  }
}

/** The mirror that this machine's apt uses for Debian 12, else Debian's own. */
async function debianMirror(signal: AbortSignal | undefined): Promise<string> {
  const asked = await run(
    ['apt-get', 'indextargets', '--format', '$(REPO_URI)', 'Codename: bookworm', 'Component: main'],
    { signal },
  );
  return (
    asked.stdout.split('\n').find((line) => /^https?:\/\//.test(line) && !line.includes('security')) ??
    'http://deb.debian.org/debian'
  );
}
