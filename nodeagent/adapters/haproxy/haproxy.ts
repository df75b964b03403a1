/** `Proxy` on HAProxy in master-worker mode. Source: HAProxy 2.6 management guide, 3 and 4 (starting, stopping). */
import { mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { errorText } from '../../../contracts/errors.ts';
import { CONFIG_FILE, type ProxyPlaces } from '../../core/proxy/render.ts';
import { complaintsIn, readEdition, readServers } from '../../core/proxy/runtime-words.ts';
import type { Clock } from '../../ports/clock.ts';
import type { LoadOutcome, Proxy, ProxyFiles } from '../../ports/proxy.ts';
import { isMissingProgram, type RunCommand } from '../../ports/run-command.ts';
import { ask, commandLines } from './runtime-socket.ts';

export interface HaproxySettings {
  readonly run: RunCommand;
  readonly clock: Clock;
  /** Its own, in memory. */
  readonly folder: string;
}

const PROGRAM = 'haproxy';
const USERS = [
  ['haproxy', 'haproxy'],
  ['nobody', 'nogroup'],
] as const;
/** For a process to take a configuration that was checked; more for many certificates. */
const TAKE_MS = 30_000;
const ASK_MS = 5000;
const LOOK_EVERY_MS = 20;
const READ_TRIES = 15;
const SIGNAL_AGAIN_MS = 1000;

/** Makes nothing before the first configuration. */
export async function createHaproxy({ run, clock, folder }: HaproxySettings): Promise<Proxy> {
  const current = join(folder, 'current');
  const pidFile = join(folder, 'haproxy.pid');
  const master = join(folder, 'master.sock');
  const config = join(current, CONFIG_FILE);
  const { user, uid } = await userOf();
  const places: ProxyPlaces = {
    socket: join(folder, 'runtime.sock'),
    root: join(folder, 'root'),
    ...(user && { user }),
  };
  let generation = 0;
  /** The master that was found last. */
  let known: number | undefined;

  async function prepare(): Promise<void> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await mkdir(places.root, { recursive: true, mode: 0o755 });
  }

  /**
   * The master process; undefined when it is not there, or a stranger has its number. While it takes a configuration it
   * executes itself again, removes the file with its number and writes it anew: for moments neither can be read. The
   * number stays the same.
   */
  async function masterPid(): Promise<number | undefined> {
    for (let tries = 0; tries < READ_TRIES; tries += 1) {
      const written = Number(await readFile(pidFile, 'utf8').catch(() => undefined));
      const pid = written > 1 ? written : known;
      if (pid === undefined && Number.isNaN(written)) break;
      if (pid !== undefined) {
        const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => undefined);
        if (line === undefined) break;
        if (line.split('\0').includes(config)) return (known = pid);
      }
      await clock.sleep(LOOK_EVERY_MS);
    }
    return (known = undefined);
  }

  async function asked(line: string, signal: AbortSignal): Promise<string> {
    using bound = clock.deadline(ASK_MS, signal);
    return await ask(places.socket, line, bound.signal);
  }

  /**
   * Has the master take what is at `current`, unless it has `started` with that, and waits until the process of this edition
   * answers; false when it is not to come. A master that executes itself answers nobody and may lose a signal: it is sent
   * once the master answers, and again, ever later, while it answers and the edition is not there.
   */
  async function taken(edition: string, started: boolean, signal: AbortSignal): Promise<boolean> {
    const until = clock.monotonic() + TAKE_MS;
    let pause = SIGNAL_AGAIN_MS;
    let signalAt = started ? clock.monotonic() + pause : 0;
    let told = started;
    let first: number | undefined;
    for (;;) {
      const answer = told ? await asked('show info', signal).catch(() => '') : '';
      if (readEdition(answer)?.edition === edition) return true;
      signal.throwIfAborted();
      const pid = await masterPid();
      if (pid === undefined || clock.monotonic() > until) return false;
      const reloads = await reloadsOf(signal);
      if (reloads) {
        first ??= reloads.count;
        if (reloads.count > first && reloads.failed > 0) return false;
        if (clock.monotonic() >= signalAt) {
          process.kill(pid, 'SIGUSR2');
          told = true;
          signalAt = clock.monotonic() + pause;
          pause *= 2;
        }
      }
      await clock.sleep(LOOK_EVERY_MS, signal);
    }
  }

  /** How often the master was told to reload, and how many of the last ones failed; undefined when it does not say. */
  async function reloadsOf(
    ...signals: readonly AbortSignal[]
  ): Promise<{ readonly count: number; readonly failed: number } | undefined> {
    using bound = clock.deadline(ASK_MS, ...signals);
    const text = await ask(master, 'show proc', bound.signal).catch(() => '');
    const found = /\bmaster\s+(\d+) \[failed: (\d+)\]/.exec(text);
    return found ? { count: Number(found[1]), failed: Number(found[2]) } : undefined;
  }

  /** Right behind a reload the master executes itself once more and may lose a signal: not while it answers. */
  async function untilItHears(): Promise<void> {
    const until = clock.monotonic() + ASK_MS;
    while ((await reloadsOf()) === undefined && clock.monotonic() < until) await clock.sleep(LOOK_EVERY_MS);
  }

  async function start(signal: AbortSignal): Promise<string | undefined> {
    const { code, stderr } = await run([PROGRAM, '-W', '-D', '-p', pidFile, '-S', `${master},mode,600`, '-f', config], {
      signal,
    });
    return code === 0 ? undefined : stderr;
  }

  async function write({ config: text, files, certificates }: ProxyFiles): Promise<string> {
    generation += 1;
    const name = `${Date.now()}-${generation}`;
    const place = join(folder, name);
    await mkdir(place, { mode: 0o700 });
    await writeFile(join(place, CONFIG_FILE), text, { mode: 0o600 });
    for (const [file, content] of [...files, ...certificates])
      await writeFile(join(place, file), content, { mode: 0o600 });
    return name;
  }

  async function point(name: string): Promise<void> {
    const draft = `${current}.new`;
    await rm(draft, { force: true });
    await symlink(name, draft);
    await rename(draft, current);
  }

  async function sweep(keep: string): Promise<void> {
    for (const name of await readdir(folder))
      if (/^\d+-\d+$/.test(name) && name !== keep) await rm(join(folder, name), { recursive: true, force: true });
  }

  async function load(edition: string, files: ProxyFiles, signal: AbortSignal): Promise<LoadOutcome> {
    await prepare();
    const name = await write(files);
    const checked = await run([PROGRAM, '-c', '-f', join(folder, name, CONFIG_FILE)], { signal });
    if (checked.code !== 0) {
      await rm(join(folder, name), { recursive: true, force: true });
      return { ok: false, complaints: checked.stderr };
    }
    await point(name);
    const started = (await masterPid()) === undefined;
    const complaints = started ? await start(signal) : undefined;
    if (complaints !== undefined) return { ok: false, complaints };
    if (!(await taken(edition, started, signal)))
      return { ok: false, complaints: '[ALERT] the proxy does not take the configuration, and says nothing' };
    await sweep(name);
    return { ok: true };
  }

  return {
    places,
    user: uid,
    async missing(signal) {
      try {
        const { code, stdout, stderr } = await run([PROGRAM, '-v'], { signal });
        if (code !== 0) return `haproxy does not run: ${(stderr + stdout).trim().slice(0, 200)}`;
        const [, major = 0, minor = 0] = (/version (\d+)\.(\d+)/.exec(stdout) ?? []).map(Number);
        if (major > 2 || (major === 2 && minor >= 6)) return undefined;
        return 'haproxy is older than 2.6: install a newer one';
      } catch (cause) {
        if (!isMissingProgram(cause)) throw cause;
        return 'haproxy is not installed: apt-get install haproxy';
      }
    },
    isAlive: async () => (await masterPid()) !== undefined,
    async running(signal) {
      if ((await masterPid()) === undefined) return undefined;
      const answer = await asked('show info;show servers state', signal).catch(() => '');
      const found = readEdition(answer);
      return found && { ...found, servers: readServers(answer) };
    },
    load,
    async command(edition, commands, signal) {
      const complaints: string[] = [];
      for (const line of commandLines('show info', commands)) {
        const until = clock.monotonic() + ASK_MS;
        for (;;) {
          // Right behind a reload, a process before may still take the question.
          const answer = await asked(line, signal);
          if (readEdition(answer)?.edition === edition) {
            // An empty line ends the answer to `show info`.
            complaints.push(...complaintsIn(answer.slice(answer.indexOf('\n\n') + 2)));
            break;
          }
          if (clock.monotonic() > until) throw new Error('the proxy of this edition does not answer');
          await clock.sleep(LOOK_EVERY_MS, signal);
        }
      }
      if (complaints.length > 0) throw new Error(`the proxy says: ${complaints.slice(0, 5).join('; ').slice(0, 500)}`);
    },
    async replaceCertificate(file, pem, signal) {
      const plain = pem
        .split('\n')
        .filter((line) => line.trim() !== '')
        .join('\n');
      const said = await asked(`set ssl cert ${file} <<\n${plain}\n`, signal);
      const done = await asked(`commit ssl cert ${file}`, signal);
      if (!done.includes('Success!')) return `${said} ${done}`.trim().slice(0, 300);
      await writeFile(join(current, file), pem, { mode: 0o600 });
      return undefined;
    },
    isFree: (port) => canListen('0.0.0.0', port),
    hasAddress: (address) => canListen(address, 0),
    async stop() {
      const pid = await masterPid();
      if (pid === undefined) return;
      await untilItHears();
      // Whoever starts one from here on starts another process.
      known = undefined;
      await rm(pidFile, { force: true });
      try {
        process.kill(pid, 'SIGUSR1');
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code !== 'ESRCH') throw new Error(errorText(cause), { cause });
      }
    },
  };
}

function canListen(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** Of those that Debian makes; absent: as root, in its own root. `uid`: of one that nothing else runs as. */
async function userOf(): Promise<Pick<ProxyPlaces, 'user'> & { readonly uid: number | undefined }> {
  const [users, groups] = await Promise.all(
    ['/etc/passwd', '/etc/group'].map((file) => readFile(file, 'utf8').catch(() => '')),
  );
  const found = USERS.find(
    ([user, group]) => `\n${users ?? ''}`.includes(`\n${user}:`) && `\n${groups ?? ''}`.includes(`\n${group}:`),
  );
  const uid = found?.[0] === PROGRAM ? new RegExp(`^${PROGRAM}:[^:]*:(\\d+):`, 'm').exec(users ?? '')?.[1] : undefined;
  return {
    ...(found && { user: { name: found[0], group: found[1] } }),
    uid: uid === undefined ? undefined : Number(uid),
  };
}
