/**
 * Objects read by the native `git`, over two long-lived `cat-file` processes. Needed inside a receiving hook, where the
 * pushed objects are in a quarantine that only `git` with the hook's environment sees (git-receive-pack(1), "Quarantine
 * Environment").
 */
import { execFile, spawn, type ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { promisify } from 'node:util';
import { hasPipes } from '../../../contracts/child-pipes.ts';
import { RetryableError } from '../../core/errors.ts';
import { type ObjectEngine, unreadable } from './engine.ts';
import type { ObjectType, RawObject } from './raw-objects.ts';

const run = promisify(execFile);
const MAX_OUTPUT = 64 * 1024 * 1024;
const MAX_STDERR = 4096;
/** Source: git's usage.c, die(). */
const GIT_FATAL = 128;

/**
 * The environment for `git` children: without the caller's Git variables, unless they are the hook's and must be kept.
 */
export function gitEnvironment(env: NodeJS.ProcessEnv, keepHookVariables: boolean): NodeJS.ProcessEnv {
  const kept = Object.entries(env).filter(([name]) => keepHookVariables || !name.startsWith('GIT_'));
  return { ...Object.fromEntries(kept), LC_ALL: 'C', GIT_TERMINAL_PROMPT: '0' };
}

interface Answer {
  readonly header: string;
  readonly content: Buffer | undefined;
}

/** One `git cat-file` in batch mode: questions go in as lines, answers come back in the same order. */
class Batch {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #waiting: { readonly oid: string; resolve: (answer: Answer) => void; reject: (error: Error) => void }[] = [];
  readonly #withContents: boolean;
  readonly #exited: Promise<void>;
  #chunks: Buffer[] = [];
  #held = 0;
  #needed = 0;
  #words = '';
  #failure: Error | undefined;

  constructor(gitdir: string, env: NodeJS.ProcessEnv, withContents: boolean) {
    this.#withContents = withContents;
    this.#child = spawn('git', ['--git-dir', gitdir, 'cat-file', withContents ? '--batch' : '--batch-check'], {
      env,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    if (!hasPipes(this.#child)) {
      this.#child.once('error', () => undefined);
      throw new RetryableError('GitUnreachable', 'git cat-file cannot be started: no file descriptor is left');
    }
    this.#child.stderr.on('data', (chunk: Buffer) => {
      this.#words = (this.#words + chunk.toString('utf8')).slice(-MAX_STDERR);
    });
    this.#child.stdout.on('data', (chunk: Buffer) => this.#take(chunk));
    this.#child.stdin.on('error', () => undefined);
    this.#exited = new Promise((resolve) => {
      const end = (why: string): void => {
        this.#failure = new RetryableError('GitUnreachable', `git cat-file ended: ${why}`);
        for (const { reject } of this.#waiting.splice(0)) reject(this.#failure);
        resolve();
      };
      this.#child.once('error', (error) => end(error.message));
      this.#child.once('close', (code) => {
        // It dies of the object that it was asked for first; the others were not looked at.
        const first = code === GIT_FATAL ? this.#waiting.shift() : undefined;
        first?.reject(
          unreadable(first.oid, gitdir, /^fatal: (.*)$/m.exec(this.#words)?.[1] ?? `git exited with ${GIT_FATAL}`),
        );
        end(`exit ${code ?? 'by signal'}`);
      });
    });
  }

  get failed(): boolean {
    return this.#failure !== undefined;
  }

  ask(oid: string): Promise<Answer> {
    if (this.#failure) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ oid, resolve, reject });
      this.#child.stdin.write(`${oid}\n`);
    });
  }

  async close(): Promise<void> {
    this.#child.stdin.end();
    this.#child.kill();
    await this.#exited;
  }

  #take(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#held += chunk.length;
    if (this.#held < this.#needed) return;
    let buffer = Buffer.concat(this.#chunks);
    for (;;) {
      const lineEnd = buffer.indexOf(10);
      if (lineEnd < 0) break;
      const header = buffer.toString('latin1', 0, lineEnd);
      const size = this.#withContents ? Number(/^[0-9a-f]+ [a-z]+ (\d+)$/.exec(header)?.[1] ?? -1) : -1;
      const end = size < 0 ? lineEnd + 1 : lineEnd + 1 + size + 1;
      if (buffer.length < end) {
        this.#needed = end;
        break;
      }
      this.#waiting
        .shift()
        ?.resolve({ header, content: size < 0 ? undefined : Buffer.from(buffer.subarray(lineEnd + 1, end - 1)) });
      buffer = buffer.subarray(end);
      this.#needed = 0;
    }
    this.#chunks = [buffer];
    this.#held = buffer.length;
  }
}

/** Opens `gitdir` with the `git` on PATH. `quarantine`: keep the Git variables of the hook that we run in. */
export function openNativeEngine(gitdir: string, options: { readonly quarantine?: boolean } = {}): ObjectEngine {
  const env = gitEnvironment(process.env, options.quarantine ?? false);
  const batches = new Map<boolean, Batch>();

  function batch(withContents: boolean): Batch {
    const open = batches.get(withContents);
    if (open && !open.failed) return open;
    const next = new Batch(gitdir, env, withContents);
    batches.set(withContents, next);
    return next;
  }

  async function lines(args: readonly string[], signal: AbortSignal): Promise<string[]> {
    const { stdout } = await run('git', ['--git-dir', gitdir, ...args], { env, signal, maxBuffer: MAX_OUTPUT });
    return stdout.split('\n').filter(Boolean);
  }

  /** For commands whose exit code 1 means "there is none". */
  async function firstLine(args: readonly string[], signal: AbortSignal): Promise<string | undefined> {
    try {
      return (await lines(args, signal))[0];
    } catch (error) {
      if ((error as { code?: unknown }).code === 1) return undefined;
      throw error;
    }
  }

  return {
    name: 'native',
    async read(oid, signal): Promise<RawObject | undefined> {
      signal.throwIfAborted();
      const { header, content } = await batch(true).ask(oid);
      const type = /^[0-9a-f]+ (commit|tree|blob|tag) \d+$/.exec(header)?.[1];
      return type !== undefined && content !== undefined ? { type: type as ObjectType, content } : undefined;
    },
    async size(oid, signal) {
      signal.throwIfAborted();
      const match = /^[0-9a-f]+ [a-z]+ (\d+)$/.exec((await batch(false).ask(oid)).header);
      return match ? Number(match[1]) : undefined;
    },
    ref: (name, signal) => firstLine(['rev-parse', '--verify', '--quiet', '--end-of-options', name], signal),
    async hasRefs(signal) {
      const found = await lines(['for-each-ref', '--count=1', 'refs/heads', 'refs/tags', 'refs/remotes'], signal);
      return found.length > 0;
    },
    tags: (signal) => lines(['for-each-ref', '--format=%(refname:lstrip=2)', 'refs/tags'], signal),
    expand: (prefix, signal) => lines(['rev-parse', `--disambiguate=${prefix}`], signal),
    async close() {
      await Promise.all([...batches.values()].map((b) => b.close()));
      batches.clear();
    },
  };
}
