/** Everything that would make `up` fail half-way, asked before the first change. Each refusal is one sentence. */
import { open, readdir, readFile, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { machineHierarchies } from './cgroups.ts';
import { LabRefusal } from './errors.ts';
import { refuseAddressClash } from './network.ts';
import { findProgram, run } from './process.ts';
import { labPaths, registryAddress, type LabSettings } from './settings.ts';

/** Programs a lab needs and the Debian packages that have them. */
const PROGRAMS: readonly (readonly [program: string, debianPackage: string])[] = [
  ['ip', 'iproute2'],
  ['nft', 'nftables'],
  ['unshare', 'util-linux'],
  ['nsenter', 'util-linux'],
  ['pivot_root', 'util-linux'],
  ['containerd', 'containerd'],
  ['ctr', 'containerd'],
  ['runc', 'runc'],
  ['sshd', 'openssh-server'],
  ['ssh', 'openssh-client'],
  ['ssh-keygen', 'openssh-client'],
  ['busybox', 'busybox-static'],
  ['bash', 'bash'],
];

/** CAP_SYS_RESOURCE in the effective set. Source: capabilities(7), number 24. */
const CAP_SYS_RESOURCE = 24n;

/** Throws {@link LabRefusal} unless this is Linux and the caller is root. */
export function refuseOtherThanRoot(): void {
  if (process.platform !== 'linux')
    throw new LabRefusal(`The lab needs Linux (network namespaces, cgroups); this is ${process.platform}.`);
  if (process.geteuid?.() !== 0)
    throw new LabRefusal('The lab needs root: it makes network namespaces and mounts. Run it with sudo.');
}

/** Throws {@link LabRefusal} for the first thing that stands in the way; changes nothing. */
export async function preflight(settings: LabSettings, signal?: AbortSignal): Promise<void> {
  refuseOtherThanRoot();
  const wanted = settings.registry ? [...PROGRAMS, ['docker-registry', 'docker-registry'] as const] : PROGRAMS;
  const missing = wanted.filter(([program]) => findProgram(program) === undefined);
  const cni: readonly string[] = await readdir('/usr/lib/cni').catch(() => []);
  const packages = new Set([
    ...missing.map(([, debianPackage]) => debianPackage),
    ...(cni.includes('ptp') ? [] : ['containernetworking-plugins']),
  ]);
  if (packages.size > 0)
    throw new LabRefusal(
      `Missing on this machine: ${[...missing.map(([program]) => program), ...(cni.includes('ptp') ? [] : ['/usr/lib/cni/ptp'])].join(', ')}; install with 'apt-get install ${[...packages].sort().join(' ')}'.`,
    );
  const busybox = findProgram('busybox');
  if (busybox !== '/usr/bin/busybox' || !(await isStatic(busybox)))
    throw new LabRefusal(
      "The lab's hosts and images need a static /usr/bin/busybox; install it with 'apt-get install busybox-static'.",
    );
  machineHierarchies();
  await refuseKernel(signal);
  await refuseFolder(settings);
  await refuseAddressClash(settings, signal);
  const registryPort = Number(registryAddress(settings).split(':')[1]);
  if (settings.registry && (await listensEverywhere(registryPort)))
    throw new LabRefusal(
      `Something on this machine already listens on port ${registryPort} of every address, which the lab's registry needs: stop it, or bring the lab up with --no-registry.`,
    );
}

/**
 * Whether processes of this machine may raise their own limits. Without it containerd must leave the OOM score alone.
 */
export async function hasSysResource(): Promise<boolean> {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(await readFile('/proc/self/status', 'utf8'))?.[1];
  return effective !== undefined && ((BigInt(`0x${effective}`) >> CAP_SYS_RESOURCE) & 1n) === 1n;
}

/**
 * Whether a socket listens on the port of the wildcard address; asked of the kernel, since the lab's address is not
 * there yet. Source: proc(5), /proc/net/tcp.
 */
async function listensEverywhere(port: number): Promise<boolean> {
  const wildcards = ['00000000', '0'.repeat(32)].map(
    (address) => `${address}:${port.toString(16).toUpperCase().padStart(4, '0')}`,
  );
  const tables = await Promise.all(
    ['/proc/net/tcp', '/proc/net/tcp6'].map((file) => readFile(file, 'utf8').catch(() => '')),
  );
  return tables
    .flatMap((table) => table.split('\n'))
    .some((line) => {
      const [, local, , state] = line.trim().split(/\s+/);
      return state === '0A' && local !== undefined && wildcards.includes(local);
    });
}

/** Tries the kernel's parts in a namespace of its own, of which nothing stays. */
async function refuseKernel(signal: AbortSignal | undefined): Promise<void> {
  const tries: readonly (readonly [what: string, script: string])[] = [
    ['network, mount, PID and cgroup namespaces', 'true'],
    ['veth devices', 'ip link add name try0 type veth peer name try1'],
    ['bridges', 'ip link add name try0 type bridge'],
    ['nftables', 'nft add table ip plumbline_try'],
    ['tmpfs mounts', 'mount -t tmpfs tmpfs /mnt'],
  ];
  for (const [what, script] of tries) {
    const tried = await run(
      [
        'unshare',
        '--net',
        '--mount',
        '--uts',
        '--ipc',
        '--cgroup',
        '--pid',
        '--fork',
        '--propagation',
        'private',
        '--',
        'sh',
        '-euc',
        script,
      ],
      { signal },
    );
    if (tried.code !== 0)
      throw new LabRefusal(
        `This kernel or container does not allow ${what}, which lab hosts need (${(tried.stderr || tried.stdout).trim().split('\n').at(-1) ?? 'no reason given'}).`,
      );
  }
}

/** OVERLAYFS_SUPER_MAGIC, TMPFS_MAGIC. Source: magic.h of Linux. */
const NO_DISK = new Map([
  [0x794c7630, 'overlay'],
  [0x01021994, 'tmpfs'],
]);

async function refuseFolder(settings: LabSettings): Promise<void> {
  const found = await readdir(settings.dir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new LabRefusal(`${settings.dir} cannot be the lab's folder: ${error.message}.`);
  });
  const marker = labPaths.settings(settings.dir).slice(settings.dir.length + 1);
  if (found && found.length > 0 && !found.some((name) => name === marker || name === `${marker}.new`))
    throw new LabRefusal(`${settings.dir} holds files that are not a lab's: give an empty or new folder with --dir.`);
  for (let folder = settings.dir; ; folder = dirname(folder)) {
    const type = await statfs(folder).then(
      (s) => s.type,
      () => undefined,
    );
    if (type === undefined && folder !== '/') continue;
    const name = NO_DISK.get(type ?? 0);
    if (name === 'overlay')
      throw new LabRefusal(
        `${settings.dir} is on an overlay file system, where containerd cannot keep images: give a folder on a disk with --dir.`,
      );
    return;
  }
}

/** Whether an ELF program names no dynamic loader. Source: elf(5), PT_INTERP. */
async function isStatic(file: string): Promise<boolean> {
  const handle = await open(file, 'r');
  try {
    const head = Buffer.alloc(4096);
    await handle.read(head, 0, head.length, 0);
    if (head.readUInt32BE(0) !== 0x7f454c46 || head[4] !== 2) return true;
    const offset = Number(head.readBigUInt64LE(32));
    const size = head.readUInt16LE(54);
    const count = head.readUInt16LE(56);
    for (let i = 0; i < count && offset + i * size + 4 <= head.length; i++)
      if (head.readUInt32LE(offset + i * size) === 3) return false;
    return true;
  } finally {
    await handle.close();
  }
}
