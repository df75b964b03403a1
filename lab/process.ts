/** Running the machine's own programs, and waiting for what they bring about. */
import { spawn } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { delimiter } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { hasPipes } from '../contracts/child-pipes.ts';
import { asError } from '../contracts/errors.ts';
import { LabFailure } from './errors.ts';

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** PATH as root has it, also when the caller's lacks the sbin folders. */
export function systemPath(): string {
  const own = (process.env['PATH'] ?? '').split(delimiter).filter(Boolean);
  return [...own, ...SYSTEM_FOLDERS.filter((folder) => !own.includes(folder))].join(delimiter);
}

/** Full path of a program, or undefined. */
export function findProgram(name: string): string | undefined {
  return systemPath()
    .split(delimiter)
    .map((folder) => `${folder}/${name}`)
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** Runs a program to its end. A program that fails is an answer (`code`), one that cannot be started throws. */
export async function run(
  argv: readonly string[],
  options: {
    readonly input?: string;
    readonly signal?: AbortSignal | undefined;
    readonly env?: Readonly<Record<string, string>>;
  } = {},
): Promise<Ran> {
  options.signal?.throwIfAborted();
  const [program, ...rest] = argv;
  if (program === undefined) throw new RangeError('run() needs a program');
  return new Promise((resolve, reject) => {
    const child = spawn(program, rest, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, PATH: systemPath(), LC_ALL: 'C', ...options.env },
      ...(options.signal ? { signal: options.signal } : {}),
    });
    child.on('error', (error) =>
      reject(
        options.signal?.aborted
          ? abortReason(options.signal)
          : new LabFailure(`Cannot run ${program}: ${error.message}`, { cause: error }),
      ),
    );
    if (!hasPipes(child)) return;
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    child.on('close', (code) =>
      resolve({
        code: code ?? 255,
        stdout: Buffer.concat(out).toString('utf8'),
        stderr: Buffer.concat(err).toString('utf8'),
      }),
    );
    child.stdin.on('error', () => {
      /* the program ended without reading: its exit code tells */
    });
    child.stdin.end(options.input ?? '');
  });
}

/** As {@link run}, and a program that fails throws {@link LabFailure} with its own words. */
export async function runOrFail(argv: readonly string[], options: Parameters<typeof run>[1] = {}): Promise<string> {
  const ran = await run(argv, options);
  if (ran.code !== 0)
    throw new LabFailure(
      `${argv.join(' ')} ended with ${ran.code}: ${(ran.stderr || ran.stdout).trim() || 'it said nothing'}`,
    );
  return ran.stdout;
}

function abortReason(signal: AbortSignal): Error {
  return asError(signal.reason);
}

/**
 * Asks `probe` every `everyMs` until it answers other than undefined. Throws {@link LabFailure} `what` after
 * `timeoutMs`.
 */
export async function until<T>(
  what: string,
  probe: () => Promise<T | undefined> | T | undefined,
  options: { readonly timeoutMs: number; readonly everyMs?: number; readonly signal?: AbortSignal | undefined },
): Promise<T> {
  const deadline = performance.now() + options.timeoutMs;
  for (;;) {
    options.signal?.throwIfAborted();
    const answer = await probe();
    if (answer !== undefined) return answer;
    if (performance.now() > deadline) throw new LabFailure(what);
    await delay(options.everyMs ?? 20, undefined, options.signal ? { signal: options.signal } : {});
  }
}

/** Whether something listens there; with `greeting`, whether it also says something first. Never throws. */
export async function answers(
  target: { readonly host: string; readonly port: number } | { readonly path: string },
  options: { readonly greeting?: boolean; readonly timeoutMs?: number } = {},
): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(target);
    const finish = (yes: boolean): void => {
      socket.destroy();
      resolve(yes);
    };
    socket.setTimeout(options.timeoutMs ?? 1000, () => finish(false));
    socket.on('error', () => finish(false));
    socket.on('end', () => finish(false));
    if (options.greeting) socket.on('data', () => finish(true));
    else socket.on('connect', () => finish(true));
  });
}

/**
 * Clock ticks since boot when a process started: with its id it names one process for good. Undefined when it is gone
 * or a zombie.
 */
export function processStart(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}
