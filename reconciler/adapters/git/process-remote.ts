/** A Git server that is a process: the same conversation whether it runs here or behind `ssh`. */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import type { GitHttpRequest, GitHttpResponse } from 'isomorphic-git';
import { hasPipes } from '../../../contracts/child-pipes.ts';
import { type PlumbError, TerminalError } from '../../core/errors.ts';
import { gitEnvironment } from './native-engine.ts';
import { FLUSH, FlushReader, MAX_ANSWER, parseAdvertisement, pkt } from './pkt-line.ts';
import { type GitRemote, type GitService, unreachable } from './remote.ts';

const MAX_STDERR = 8192;
/** Bytes of an answer that is none, in an error. */
const MAX_SHOWN = 60;
/**
 * Longest silence, in milliseconds, of a process that has not finished. git itself says something every five seconds.
 */
const DEFAULT_SILENCE_MS = 60_000;
const ANY_HTTP_URL = 'https://repository.invalid/';

/** How to start `git-upload-pack` or `git-receive-pack` for a repository. */
export type ServiceArgv = (service: GitService) => readonly [command: string, ...args: string[]];

/**
 * What a process that ended without an answer meant by its exit code and its last words; undefined where they say it
 * themselves.
 */
export type Explain = (exitCode: number | null, words: string) => PlumbError | undefined;

interface Session {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  /** The next bytes of the answer; undefined at its end. */
  readonly read: () => Promise<Buffer | undefined>;
  /** The advertisement, with its flush. */
  readonly greeting: Buffer;
  readonly rest: Buffer;
  /** Why it ended without an answer. */
  readonly failure: (fallback: string) => Promise<PlumbError>;
}

/** Also where a process that it started holds the pipes open. */
function giveUp(child: Session['child']): void {
  child.kill('SIGKILL');
  child.stdout.destroy();
  child.stderr.destroy();
}

/** `git-upload-pack` beside us. */
export function localServiceArgv(path: string): ServiceArgv {
  return (service) => ['git', service.slice('git-'.length), path];
}

/**
 * `git-receive-pack` beside us, without the repository's hooks: those judge what people push. Source: git-config(1),
 * `core.hooksPath`.
 */
export function hooklessServiceArgv(path: string): ServiceArgv {
  return (service) => ['git', '-c', 'core.hooksPath=/dev/null', service.slice('git-'.length), path];
}

/** `silenceMs`: longest silence of a process that has not finished; it is killed then. */
export function processRemote(
  url: string,
  argv: ServiceArgv,
  explain: Explain = () => undefined,
  silenceMs = DEFAULT_SILENCE_MS,
): GitRemote {
  async function start(service: GitService, signal: AbortSignal): Promise<Session> {
    const [command, ...args] = argv(service);
    signal.throwIfAborted();
    const child = spawn(command, args, {
      env: gitEnvironment(process.env, false),
      stdio: ['pipe', 'pipe', 'pipe'],
      signal,
    });
    if (!hasPipes(child)) {
      child.once('error', () => undefined);
      throw unreachable(url, new Error(`\`${command}\` cannot be started: no file descriptor is left`));
    }
    let words = '';
    child.stderr.on('data', (chunk: Buffer) => {
      words = (words + chunk.toString('utf8')).slice(-MAX_STDERR);
    });
    child.stdin.on('error', () => undefined);
    let broken: Error | undefined;
    const closed = new Promise<number | null>((resolve) => {
      child.once('close', resolve);
      child.on('error', (error: NodeJS.ErrnoException) => {
        broken =
          error.code === 'ENOENT' ? new Error(`there is no \`${command}\` on this machine`, { cause: error }) : error;
        resolve(null);
      });
    });
    const failure = async (fallback: string): Promise<PlumbError> => {
      const code = await closed;
      signal.throwIfAborted();
      return explain(code, words) ?? unreachable(url, broken ?? new Error(fallback), broken ? '' : words);
    };
    const silence = setTimeout(() => {
      broken = new Error(`no answer for ${silenceMs / 1000} s`);
      giveUp(child);
    }, silenceMs);
    void closed.then(() => {
      clearTimeout(silence);
    });
    const stdout = child.stdout[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    const read = async (): Promise<Buffer | undefined> => {
      const next = await stdout.next().catch(() => ({ done: true as const, value: undefined }));
      silence.refresh();
      if (next.done !== true) return next.value;
      if (broken) throw await failure('');
      return undefined;
    };
    const greeting = new FlushReader();
    for (;;) {
      const chunk = await read();
      if (!chunk) throw await failure(`${command} ended`);
      const found = taken(greeting, chunk, child);
      if (found) return { child, read, greeting: found.upToFlush, rest: found.rest, failure };
    }
  }

  function taken(greeting: FlushReader, chunk: Buffer, child: Session['child']): ReturnType<FlushReader['take']> {
    try {
      return greeting.take(chunk);
    } catch (error) {
      giveUp(child);
      throw new TerminalError(
        'GitUrlInvalid',
        `${url} answers, but not as a Git server: ${JSON.stringify(chunk.toString('latin1', 0, MAX_SHOWN))}; check the URL, and that the login prints nothing`,
        { cause: error },
      );
    }
  }

  async function* output(session: Session): AsyncGenerator<Uint8Array> {
    if (session.rest.length > 0) yield session.rest;
    for (let chunk = await session.read(); chunk; chunk = await session.read()) yield chunk;
  }

  async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
    const all: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of chunks) {
      bytes += chunk.length;
      if (bytes > MAX_ANSWER) throw unreachable(url, new Error('it answers more than is read'));
      all.push(chunk);
    }
    return Buffer.concat(all);
  }

  return {
    async advertise(service, signal) {
      const session = await start(service, signal);
      session.child.stdin.end(FLUSH);
      await collect(output(session));
      signal.throwIfAborted();
      return parseAdvertisement(session.greeting);
    },
    async push(body, signal) {
      const session = await start('git-receive-pack', signal);
      session.child.stdin.end(body);
      const answer = await collect(output(session));
      if (answer.length === 0) throw await session.failure('the remote ended without an answer');
      return answer;
    },
    httpClient(signal) {
      let session: Session | undefined;
      async function request(asked: GitHttpRequest): Promise<GitHttpResponse> {
        const service = asked.url.includes('git-receive-pack') ? 'git-receive-pack' : 'git-upload-pack';
        const answer = (type: string, body: AsyncIterableIterator<Uint8Array>): GitHttpResponse => ({
          url: asked.url,
          statusCode: 200,
          statusMessage: 'OK',
          headers: { 'content-type': `application/x-${service}-${type}` },
          body,
        });
        if (asked.method === 'GET' || asked.method === undefined) {
          session = await start(service, signal);
          const greeting = Buffer.concat([pkt(`# service=${service}\n`), FLUSH, session.greeting]);
          return answer(
            'advertisement',
            (async function* () {
              yield greeting;
            })(),
          );
        }
        const current = session ?? (await start(service, signal));
        session = undefined;
        for await (const chunk of asked.body ?? []) current.child.stdin.write(chunk);
        current.child.stdin.end();
        return answer('result', output(current));
      }
      return { url: ANY_HTTP_URL, http: { request } };
    },
  };
}
