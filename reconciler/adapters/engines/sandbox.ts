/**
 * Runs a program on files of its own. It has namespaces of its own (user, network, processes, mounts, System V IPC, host
 * name), a root folder with nothing but itself and its files, no rights, no network, no environment, and limits of the
 * kernel. What it gets is data that strangers wrote; a mistake in the program must not become theirs to use.
 *
 * `setpriv`, `unshare` and `prlimit` of util-linux make it, as root and as an ordinary user. The first namespace is there so that the
 * limit of processes counts those of the call alone (since Linux 5.14 it counts by user namespace); the second one gives
 * away all rights: a user that is not root has none after execve (capabilities(7)).
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { copyFile, link, mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readKey } from '../../../contracts/objects/index.ts';
import { onAbort } from '../../../contracts/signals.ts';
import { CALL_ROOT, type CallFile, type EngineAnswer } from '../../core/apps/engine.ts';
import { RetryableError } from '../../core/errors.ts';
import { callRoot } from './call-roots.ts';
import { fetchedFile } from './fetched-file.ts';

export interface Limits {
  /** Of the whole call, milliseconds. */
  readonly timeMs: number;
  /** Address space in bytes: Go reserves about 600 MB of it before it begins. */
  readonly memory: number;
  /** Threads are processes to the kernel. */
  readonly processes: number;
  readonly output: number;
}

export const LIMITS: Limits = { timeMs: 30_000, memory: 2 * 1024 ** 3, processes: 64, output: 32 * 1024 * 1024 };
const MAX_ERROR_BYTES = 64 * 1024;
const PROGRAM = '/program';
const NOBODY = '65534';
/** What these programs say of themselves when the machine does not let them. */
const OWN_WORDS = /^(setpriv|unshare|prlimit): .*/m;
/**
 * What `unshare` says when its child got SIGKILL, which it cannot take for itself: by the limit of processor time, as
 * nobody else in there may send one.
 */
const KILLED = /^unshare: sigprocmask unblock failed: /m;

export interface SandboxedCall {
  readonly program: string;
  readonly args: readonly string[];
  readonly files: readonly CallFile[];
  /** Whether it has the machine's network, and may write files of the size of its output. */
  readonly fetches?: true;
  /** Environment of the program. */
  readonly env: Readonly<Record<string, string>>;
}

/** `dir`: where roots are made for as long as a call lasts; on the file system of the program they cost no copy of it. */
export async function runSandboxed(
  dir: string,
  call: SandboxedCall,
  limits: Limits,
  signal: AbortSignal,
): Promise<EngineAnswer> {
  const root = callRoot(dir);
  try {
    await makeRoot(root, call);
    return await run(root, call, limits, signal);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

/** Files of the machine without which no host is found and no certificate proved. */
const NETWORK_FILES = ['/etc/resolv.conf', '/etc/hosts', '/etc/ssl/certs/ca-certificates.crt'];

export interface Fetch {
  readonly program: string;
  /** Run one after the other, until one fails. */
  readonly steps: readonly (readonly string[])[];
  /** By their names in {@link FETCH_HOME}; they are there for as long as the fetch. */
  readonly settings: Readonly<Record<string, string>>;
}

/** A folder that a fetch may write to; nothing in it outlives the fetch. */
export const FETCH_HOME = '/tmp';

/**
 * As {@link runSandboxed}, in the machine's network, for a program that fetches one file into its working folder. What it
 * says on the way (stderr) is its output.
 */
export async function fetchSandboxed(
  dir: string,
  { program, steps, settings }: Fetch,
  limits: Limits,
  signal: AbortSignal,
): Promise<{ readonly answer: EngineAnswer; readonly file?: Buffer }> {
  const root = callRoot(dir);
  try {
    await makeRoot(root, { program, args: [], files: [], env: {} });
    await mkdir(join(root, FETCH_HOME));
    for (const [name, text] of Object.entries(settings))
      await writeFile(join(root, FETCH_HOME, name), text, { mode: 0o600, flag: 'wx' });
    for (const path of NETWORK_FILES) {
      await mkdir(join(root, dirname(path)), { recursive: true });
      await copyFile(path, join(root, path)).catch(() => undefined);
    }
    const proxies = ['HTTPS_PROXY', 'HTTP_PROXY', 'NO_PROXY'].flatMap((name) => {
      const value = readKey(process.env, name) ?? readKey(process.env, name.toLowerCase());
      return value === undefined ? [] : [[name, value] as const];
    });
    const env = { HOME: FETCH_HOME, TMPDIR: FETCH_HOME, ...Object.fromEntries(proxies) };
    let answer: EngineAnswer = { ok: true, output: new Uint8Array() };
    for (const args of steps) {
      answer = await run(root, { program, args, files: [], env, fetches: true }, limits, signal);
      if (!answer.ok) return { answer };
    }
    const file = await fetchedFile(join(root, CALL_ROOT), limits.output);
    return file ? { answer, file } : { answer };
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

async function makeRoot(root: string, { program, files }: SandboxedCall): Promise<void> {
  // Values may be of Secrets: nobody else of the machine looks in.
  await mkdir(root, { recursive: true, mode: 0o700 });
  const folders = new Set(files.map(({ path }) => dirname(path)));
  for (const folder of folders) await mkdir(join(root, CALL_ROOT, folder), { recursive: true, mode: 0o755 });
  await mkdir(join(root, CALL_ROOT), { recursive: true });
  await link(program, join(root, PROGRAM)).catch(() => copyFile(program, join(root, PROGRAM)));
  for (const { path, bytes } of files) await writeFile(join(root, CALL_ROOT, path), bytes, { mode: 0o444, flag: 'wx' });
}

function argv(root: string, call: SandboxedCall, limits: Limits): readonly string[] {
  const seconds = Math.ceil(limits.timeMs / 1000);
  return [
    // Ends with this process, also where that is killed: the kernel keeps it through what follows (prctl(2)).
    ...['--pdeathsig', 'KILL', '--', 'unshare', '--user', '--map-root-user', '--', 'prlimit'],
    // No file may be written to: the tree stays as it was made.
    ...[`--fsize=${call.fetches ? limits.output : 0}`, '--core=0', '--nofile=256', `--cpu=${seconds}`],
    ...[`--as=${limits.memory}`, `--nproc=${limits.processes}`, '--', 'unshare'],
    ...['--user', `--map-user=${NOBODY}`, `--map-group=${NOBODY}`, '--pid', '--mount', '--ipc', '--uts'],
    ...(call.fetches ? [] : ['--net']),
    // The first process of a PID namespace takes all others with it when it ends.
    ...['--fork', '--kill-child', `--root=${root}`, `--wd=${CALL_ROOT}`, '--', PROGRAM, ...call.args],
  ];
}

function run(root: string, call: SandboxedCall, limits: Limits, signal: AbortSignal): Promise<EngineAnswer> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const child = spawn('setpriv', argv(root, call, limits), {
      cwd: '/',
      env: { ...call.env, PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const output: Buffer[] = [];
    const words: Buffer[] = [];
    let bytes = 0;
    let errorBytes = 0;
    let ended: Extract<EngineAnswer, { ok: false }> | undefined;
    const end = (answer: Extract<EngineAnswer, { ok: false }>): void => {
      ended ??= answer;
      kill(child);
    };
    const timer = setTimeout(() => {
      end({ ok: false, reason: 'timeout', message: `after ${limits.timeMs / 1000} s` });
    }, limits.timeMs);
    const letGo = onAbort(signal, () => {
      kill(child);
    });
    child.stdout.on('data', (chunk: Buffer) => {
      bytes += chunk.byteLength;
      if (bytes <= limits.output) output.push(chunk);
      else end({ ok: false, reason: 'output', message: `after ${limits.output / 1024 / 1024} MiB` });
    });
    child.stderr.on('data', (chunk: Buffer) => {
      if (errorBytes < MAX_ERROR_BYTES) words.push(chunk.subarray(0, MAX_ERROR_BYTES - errorBytes));
      errorBytes += chunk.byteLength;
    });
    /** A program that fetches may say there what it failed of. */
    const printed = (): string => Buffer.concat(output).toString('utf8', 0, MAX_ERROR_BYTES);
    const settled = (): void => {
      clearTimeout(timer);
      letGo();
    };
    child.once('error', (cause) => {
      settled();
      reject(sandboxMissing(cause.message, cause));
    });
    child.once('close', (code, how) => {
      settled();
      if (signal.aborted) {
        reject(signal.reason as Error);
        return;
      }
      const said = Buffer.concat(words).toString('utf8');
      const own = OWN_WORDS.exec(said);
      if (ended) resolve(ended);
      else if (KILLED.test(said))
        resolve({ ok: false, reason: 'timeout', message: `after ${limits.timeMs / 1000} s of processor time` });
      else if (code === 0) resolve({ ok: true, output: Buffer.concat(call.fetches ? words : output) });
      else if (own && bytes === 0) reject(sandboxMissing(own[0]));
      else resolve({ ok: false, ...failure(code, how, call.fetches ? printed() + said : said) });
    });
  });
}

/** Go programs end with 2 when they break down, and say so on many lines; the kernel ends others by a signal. */
function failure(
  code: number | null,
  how: NodeJS.Signals | null,
  said: string,
): { readonly reason: 'refused' | 'crashed'; readonly message: string } {
  const breakdown = /^(?:fatal error|panic|runtime): .*/m.exec(said);
  if (breakdown) return { reason: 'crashed', message: breakdown[0] };
  if (how !== null || (code ?? 0) > 128)
    return { reason: 'crashed', message: `it was ended by ${how ?? `signal ${(code ?? 0) - 128}`}` };
  return said.trim() === ''
    ? { reason: 'crashed', message: `it ended with ${code ?? 'nothing'}` }
    : { reason: 'refused', message: said };
}

function kill(child: ChildProcess): void {
  try {
    // Its process group; what is in the PID namespace goes with the first process of that.
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It is gone already.
  }
}

function sandboxMissing(words: string, cause?: unknown): RetryableError {
  return new RetryableError(
    'SandboxMissing',
    `Kustomize and Helm are run in namespaces of their own, and this machine does not let them be made (${words.slice(0, 200)}); util-linux has the programs, and user.max_user_namespaces or AppArmor may forbid it`,
    { cause },
  );
}
