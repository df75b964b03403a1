/** Speaking with the repository's own Git server: over HTTPS, over SSH, or with a local process (so that its hooks run). */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import type { GitHttpRequest, GitHttpResponse, HttpClient } from 'isomorphic-git';
import { RetryableError, TerminalError } from '../../core/errors.ts';
import type { GitCredentials } from './credentials.ts';
import { gitEnvironment } from './native-engine.ts';
import { type Advertisement, endOfFlush, FLUSH, parseAdvertisement, pkt } from './pkt-line.ts';

export type GitService = 'git-upload-pack' | 'git-receive-pack';

export interface GitRemote {
  /** What refs the remote has now. RetryableError `GitUnreachable`, TerminalError `GitAccessDenied`. */
  advertise(service: GitService, signal: AbortSignal): Promise<Advertisement>;
  /** One push: the whole request, the whole answer. */
  push(body: Buffer, signal: AbortSignal): Promise<Buffer>;
  /** For isomorphic-git's fetch. */
  httpClient(signal: AbortSignal): { readonly url: string; readonly http: HttpClient; readonly onAuth?: () => { username: string; password: string } };
}

const MAX_STDERR = 8192;
const ANY_HTTP_URL = 'https://repository.invalid/';

function unreachable(url: string, cause: unknown, words = ''): RetryableError {
  const why = words.trim() || (cause instanceof Error ? cause.message : String(cause));
  return new RetryableError('GitUnreachable', `cannot reach ${url}: ${why}`, { cause });
}

/** How to start `git-upload-pack` or `git-receive-pack` for a repository. */
export type ServiceArgv = (service: GitService) => readonly [command: string, ...args: string[]];

interface Session {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly stdout: AsyncIterator<Buffer>;
  /** The advertisement, with its flush. */
  readonly greeting: Buffer;
  readonly rest: Buffer;
  readonly errors: () => string;
}

/** A remote that is a process: the same conversation whether it runs here or behind `ssh`. */
export function processRemote(url: string, argv: ServiceArgv): GitRemote {
  async function start(service: GitService, signal: AbortSignal): Promise<Session> {
    const [command, ...args] = argv(service);
    const child = spawn(command, args, { env: gitEnvironment(process.env, false), stdio: ['pipe', 'pipe', 'pipe'], signal });
    let words = '';
    child.stderr.on('data', (chunk: Buffer) => {
      words = (words + chunk.toString('utf8')).slice(-MAX_STDERR);
    });
    child.stdin.on('error', () => undefined);
    let failure: Error | undefined;
    child.on('error', (error) => {
      failure = error;
    });
    const stdout = child.stdout[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    let bytes = Buffer.alloc(0);
    for (;;) {
      const end = endOfFlush(bytes);
      if (end >= 0) return { child, stdout, greeting: bytes.subarray(0, end), rest: bytes.subarray(end), errors: () => words };
      const next = await stdout.next();
      if (next.done === true) {
        signal.throwIfAborted();
        await new Promise((resolve) => (child.exitCode !== null || failure ? resolve(undefined) : child.once('close', resolve)));
        throw unreachable(url, failure ?? new Error(`${command} ended`), words);
      }
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
      return parseAdvertisement(session.greeting);
    },
    async push(body, signal) {
      const session = await start('git-receive-pack', signal);
      session.child.stdin.end(body);
      const answer = await collect(output(session));
      if (answer.length === 0) throw unreachable(url, new Error('the remote ended without an answer'), session.errors());
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

/** A remote behind HTTP(S), in Git's "smart" protocol. */
export function httpRemote(url: string, credentials: GitCredentials | undefined, client: HttpClient): GitRemote {
  const base = url.replace(/\/+$/, '');
  const authorization = credentials && `Basic ${Buffer.from(`${credentials.reveal().username}:${credentials.reveal().password}`).toString('base64')}`;

  async function ask(request: Omit<GitHttpRequest, 'headers'>, headers: Record<string, string>, signal: AbortSignal): Promise<Buffer> {
    signal.throwIfAborted();
    let response: GitHttpResponse;
    const chunks: Uint8Array[] = [];
    try {
      response = await client.request({ ...request, headers: { ...headers, 'user-agent': 'git/plumbline', ...(authorization && { authorization }) } });
      for await (const chunk of response.body ?? []) chunks.push(chunk);
    } catch (error) {
      throw unreachable(base, error);
    }
    signal.throwIfAborted();
    const { statusCode } = response;
    if (statusCode === 401 || statusCode === 403 || statusCode === 404) {
      throw new TerminalError('GitAccessDenied', `${base} answered ${statusCode}: check the URL, and that the credentials may ${request.method === 'POST' ? 'write' : 'read'} it`);
    }
    if (statusCode !== 200) throw unreachable(base, new Error(`HTTP ${statusCode}`));
    return Buffer.concat(chunks);
  }

  return {
    async advertise(service, signal) {
      return parseAdvertisement(await ask({ url: `${base}/info/refs?service=${service}`, method: 'GET' }, {}, signal));
    },
    push(body, signal) {
      return ask(
        { url: `${base}/git-receive-pack`, method: 'POST', body: (async function* () { yield body; })() },
        { 'content-type': 'application/x-git-receive-pack-request', accept: 'application/x-git-receive-pack-result', 'content-length': String(body.length) },
        signal,
      );
    },
    httpClient: () => ({ url: base, http: client, ...(credentials && { onAuth: () => credentials.reveal() }) }),
  };
}

/** `git-upload-pack` beside us. */
export function localServiceArgv(path: string): ServiceArgv {
  return (service) => ['git', service.slice('git-'.length), path];
}

export interface SshAddress {
  readonly destination: string;
  readonly port: number | undefined;
  readonly path: string;
}

/** `ssh://user@host:port/path` or `user@host:path`; undefined for anything else. A host that looks like an option is refused. */
export function parseSshUrl(url: string): SshAddress | undefined {
  const long = /^ssh:\/\/(?:([^@/]+)@)?([^/:]+|\[[0-9a-fA-F:]+\])(?::(\d+))?(\/.*)$/.exec(url);
  const short = long ? null : /^(?:([^@/:]+)@)?([^/:]+):(?!\/\/)(.+)$/.exec(url);
  const [user, host, port, path] = long ? [long[1], long[2], long[3], long[4]] : [short?.[1], short?.[2], undefined, short?.[3]];
  if (!host || !path) return undefined;
  if (host.startsWith('-') || user?.startsWith('-')) throw new TerminalError('GitUrlInvalid', `${url}: a host or user may not begin with '-'`);
  const bare = host.replace(/^\[|\]$/g, '');
  return { destination: user ? `${user}@${bare}` : bare, port: port === undefined ? undefined : Number(port), path: path.replace(/^\/~/, '~') };
}

/** The remote login shell parses one string: single quotes, as git itself sends it. */
function quoted(path: string): string {
  return `'${path.replaceAll("'", "'\\''")}'`;
}

/** `git-upload-pack` behind OpenSSH: the user's known_hosts must hold the host's key; nobody is asked anything. */
export function sshServiceArgv(address: SshAddress, keyFile: string | undefined, knownHosts: string | undefined): ServiceArgv {
  return (service) => [
    'ssh', '-T', '-o', 'BatchMode=yes', '-o', 'StrictHostKeyChecking=yes', '-o', 'ConnectTimeout=10', '-o', 'ServerAliveInterval=5',
    ...(knownHosts === undefined ? [] : ['-o', `UserKnownHostsFile=${knownHosts}`]),
    ...(keyFile === undefined ? [] : ['-i', keyFile, '-o', 'IdentitiesOnly=yes']),
    ...(address.port === undefined ? [] : ['-p', String(address.port)]),
    '--', address.destination, `${service} ${quoted(address.path)}`,
  ];
}
