/**
 * The control plane's own redis-server: on a Unix socket only, gone with the control plane; what it held is on disk for
 * the next one where that is asked for. `close` ends it; at the process' exit without that, an exit handler does; when
 * the process is killed, the kernel does (PR_SET_PDEATHSIG, set by util-linux' setpriv); where there is no setpriv, the
 * next start from the same folder does.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis, type RedisOptions } from 'ioredis';
import { asError } from '../../../contracts/errors.ts';
import { RetryableError, TerminalError } from '../../core/errors.ts';

export interface PrivateRedisOptions {
  /** Working folder of the server; made when it is missing. */
  readonly dir: string;
  /** At most 107 bytes: the kernel's limit for a Unix socket's path (unix(7)). */
  readonly socketPath: string;
  /**
   * Whether what it holds is kept in the folder for the next start: whatever was acknowledged when the process ends,
   * however that is; when the machine ends, all but the last two seconds. Default: nothing is on disk.
   */
  readonly keep?: boolean;
  /** Aborts the start; a running server is ended by {@link PrivateRedis.close}. */
  readonly signal: AbortSignal;
}

export interface PrivateRedis {
  /** For the store and the queue. */
  readonly connection: RedisOptions;
  readonly pid: number;
  /** Why what an earlier one kept could not be read: it starts empty, and that is beside it in `*.unreadable`. */
  readonly unreadable?: string;
  /** Settles when the server ended, for whatever reason: with what it said last. Never rejects. */
  readonly ended: Promise<string>;
  /** Ends the server and waits for its end; one that does not end by itself is killed. May be called twice. */
  close(): Promise<void>;
}

const OLDEST_MAJOR = 7;
const LONGEST_SOCKET_PATH = 107;
const KEPT_OUTPUT = 4000;
/** A server without clients and without a disk ends within milliseconds. */
const END_MS = 1000;
/**
 * Runs the rest of its command line in its own place; the kernel kills that when the thread that started it ends, which
 * for Node.js is the process. Not SIGTERM: a server that takes its time could remove the socket of its successor.
 * Source: setpriv(1), PR_SET_PDEATHSIG(2const).
 */
const TIED_TO_US = ['setpriv', '--pdeathsig', 'KILL'] as const;
/** In the server's folder. Source: redis.conf, `appenddirname`. */
const KEPT_FOLDER = 'appendonlydir';
/**
 * A log of what was written, made anew when it is three times as large as it was: each event loop's writes reach the
 * kernel before they are acknowledged, and the disk every second. Source: redis.conf, "APPEND ONLY MODE".
 */
const KEEP = ['--appendonly yes --appendfsync everysec', `--appenddirname ${KEPT_FOLDER}`]
  .concat('--auto-aof-rewrite-percentage 200 --auto-aof-rewrite-min-size 128mb --no-appendfsync-on-rewrite yes')
  .flatMap((words) => words.split(' '));
const KEEP_NOTHING = ['--appendonly', 'no'];
/** What a server ends with that cannot load its log. Source: Redis 7, aof.c and rdb.c. */
const CANNOT_LOAD = new RegExp(
  [
    '(Bad file format|Unexpected end of file|Unrecoverable error) reading the append only file',
    "AOF manifest|AOF loading aborted|AOF file .* doesn't exist|open the append log file|obtain the AOF file",
    "RDB preamble|RDB reading|Can't handle RDB format|loading (the )?DB",
  ].join('|'),
);

/**
 * Starts a server and returns once it answers. A server that a control plane left behind when it was killed is ended
 * first. TerminalError `RedisMissing` (no binary), `RedisTooOld`, `RedisInUse` (another control plane works with this
 * socket), `RedisSocketPath` (path too long); RetryableError `RedisNotStarted` with the server's own words. A kept log that
 * it cannot load is put aside: all but history can be had from Git and the nodes.
 */
export async function startPrivateRedis(options: PrivateRedisOptions): Promise<PrivateRedis> {
  const { dir, socketPath, signal } = options;
  if (Buffer.byteLength(socketPath) > LONGEST_SOCKET_PATH) {
    throw new TerminalError(
      'RedisSocketPath',
      `the path ${socketPath} is longer than the ${LONGEST_SOCKET_PATH} bytes that a Unix socket may have; choose a shorter state folder`,
    );
  }
  await checkVersion(signal);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await endLeftover(socketPath);
  if (options.keep !== true) return launch(options);
  await removeUnfinished(dir);
  try {
    return await launch(options);
  } catch (error) {
    if (!(error instanceof RetryableError) || !CANNOT_LOAD.test(error.message)) throw error;
    const kept = join(dir, KEPT_FOLDER);
    await rm(`${kept}.unreadable`, { recursive: true, force: true });
    await rename(kept, `${kept}.unreadable`);
    return { ...(await launch(options)), unreadable: error.message.trim().split('\n').at(-1) ?? '' };
  }
}

async function launch({ dir, socketPath, keep, signal }: PrivateRedisOptions): Promise<PrivateRedis> {
  const [program, ...args] = [...((await canTie()) ? TIED_TO_US : []), 'redis-server'] as [string, ...string[]];
  const child = spawn(
    program,
    [
      ...args,
      '--port',
      '0',
      '--unixsocket',
      socketPath,
      '--unixsocketperm',
      '700',
      '--dir',
      dir,
      '--save',
      '',
      ...(keep === true ? KEEP : KEEP_NOTHING),
      '--maxmemory-policy',
      'noeviction',
      '--daemonize',
      'no',
      '--logfile',
      '',
      // A group of its own: an interrupt from the terminal reaches the control plane first, which drains its queues
      // before Redis ends.
    ],
    { stdio: ['ignore', 'pipe', 'pipe'], detached: true },
  );
  const output = keepOutput(child);
  const ended = once(child, 'exit').then(
    () => output.text().trim(),
    (error: unknown) => String(error),
  );
  const killWithUs = (): void => {
    child.kill('SIGKILL');
  };
  process.once('exit', killWithUs);
  const close = async (): Promise<void> => {
    child.kill('SIGTERM');
    const late = setTimeout(killWithUs, END_MS);
    await ended;
    clearTimeout(late);
    process.removeListener('exit', killWithUs);
    await rm(socketPath, { force: true });
  };
  try {
    const silent = once(child, 'close').then(() => output.text().trim(), String);
    await answering(socketPath, silent, signal);
  } catch (error) {
    await close();
    throw error;
  }
  if (child.pid === undefined) throw new RetryableError('RedisNotStarted', 'redis-server has no process id');
  return { connection: { path: socketPath }, pid: child.pid, ended, close };
}

async function checkVersion(signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const child = spawn('redis-server', ['--version'], { stdio: ['ignore', 'pipe', 'pipe'] });
  const output = keepOutput(child);
  try {
    await once(child, 'close');
  } catch (cause) {
    throw new TerminalError(
      'RedisMissing',
      'there is no redis-server on PATH; install it (Debian: apt-get install redis-server), or give --redis URL',
      { cause },
    );
  }
  const version = /v=(\d+)\.\S+/.exec(output.text());
  if (version && Number(version[1]) < OLDEST_MAJOR) {
    throw new TerminalError(
      'RedisTooOld',
      `redis-server is ${version[0].slice(2)}; version ${OLDEST_MAJOR} or newer is needed`,
    );
  }
}

/** What a server that was killed while it wrote its log anew left of that. */
async function removeUnfinished(dir: string): Promise<void> {
  for (const folder of [dir, join(dir, KEPT_FOLDER)])
    for (const name of await readdir(folder).catch(() => []))
      if (name.startsWith('temp-')) await rm(join(folder, name), { force: true });
}

async function canTie(): Promise<boolean> {
  const [program, ...args] = TIED_TO_US;
  return once(spawn(program, [...args, 'true'], { stdio: 'ignore' }), 'exit').then(
    ([code]) => code === 0,
    () => false,
  );
}

/** Ends the server of a control plane that was killed, unless somebody works with it. */
async function endLeftover(socketPath: string): Promise<void> {
  if (!(await exists(socketPath))) return;
  const client = new Redis({ path: socketPath, lazyConnect: true, retryStrategy: () => null, maxRetriesPerRequest: 0 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const clients = String(await client.client('LIST'))
      .trim()
      .split('\n');
    if (clients.length > 1) {
      throw new TerminalError(
        'RedisInUse',
        `another control plane works with ${socketPath}; stop it first, or choose another state folder`,
      );
    }
    await client.shutdown('NOSAVE').catch(() => undefined);
  } catch (error) {
    if (error instanceof TerminalError) throw error;
  } finally {
    client.disconnect();
  }
  await rm(socketPath, { force: true });
}

/** Resolves when PING is answered; the client tries again by itself until the socket is there. */
async function answering(socketPath: string, ended: Promise<string>, signal: AbortSignal): Promise<void> {
  const client = new Redis({ path: socketPath, retryStrategy: () => 10, maxRetriesPerRequest: null });
  client.on('error', () => undefined);
  let onAbort = (): void => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => {
      reject(asError(signal.reason));
    };
    signal.addEventListener('abort', onAbort, { once: true });
  });
  const died = ended.then((words): never => {
    throw new RetryableError('RedisNotStarted', `redis-server ended at once: ${words || 'it said nothing'}`);
  });
  died.catch(() => undefined);
  try {
    signal.throwIfAborted();
    const answer = client.ping();
    answer.catch(() => undefined);
    await Promise.race([answer, died, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
    client.disconnect();
  }
}

function keepOutput(child: ChildProcess): { text(): string } {
  let kept = '';
  const keep = (chunk: Buffer): void => {
    kept = (kept + chunk.toString('utf8')).slice(-KEPT_OUTPUT);
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  return { text: () => kept };
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
