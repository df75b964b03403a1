/** `BgpDaemon` on BIRD 2: see README.md. */
import { chmod, chown, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BgpDaemon } from '../../ports/bgp-daemon.ts';
import type { Clock } from '../../ports/clock.ts';
import { isMissingProgram, type RunCommand } from '../../ports/run-command.ts';
import { readSessions } from '../../core/bgp/render.ts';
import { ask, NobodyThere, type Answer } from './control-socket.ts';

export interface BirdSettings {
  readonly run: RunCommand;
  readonly clock: Clock;
  /** A folder of our own; its file system is memory. */
  readonly folder: string;
}

const PROGRAM = 'bird';
const CONFIG = 'bird.conf';
const SOCKET = 'bird.ctl';
const RUN_FOLDER = 'run';
const PID_FILE = `${RUN_FOLDER}/bird.pid`;
/** As Debian makes it. */
const USER = 'bird';
const ASK_MS = 5000;
/** A large configuration is read in tenths of a second; a loaded machine takes longer. */
const TAKE_MS = 30_000;
const LOOK_EVERY_MS = 20;

/** Makes nothing before the first configuration. */
export function createBird({ run, clock, folder }: BirdSettings): BgpDaemon {
  const config = join(folder, CONFIG);
  const socket = join(folder, SOCKET);
  const runFolder = join(folder, RUN_FOLDER);

  async function asked(question: string, ms: number, signal: AbortSignal): Promise<Answer | undefined> {
    using bound = clock.deadline(ms, signal);
    try {
      return await ask(socket, question, bound.signal);
    } catch (cause) {
      if (cause instanceof NobodyThere) return undefined;
      throw cause;
    }
  }

  /** Nothing that root reads or writes is in a folder of BIRD's user, who may put a link there. */
  async function prepare(owner: UserId | undefined): Promise<void> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await mkdir(runFolder, { recursive: true, mode: 0o700 });
    if (owner === undefined) return;
    await chown(folder, 0, owner.gid);
    await chmod(folder, 0o750);
    await chown(runFolder, owner.uid, owner.gid);
  }

  async function write(path: string, text: string, owner: UserId | undefined): Promise<void> {
    await writeFile(path, text, { mode: owner ? 0o640 : 0o600 });
    if (owner) await chown(path, 0, owner.gid);
  }

  async function start(owner: UserId | undefined, signal: AbortSignal): Promise<string | undefined> {
    await rm(socket, { force: true });
    const user = owner ? ['-u', USER, '-g', USER] : [];
    // By names from its own folder: its user cannot pass the folders above, which are root's.
    const names = ['-c', CONFIG, '-s', SOCKET, '-P', PID_FILE];
    const { code, stderr } = await run(['env', '-C', folder, PROGRAM, '-R', ...names, ...user], { signal });
    if (code !== 0) return stderr.trim() || `bird ends with code ${code ?? 'none'}`;
    const until = clock.monotonic() + ASK_MS;
    while ((await asked('show status', ASK_MS, signal)) === undefined) {
      if (clock.monotonic() > until) return 'bird was started and does not answer';
      await clock.sleep(LOOK_EVERY_MS, signal);
    }
    return undefined;
  }

  return {
    async missing(signal) {
      try {
        const { code, stdout, stderr } = await run([PROGRAM, '--version'], { signal });
        if (code !== 0) return `bird does not run: ${(stderr + stdout).trim().slice(0, 200)}`;
        const [, major, minor, patch] = /version (\d+)\.(\d+)(?:\.(\d+))?/.exec(stdout + stderr) ?? [];
        if (major === '2' && (minor !== '0' || Number(patch) >= 8)) return undefined;
        return `bird is not of version 2, from 2.0.8 on: ${(stderr + stdout).trim().slice(0, 100)}`;
      } catch (cause) {
        if (!isMissingProgram(cause)) throw cause;
        return 'BIRD is not installed: apt-get install bird2';
      }
    },
    async load(text, signal) {
      const owner = await userId();
      await prepare(owner);
      const draft = `${config}.new`;
      await write(draft, text, owner);
      const checked = await run([PROGRAM, '-p', '-c', draft], { signal });
      if (checked.code !== 0) {
        await rm(draft, { force: true });
        return checked.stderr.trim().slice(0, 500);
      }
      await rename(draft, config);
      const answer = await asked('configure', TAKE_MS, signal);
      if (answer === undefined) return await start(owner, signal);
      return answer.code < 8000 ? undefined : answer.text.slice(0, 500);
    },
    async sessions(signal) {
      const answer = await asked('show protocols', ASK_MS, signal);
      return answer && readSessions(answer.text);
    },
    async stop(signal) {
      await asked('down', ASK_MS, signal);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

interface UserId {
  readonly uid: number;
  readonly gid: number;
}

/** Undefined where the package's user is not there: then it runs as root. */
async function userId(): Promise<UserId | undefined> {
  const users = await readFile('/etc/passwd', 'utf8');
  const [, uid, gid] = new RegExp(`^${USER}:[^:]*:(\\d+):(\\d+):`, 'm').exec(users) ?? [];
  return uid === undefined || gid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) };
}
