/** A whole machine (qemu) on a lab's bridge, to join a cluster as somebody's own server would. */
import { constants } from 'node:fs';
import { access, copyFile, mkdir, readFile, rm } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { errorText } from '../../../contracts/errors.ts';
import { machineHierarchies, killCgroup } from '../../../lab/cgroups.ts';
import { LabFailure } from '../../../lab/errors.ts';
import { spawnService } from '../../../lab/host.ts';
import type { LabInfo } from '../../../lab/lab.ts';
import { deviceExists } from '../../../lab/network.ts';
import { answers, processStart, run, runOrFail, until, type Ran } from '../../../lab/process.ts';
import { interrupted, whenInterrupted } from '../interruption.ts';
import type { VmImage } from './image.ts';

export interface VmOptions {
  readonly image: VmImage;
  readonly lab: LabInfo;
  /** Host name; also the name of its folder and cgroup. */
  readonly name: string;
  /** In the lab's subnet, outside of the lab's own hosts. */
  readonly address: string;
  /** Its disk and logs; emptied first, removed by `close`. */
  readonly dir: string;
  /** The file whose key may log in as root. The lab's own by default. */
  readonly publicKeyPath?: string;
  /** MiB. */
  readonly memory?: number;
  readonly signal?: AbortSignal;
}

export interface Vm {
  readonly name: string;
  readonly address: string;
  /** `ssh-ed25519 BASE64`. */
  readonly hostKey: string;
  /** What the machine wrote to its serial console. */
  readonly serialLog: string;
  /** Milliseconds from power-on to sshd's greeting. */
  readonly bootMs: number;
  /** `kvm` or `tcg` (software emulation, about ten times slower). */
  readonly accelerator: string;
  /** Runs a line of shell on it over ssh; `input` is what it reads. */
  ssh(line: string, signal?: AbortSignal, input?: string): Promise<Ran>;
  /** Asks it to reboot and returns when sshd answers under a new boot id; gives the milliseconds that took. */
  reboot(signal?: AbortSignal): Promise<number>;
  /** Cuts its power, removes its network device and its disk. Safe to repeat. */
  close(): Promise<void>;
}

/** For what hangs. Software emulation on a busy machine has needed five minutes. */
const BOOT_TIMEOUT_MS = 1_200_000;

type Booting = VmOptions & { readonly signal: AbortSignal };

/**
 * Boots a machine on a copy of the image; returns when its sshd answers. What a killed run left of the lab's machine of
 * this name is taken down first. On failure nothing of it stays but the error's words. When this process is
 * interrupted, it closes by itself.
 */
export async function bootVm(given: VmOptions): Promise<Vm> {
  const options: Booting = {
    ...given,
    signal: given.signal ? AbortSignal.any([given.signal, interrupted]) : interrupted,
  };
  let booting: Promise<Vm> | undefined;
  const close = async (): Promise<void> => {
    await booting?.catch(() => undefined);
    await takeDown(options);
    forget();
  };
  const forget = whenInterrupted(`the machine in ${options.dir}`, close);
  try {
    await takeDown(options);
    booting = boot(options, close);
    return await booting;
  } catch (error) {
    const words = await lastWords([`${options.dir}/qemu.log`, serialLogOf(options)]);
    await close();
    if (options.signal.aborted) throw error;
    throw new LabFailure(`${options.name} did not boot: ${errorText(error)}${words}`, { cause: error });
  }
}

async function boot(options: Booting, close: () => Promise<void>): Promise<Vm> {
  const { lab, name, address, signal } = options;
  const tap = tapOf(options);
  if (tap.length > 15) throw new RangeError(`${tap} is too long for a network device`);
  const serialLog = serialLogOf(options);
  const controlSocket = `${options.dir}/qmp`;
  await mkdir(options.dir, { recursive: true });
  await copySparse(options.image.disk, `${options.dir}/disk.img`, signal);
  await runOrFail(['ip', '-batch', '-'], {
    input: [
      `tuntap add dev ${tap} mode tap`,
      `link set dev ${tap} addrgenmode none`,
      `link set dev ${tap} master ${lab.bridge}`,
      `link set dev ${tap} up`,
      '',
    ].join('\n'),
    signal,
  });
  const began = performance.now();
  const pid = spawnService(
    { name: lab.name },
    name,
    await qemuArgv(options, tap, serialLog, controlSocket),
    `${options.dir}/qemu.log`,
  );
  await sshAnswers(options, pid, signal);
  const bootMs = Math.round(performance.now() - began);
  const accelerator = await acceleratorOf(controlSocket);
  const either = (inner: AbortSignal | undefined): AbortSignal => (inner ? AbortSignal.any([inner, signal]) : signal);
  const ssh = (line: string, inner?: AbortSignal, input?: string): Promise<Ran> =>
    run(sshArgv(options, line), { signal: either(inner), ...(input !== undefined && { input }) });
  return {
    name,
    address,
    hostKey: options.image.hostKey,
    serialLog,
    bootMs,
    accelerator,
    ssh,
    close,
    async reboot(inner) {
      const before = await bootId(ssh, inner);
      if (before === undefined) throw new LabFailure(`${name} does not answer over ssh`);
      const start = performance.now();
      await ssh('systemctl reboot', inner);
      await until(
        `${name} did not come back from its reboot; see ${serialLog}`,
        async () => {
          if (!(await answers({ host: address, port: 22 }, { greeting: true, timeoutMs: 2000 }))) return undefined;
          const now = await bootId(ssh, inner);
          return now !== undefined && now !== before ? true : undefined;
        },
        { timeoutMs: BOOT_TIMEOUT_MS, everyMs: 200, signal: either(inner) },
      );
      return Math.round(performance.now() - start);
    },
  };
}

async function takeDown(options: VmOptions): Promise<void> {
  await killCgroup(machineHierarchies(), `${options.lab.name}/${options.name}`);
  const tap = tapOf(options);
  if (deviceExists(tap)) await run(['ip', 'link', 'del', 'dev', tap]);
  await rm(options.dir, { recursive: true, force: true });
}

function tapOf({ lab, name }: VmOptions): string {
  return `${lab.name}-${name}`;
}

function serialLogOf({ dir }: VmOptions): string {
  return `${dir}/serial.log`;
}

async function qemuArgv(
  options: VmOptions,
  tap: string,
  serialLog: string,
  controlSocket: string,
): Promise<readonly string[]> {
  const publicKey = (await readFile(options.publicKeyPath ?? `${options.lab.sshKeyPath}.pub`, 'utf8')).trim();
  const prefix = options.lab.subnet.split('/')[1] ?? '24';
  const commandLine = [
    'root=/dev/vda',
    'rw',
    'console=ttyS0',
    'quiet',
    `vm.name=${options.name}`,
    `vm.address=${options.address}/${prefix}`,
    `vm.key=${Buffer.from(`${publicKey}\n`).toString('base64')}`,
    ...(options.lab.registry ? [`vm.registry=${options.lab.registry.name}@${options.lab.registry.address}`] : []),
  ];
  return [
    'qemu-system-x86_64',
    '-name',
    options.name,
    '-machine',
    'q35',
    ...(await accelerators()),
    '-cpu',
    'max,arch-capabilities=off',
    '-smp',
    '2',
    '-m',
    String(options.memory ?? 1024),
    '-display',
    'none',
    '-monitor',
    'none',
    '-serial',
    `file:${serialLog}`,
    '-qmp',
    `unix:${controlSocket},server=on,wait=off`,
    '-kernel',
    options.image.kernel,
    '-initrd',
    options.image.initrd,
    '-append',
    commandLine.join(' '),
    '-drive',
    `file=${options.dir}/disk.img,if=virtio,format=raw,cache=unsafe`,
    '-netdev',
    `tap,id=lan,ifname=${tap},script=no,downscript=no`,
    '-device',
    `virtio-net-pci,netdev=lan,mac=${macOf(options.address)}`,
    '-device',
    'virtio-rng-pci',
  ];
}

/**
 * KVM where the processor's own virtualization is there. KVM's paravirtual relatives run only kernels made for them:
 * emulation does better.
 */
async function accelerators(): Promise<readonly string[]> {
  const hardware = await Promise.any(['/sys/module/kvm_intel', '/sys/module/kvm_amd'].map((path) => access(path))).then(
    () => true,
    () => false,
  );
  const allowed = await access('/dev/kvm', constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
  return [...(hardware && allowed ? ['-accel', 'kvm'] : []), '-accel', 'tcg,thread=multi'];
}

function macOf(address: string): string {
  return ['02', '76', ...address.split('.').map((octet) => Number(octet).toString(16).padStart(2, '0'))].join(':');
}

function sshArgv(options: VmOptions, line: string): readonly string[] {
  const settings = [
    'IdentitiesOnly=yes',
    'BatchMode=yes',
    `KnownHostsCommand=/bin/echo ${options.address} ${options.image.hostKey}`,
    'UserKnownHostsFile=/dev/null',
    'GlobalKnownHostsFile=/dev/null',
    'StrictHostKeyChecking=yes',
    'HostKeyAlgorithms=ssh-ed25519',
    'ConnectTimeout=10',
    'LogLevel=ERROR',
  ];
  const privateKey = options.publicKeyPath?.replace(/\.pub$/, '') ?? options.lab.sshKeyPath;
  return [
    'ssh',
    '-F',
    '/dev/null',
    '-i',
    privateKey,
    ...settings.flatMap((setting) => ['-o', setting]),
    `root@${options.address}`,
    line,
  ];
}

async function sshAnswers(options: VmOptions, pid: number, signal: AbortSignal | undefined): Promise<void> {
  await until(
    `sshd on ${options.address}:22 does not answer`,
    async () => {
      if (await answers({ host: options.address, port: 22 }, { greeting: true, timeoutMs: 2000 })) return true;
      const log = await readFile(`${options.dir}/qemu.log`, 'utf8').catch(() => '');
      if (processStart(pid) === undefined) throw new LabFailure(log.trim() || 'qemu ended');
      return undefined;
    },
    { timeoutMs: BOOT_TIMEOUT_MS, everyMs: 100, signal },
  );
}

async function bootId(ssh: Vm['ssh'], signal: AbortSignal | undefined): Promise<string | undefined> {
  const asked = await ssh('cat /proc/sys/kernel/random/boot_id', signal);
  return asked.code === 0 ? asked.stdout.trim() : undefined;
}

/** Asks qemu's control socket. Source: QEMU Machine Protocol, query-kvm. */
async function acceleratorOf(socketPath: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = createConnection(socketPath);
    let said = '';
    const finish = (answer: string): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(5000, () => finish('unknown'));
    socket.on('error', () => finish('unknown'));
    socket.on('connect', () => socket.write('{"execute":"qmp_capabilities"}\n{"execute":"query-kvm"}\n'));
    socket.on('data', (chunk: Buffer) => {
      said += chunk.toString('utf8');
      const enabled = /"enabled": (true|false)/.exec(said)?.[1];
      if (enabled !== undefined) finish(enabled === 'true' ? 'kvm' : 'tcg');
    });
  });
}

async function copySparse(from: string, to: string, signal: AbortSignal | undefined): Promise<void> {
  await copyFile(from, to, constants.COPYFILE_FICLONE_FORCE).catch(async () => {
    await runOrFail(['cp', '--sparse=always', from, to], { signal });
  });
}

async function lastWords(files: readonly string[]): Promise<string> {
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8').catch(() => '')));
  return texts
    .map((text) => text.trim().split('\n').slice(-8).join('\n    '))
    .filter(Boolean)
    .map((text) => `\n    ${text}`)
    .join('');
}
