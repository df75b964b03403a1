/** A Git server that is a process: the same conversation whether it runs here or behind `ssh`. */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import type { GitHttpRequest, GitHttpResponse } from 'isomorphic-git';
import type { PlumbError } from '../../core/errors.ts';
import { gitEnvironment } from './native-engine.ts';
import { endOfFlush, FLUSH, parseAdvertisement, pkt } from './pkt-line.ts';
import { type GitRemote, type GitService, unreachable } from './remote.ts';

const MAX_STDERR = 8192;
const ANY_HTTP_URL = 'https://repository.invalid/';

/** How to start `git-upload-pack` or `git-receive-pack` for a repository. */
export type ServiceArgv = (service: GitService) => readonly [command: string, ...args: string[]];

/** What a process that ended without an answer meant by its exit code and its last words; undefined where they say it themselves. */
export type Explain = (exitCode: number | null, words: string) => PlumbError | undefined;

interface Session {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly stdout: AsyncIterator<Buffer>;
  /** The advertisement, with its flush. */
  readonly greeting: Buffer;
  readonly rest: Buffer;
  /** Why it ended without an answer. */
  readonly failure: (fallback: string) => Promise<PlumbError>;
}

/** `git-upload-pack` beside us. */
export function localServiceArgv(path: string): ServiceArgv {
  return (service) => ['git', service.slice('git-'.length), path];
}

export function processRemote(url: string, argv: ServiceArgv, explain: Explain = () => undefined): GitRemote {
  async function start(service: GitService, signal: AbortSignal): Promise<Session> {
    const [command, ...args] = argv(service);
    signal.throwIfAborted();
    const child = spawn(command, args, { env: gitEnvironment(process.env, false), stdio: ['pipe', 'pipe', 'pipe'], signal });
    let words = '';
    child.stderr.on('data', (chunk: Buffer) => {
      words = (words + chunk.toString('utf8')).slice(-MAX_STDERR);
    });
    child.stdin.on('error', () => undefined);
    let broken: Error | undefined;
    const closed = new Promise<number | null>((resolve) => {
      child.once('close', resolve);
      child.on('error', (error: NodeJS.ErrnoException) => {
        broken = error.code === 'ENOENT' ? new Error(`there is no \`${command}\` on this machine`, { cause: error }) : error;
        resolve(null);
      });
    });
    const failure = async (fallback: string): Promise<PlumbError> => {
      const code = await closed;
      signal.throwIfAborted();
      return explain(code, words) ?? unreachable(url, broken ?? new Error(fallback), words);
    };
    const stdout = child.stdout[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    let bytes = Buffer.alloc(0);
    for (;;) {
      const end = endOfFlush(bytes);
      if (end >= 0) return { child, stdout, greeting: bytes.subarray(0, end), rest: bytes.subarray(end), failure };
      const next = await stdout.next();
      if (next.done === true) throw await failure(`${command} ended`);
      bytes = Buffer.concat([bytes, next.value]);
    }
  }

  async function* output(session: Session): AsyncGenerator<Uint8Array> {
    if (session.rest.length > 0) yield session.rest;
    for (;;) {
      const next = await session.stdout.next();
      if (next.done === true) return;
      yield next.value;
    }
  }

  async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
    const all: Uint8Array[] = [];
    for await (const chunk of chunks) all.push(chunk);
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
          url: asked.url, statusCode: 200, statusMessage: 'OK', headers: { 'content-type': `application/x-${service}-${type}` }, body,
        });
        if (asked.method === 'GET' || asked.method === undefined) {
          session = await start(service, signal);
          const greeting = Buffer.concat([pkt(`# service=${service}\n`), FLUSH, session.greeting]);
          return answer('advertisement', (async function* () { yield greeting; })());
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
