/** What is on a lab host's disk before it boots for the first time. Texts are pure; {@link seedDisk} writes them. */
import { createHash } from 'node:crypto';
import { chmod, cp, lstat, mkdir, readlink, symlink, writeFile } from 'node:fs/promises';
import {
  hostsOf,
  labPaths,
  machineAddress,
  REGISTRY_NAME,
  registryAddress,
  type HostSettings,
  type LabSettings,
} from './settings.ts';

/**
 * What every host takes over from the machine's /etc: how programs find libraries, names and certificates. No keys, no
 * users.
 */
const FROM_MACHINE = [
  'alternatives',
  'bash.bashrc',
  'ca-certificates.conf',
  'debian_version',
  'default/locale',
  'ethertypes',
  'gai.conf',
  'host.conf',
  'iproute2',
  'ld.so.cache',
  'ld.so.conf',
  'ld.so.conf.d',
  'localtime',
  'login.defs',
  'magic',
  'mime.types',
  'networks',
  'os-release',
  'profile',
  'protocols',
  'rpc',
  'services',
  'shells',
  'ssl/certs',
  'ssl/openssl.cnf',
  'terminfo',
  'timezone',
];

/** Top-level folders that are links into /usr on a machine with merged /usr, and folders of their own elsewhere. */
export const SYSTEM_FOLDERS = ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32'];

const FOLDERS = [
  'dev',
  'etc',
  'home',
  'opt',
  'proc',
  'root/.ssh',
  'run',
  'srv',
  'sys',
  'tmp',
  'usr',
  'mnt',
  'media',
  'etc/cni/net.d',
  'etc/containerd',
  'etc/default',
  'etc/init.d',
  'etc/ssh',
  'etc/ssl',
  'var/cache',
  'var/lib/cni',
  'var/lib/containerd',
  'var/lib/dpkg',
  'var/lib/plumbline',
  'var/log/plumbline',
  'var/spool',
  'var/tmp',
  'opt/plumbline',
];

const PASSWD = [
  'root:x:0:0:root:/root:/bin/bash',
  'daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin',
  'sshd:x:100:65534::/run/sshd:/usr/sbin/nologin',
  // As Debian's package makes it: a gateway's proxy runs as nobody else does.
  'haproxy:x:101:101::/var/lib/haproxy:/usr/sbin/nologin',
  'nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin',
  '',
].join('\n');
const GROUP = [
  'root:x:0:',
  'daemon:x:1:',
  'tty:x:5:',
  'disk:x:6:',
  'adm:x:4:',
  'haproxy:x:101:',
  'nogroup:x:65534:',
  '',
].join('\n');

/** Keys only, on the host's own address, with the limits per connection that OpenSSH ships. */
export function sshdConfig(host: HostSettings): string {
  return [
    'Port 22',
    `ListenAddress ${host.address}`,
    'HostKey /etc/ssh/ssh_host_ed25519_key',
    'PermitRootLogin prohibit-password',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'AllowStreamLocalForwarding yes',
    'MaxStartups 200:30:400',
    'UsePAM no',
    'UseDNS no',
    'PrintMotd no',
    'Subsystem sftp internal-sftp',
    'PidFile /run/sshd.pid',
    '',
  ].join('\n');
}

/**
 * As Debian ships it, with the registry's folder. `limited`: the machine may not raise process limits (no
 * CAP_SYS_RESOURCE).
 */
export function containerdConfig(limited: boolean): string {
  return [
    'version = 2',
    'disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]',
    '',
    '[plugins."io.containerd.grpc.v1.cri"]',
    '  disable_apparmor = true',
    ...(limited ? ['  restrict_oom_score_adj = true'] : []),
    '',
    '[plugins."io.containerd.grpc.v1.cri".cni]',
    '  bin_dir = "/usr/lib/cni"',
    '  conf_dir = "/etc/cni/net.d"',
    '',
    '[plugins."io.containerd.grpc.v1.cri".registry]',
    '  config_path = "/etc/containerd/certs.d"',
    '',
    '[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]',
    '  runtime_type = "io.containerd.runc.v2"',
    '[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]',
    '  SystemdCgroup = false',
    '',
    '[plugins."io.containerd.internal.v1.opt"]',
    '  path = "/var/lib/containerd/opt"',
    '',
  ].join('\n');
}

/** Maps the registry's name to its address (containerd's hosts.toml). Plain HTTP: it never leaves the machine. */
export function registryHostsToml(address: string): string {
  return [
    `server = "http://${address}"`,
    '',
    `[host."http://${address}"]`,
    '  capabilities = ["pull", "resolve"]',
    '',
  ].join('\n');
}

/**
 * busybox init's table: services that were installed with an init script start once per boot, sshd and containerd
 * whenever they are down.
 */
const INITTAB = [
  '::once:/etc/rc.services',
  '::respawn:/usr/sbin/sshd -D -e 2>>/var/log/sshd.log',
  '::respawn:/usr/bin/containerd >>/var/log/containerd.log 2>&1',
  '',
].join('\n');

const RC_SERVICES = [
  '#!/bin/sh',
  'for service in /etc/init.d/*; do',
  '  if [ -x "$service" ]; then "$service" start; fi',
  'done',
  '',
].join('\n');

/** The same on every boot, different on every host of every lab. Source: machine-id(5). */
export function machineId(settings: LabSettings, host: HostSettings): string {
  return createHash('sha256').update(`${settings.name}/${settings.dir}/${host.name}`).digest('hex').slice(0, 32);
}

export function hostsFile(settings: LabSettings): string {
  return [
    '127.0.0.1 localhost',
    ...hostsOf(settings).map((h) => `${h.address} ${h.name}`),
    `${machineAddress(settings)} machine ${REGISTRY_NAME}`,
    '',
  ].join('\n');
}

/**
 * Writes a new host's disk. `keys`: its host key pair's folder has been filled by the caller; `authorizedKey` may log
 * in as root.
 */
export async function seedDisk(
  settings: LabSettings,
  host: HostSettings,
  options: { readonly authorizedKey: string; readonly limited: boolean },
): Promise<void> {
  const disk = labPaths.disk(host);
  for (const folder of FOLDERS) await mkdir(`${disk}/${folder}`, { recursive: true });
  await Promise.all([
    ...SYSTEM_FOLDERS.map((folder) => seedSystemFolder(disk, folder)),
    ...FROM_MACHINE.map((name) => copyFromMachine(disk, name)),
  ]);
  const files: readonly (readonly [path: string, text: string, mode: number])[] = [
    ['etc/passwd', PASSWD, 0o644],
    ['etc/group', GROUP, 0o644],
    ['etc/shadow', 'root:*:19000:0:99999:7:::\nsshd:!:19000::::::\n', 0o600],
    [
      'etc/nsswitch.conf',
      'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nprotocols: files\nservices: files\n',
      0o644,
    ],
    ['etc/hostname', `${host.name}\n`, 0o644],
    ['etc/hosts', hostsFile(settings), 0o644],
    ['etc/machine-id', `${machineId(settings, host)}\n`, 0o444],
    ['etc/resolv.conf', '# A lab host asks no name server: nothing it sends leaves the machine.\n', 0o644],
    ['etc/fstab', '', 0o644],
    ['etc/inittab', INITTAB, 0o644],
    ['etc/rc.services', RC_SERVICES, 0o755],
    ['etc/ssh/sshd_config', sshdConfig(host), 0o644],
    ['etc/containerd/config.toml', containerdConfig(options.limited), 0o644],
    ['root/.ssh/authorized_keys', `${options.authorizedKey}\n`, 0o600],
  ];
  for (const [path, text, mode] of files) {
    await writeFile(`${disk}/${path}`, text, { mode });
    await chmod(`${disk}/${path}`, mode);
  }
  if (settings.registry) {
    await mkdir(`${disk}/etc/containerd/certs.d/${REGISTRY_NAME}`, { recursive: true });
    await writeFile(
      `${disk}/etc/containerd/certs.d/${REGISTRY_NAME}/hosts.toml`,
      registryHostsToml(registryAddress(settings)),
    );
  }
  await chmod(`${disk}/root`, 0o700);
  await chmod(`${disk}/root/.ssh`, 0o700);
  for (const folder of ['tmp', 'var/tmp']) await chmod(`${disk}/${folder}`, 0o1777);
  await symlink('/run', `${disk}/var/run`).catch(ignoreExisting);
  await symlink('/proc/self/mounts', `${disk}/etc/mtab`).catch(ignoreExisting);
}

async function seedSystemFolder(disk: string, folder: string): Promise<void> {
  const found = await lstat(`/${folder}`).catch(() => undefined);
  if (found?.isSymbolicLink()) await symlink(await readlink(`/${folder}`), `${disk}/${folder}`).catch(ignoreExisting);
  else if (found?.isDirectory()) await mkdir(`${disk}/${folder}`, { recursive: true });
}

async function copyFromMachine(disk: string, name: string): Promise<void> {
  // Links stay as they are: most point into /usr, which the host shares.
  await cp(`/etc/${name}`, `${disk}/etc/${name}`, { recursive: true, verbatimSymlinks: true, force: true }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    },
  );
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}
