/** One lab host: switched on, cut from its power, entered. */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { errorText } from '../contracts/errors.ts';
import { bootScripts, joinGroup, quote } from './boot-scripts.ts';
import { cgroupEntries, killCgroup, machineHierarchies, makeCgroup, type Hierarchy } from './cgroups.ts';
import { LabFailure, LabRefusal } from './errors.ts';
import { blockCable, cableIsBlocked, deviceExists, plugCable, pullCable } from './network.ts';
import { answers, processStart, systemPath, until } from './process.ts';
import { labPaths, type HostSettings, type LabSettings } from './settings.ts';

export type HostState = 'up' | 'off' | 'partitioned';

const InitRecord = z.object({ pid: z.int(), start: z.string() });

/** The machine's id of the host's PID 1, or undefined while the host is off. */
export function hostPid(host: HostSettings): number | undefined {
  try {
    const record = InitRecord.parse(JSON.parse(readFileSync(labPaths.init(host), 'utf8')));
    return processStart(record.pid) === record.start ? record.pid : undefined;
  } catch {
    return undefined;
  }
}

export function hostState(host: HostSettings): HostState {
  if (hostPid(host) === undefined) return 'off';
  return cableIsBlocked(host) ? 'partitioned' : 'up';
}

/**
 * Boots the host from its disk and waits until its sshd and its containerd answer. On failure nothing of it runs, and
 * the thrown {@link LabFailure} ends with what the host's own logs say.
 */
export async function startHost(settings: LabSettings, host: HostSettings, signal?: AbortSignal): Promise<void> {
  const hierarchies = machineHierarchies();
  const group = `${settings.name}/${host.name}`;
  await killCgroup(hierarchies, group);
  makeCgroup(hierarchies, group);
  const folder = `${labPaths.scripts(settings.dir)}/${host.name}`;
  await mkdir(folder, { recursive: true });
  const scripts = bootScripts(settings, host, hierarchies, folder);
  for (const [name, text] of Object.entries(scripts)) await writeFile(`${folder}/${name}`, String(text));
  try {
    const boot = new BootDialogue(`${folder}/enter`);
    try {
      const pid = Number(await boot.line('ready', signal));
      await plugCable(settings, host, pid, signal);
      await writeInitRecord(host, pid);
      boot.say('go');
      await boot.line('up', signal);
    } finally {
      boot.letGo();
    }
    await waitForServices(host, signal);
  } catch (error) {
    const logs = lastLogLines(host);
    await stopHost(settings, host);
    if (signal?.aborted || error instanceof LabRefusal) throw error;
    throw new LabFailure(`${host.name} did not come up: ${errorText(error)}${logs}`, { cause: error });
  }
}

/**
 * Cuts the power: first the cable falls silent, so that no goodbye of any connection gets out, then every process dies
 * at once.
 */
export async function stopHost(
  settings: LabSettings,
  host: HostSettings,
  hierarchies: readonly Hierarchy[] = machineHierarchies(),
): Promise<void> {
  if (deviceExists(host.port)) await blockCable(host).catch(() => pullCable(host));
  await killCgroup(hierarchies, `${settings.name}/${host.name}`);
  // Its first process is in no cgroup any more while it waits for the end of the others: a host that is off may be
  // switched on at once.
  await until(
    `The first process of ${host.name} does not end.`,
    () => (hostPid(host) === undefined ? true : undefined),
    {
      timeoutMs: 15_000,
      everyMs: 10,
    },
  );
  await pullCable(host);
}

/** Argv that runs `argv` inside the host, as a process of the host (its namespaces, its cgroup). */
export function insideHost(settings: LabSettings, host: HostSettings, argv: readonly string[]): readonly string[] {
  const pid = hostPid(host);
  if (pid === undefined)
    throw new LabRefusal(`${host.name} is off; switch it on with 'plumb lab power-on ${host.name}'.`);
  const enter = [
    'nsenter',
    '--target',
    String(pid),
    '--mount',
    '--uts',
    '--ipc',
    '--net',
    '--pid',
    '--cgroup',
    '--',
    'env',
    '-i',
    'HOME=/root',
    'LANG=C.UTF-8',
    'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    ...argv,
  ];
  const join = joinGroup(cgroupEntries(machineHierarchies(), `${settings.name}/${host.name}`, true));
  return ['/bin/sh', '-euc', [...join, 'cd /', `exec ${enter.map(quote).join(' ')}`].join('\n')];
}

async function waitForServices(host: HostSettings, signal: AbortSignal | undefined): Promise<void> {
  const timeoutMs = 60_000;
  await Promise.all([
    until(
      `sshd on ${host.address}:22 does not answer`,
      async () => ((await answers({ host: host.address, port: 22 }, { greeting: true })) ? true : undefined),
      { timeoutMs, signal },
    ),
    until(
      'containerd does not answer on its socket',
      async () => {
        const pid = hostPid(host);
        if (pid === undefined) throw new LabFailure('its PID 1 ended');
        return (await answers({ path: `/proc/${pid}/root/run/containerd/containerd.sock` })) ? true : undefined;
      },
      { timeoutMs, signal },
    ),
  ]);
}

async function writeInitRecord(host: HostSettings, pid: number): Promise<void> {
  const start = processStart(pid);
  if (start === undefined) throw new LabFailure('its PID 1 ended at once');
  const file = labPaths.init(host);
  await writeFile(`${file}.new`, JSON.stringify({ pid, start }));
  await rename(`${file}.new`, file);
}

function lastLogLines(host: HostSettings): string {
  return ['console', 'sshd', 'containerd']
    .map((name) => {
      try {
        const lines = readFileSync(`${labPaths.disk(host)}/var/log/${name}.log`, 'utf8')
          .trimEnd()
          .split('\n')
          .slice(-4)
          .filter(Boolean);
        return lines.length > 0 ? `\n  ${name}.log:\n    ${lines.join('\n    ')}` : '';
      } catch {
        return '';
      }
    })
    .join('');
}

/** The talk with a booting host over its first process's standard streams. */
class BootDialogue {
  readonly #child: ChildProcess;
  #said = '';
  #complaints = '';
  #ended: string | undefined;
  #wake: () => void = () => undefined;

  constructor(script: string) {
    this.#child = spawn('/bin/sh', [script], {
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
      cwd: '/',
      env: { PATH: systemPath(), LC_ALL: 'C' },
    });
    this.#child.stdout?.on('data', (chunk: Buffer) => {
      this.#said += chunk.toString('utf8');
      this.#wake();
    });
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.#complaints += chunk.toString('utf8');
    });
    this.#child.stdin?.on('error', () => {
      /* it ended: `line` tells */
    });
    this.#child.on('error', (error) => {
      this.#ended = error.message;
      this.#wake();
    });
    this.#child.on('close', (code, killedBy) => {
      this.#ended = this.#complaints.trim() || `its first process ended with ${code ?? killedBy}`;
      this.#wake();
    });
  }

  /** Waits for a line that begins with `word`; gives the rest of it. */
  async line(word: string, signal: AbortSignal | undefined): Promise<string> {
    const onAbort = (): void => this.#wake();
    signal?.addEventListener('abort', onAbort);
    try {
      for (;;) {
        signal?.throwIfAborted();
        const found = this.#said
          .split('\n')
          .slice(0, -1)
          .find((line) => line === word || line.startsWith(`${word} `));
        if (found !== undefined) return found.slice(word.length + 1);
        if (this.#ended !== undefined) throw new LabFailure(this.#ended);
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  say(word: string): void {
    this.#child.stdin?.write(`${word}\n`);
  }

  /** The host goes on without us: nothing of it keeps this process alive. */
  letGo(): void {
    this.#child.stdin?.end();
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
    this.#child.unref();
  }
}

/**
 * Starts a process of the lab that is no host (the registry): in the lab's cgroup, detached, output to a file. Gives
 * its process id.
 */
export function spawnService(
  settings: Pick<LabSettings, 'name'>,
  name: string,
  argv: readonly string[],
  logFile: string,
): number {
  const hierarchies = machineHierarchies();
  const group = `${settings.name}/${name}`;
  makeCgroup(hierarchies, group);
  const script = [...joinGroup(cgroupEntries(hierarchies, group, true)), `exec ${argv.map(quote).join(' ')}`].join(
    '\n',
  );
  const log = openSync(logFile, 'a');
  const child = spawn('/bin/sh', ['-euc', script], {
    detached: true,
    stdio: ['ignore', log, log],
    cwd: '/',
    env: { PATH: systemPath(), LC_ALL: 'C' },
  });
  child.on('error', () => {
    /* whoever waits for the service to answer reports it with its log */
  });
  child.unref();
  closeSync(log);
  if (child.pid === undefined) throw new LabFailure(`Cannot start ${argv[0]} for the lab.`);
  return child.pid;
}

/** The host key in `TYPE BASE64` form, as a Machine manifest pins it. */
export async function hostKey(host: HostSettings): Promise<string> {
  const text = await readFile(`${labPaths.disk(host)}/etc/ssh/ssh_host_ed25519_key.pub`, 'utf8');
  return text.trim().split(' ').slice(0, 2).join(' ');
}
