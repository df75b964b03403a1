/**
 * Wiring of the control plane. What lives as long as the process: home, Redis, Git, SSH. What lives as long as one
 * incarnation of the store (a *session*): cache, queues, controllers, scheduler, node connections, API. When Redis is
 * emptied the session ends, and the next one rebuilds all state from Git and the nodes before anything acts.
 */
import { join } from 'node:path';
import type { RedisOptions } from 'ioredis';
import type { Machine } from '../contracts/objects/index.ts';
import { joinSignals } from '../contracts/signals.ts';
import { type GitCredentials, openGitSource } from './adapters/git/index.ts';
import { openHome, sshPrivateKey, type Home } from './adapters/home/home.ts';
import { BullWorkQueue } from './adapters/bullmq/work-queue.ts';
import { openLog } from './adapters/log/pino-log.ts';
import { FilePayloads } from './adapters/payload/payloads.ts';
import { FiledMark } from './adapters/redis/position-mark.ts';
import { RedisObjectStore } from './adapters/redis/object-store.ts';
import { startPrivateRedis, type PrivateRedis } from './adapters/redis/private-redis.ts';
import { isExposed, placeOfRedis, redisOptionsFromUrl, type RedisPasswords } from './adapters/redis/url.ts';
import { SshNodeTransport } from './adapters/ssh/transport.ts';
import { SystemClock } from './adapters/system/clock.ts';
import { CryptoIds } from './adapters/system/ids.ts';
import { startApi, startRebuildingApi, type ApiServer } from './api/index.ts';
import { DESCHEDULER_NAME } from './controllers/descheduling/descheduler.ts';
import { rebalance } from './controllers/descheduling/rebalance.ts';
import { allControllers } from './controllers/index.ts';
import { removeAgent } from './controllers/nodes/agent-remove.ts';
import { NodeSync } from './controllers/nodes/node-sync.ts';
import { recover } from './controllers/recovery.ts';
import { GitHistory } from './controllers/recovery-history.ts';
import { StoreCache } from './controllers/runtime/cache.ts';
import { EventRecorder } from './controllers/runtime/event-recorder.ts';
import { StepExecutor } from './controllers/runtime/executor.ts';
import { ControllerManager } from './controllers/runtime/manager.ts';
import { SchedulingLane } from './controllers/scheduling/lane.ts';
import { planRevision, SyncController } from './controllers/sync/index.ts';
import { RevisionReader } from './controllers/sync/revision-reader.ts';
import { PlumbError } from './core/errors.ts';
import type { GitSource } from './ports/git-source.ts';
import { SILENT_LOG, type Log } from './ports/log.ts';

// For commands that work on a machine without a control plane.
export { removeAgent, SILENT_LOG, SystemClock };

export interface ControlPlaneOptions {
  readonly home: string;
  /** Path or URL of the repository. */
  readonly repo: string;
  /** For a repository behind HTTPS; those in the URL when absent. */
  readonly gitCredentials?: GitCredentials;
  readonly branch?: string;
  readonly sourceName: string;
  /** As `redisOptionsFromUrl` reads it; a private redis-server is run when absent. */
  readonly redis?: string;
  readonly redisPasswords?: RedisPasswords;
  /** Private key file; `ssh/id_ed25519` in the home, made when missing, when absent. */
  readonly sshKey?: string;
  readonly version: string;
  /** Hears what a person at the terminal wants to know. */
  readonly progress: (line: string) => void;
  /** Ends the start. Not a control plane that was started: that is {@link ControlPlane.close}. */
  readonly signal: AbortSignal;
}

export interface ControlPlane {
  readonly socket: string;
  /** Resolves with the reason when the control plane cannot go on. */
  readonly failed: Promise<Error>;
  /**
   * Pods go on running on their nodes. Never rejects: a part that does not end well is logged, and the others are
   * ended. Safe to repeat.
   */
  close(): Promise<void>;
}

const clock = new SystemClock();
const ids = new CryptoIds();
/** For passes that run when a session closes; what is cut short is done by the next control plane. */
const GRACE_MS = 1000;
const RETRY_SESSION_MS = 500;
const MAX_RETRY_SESSION_MS = 10_000;
const LOG_LEVEL = process.env['PLUMB_LOG_LEVEL'] ?? 'info';

/** What lives as long as the process. */
interface Process {
  readonly options: ControlPlaneOptions;
  readonly home: Home;
  readonly log: Log;
  readonly redis: RedisOptions;
  /** How far the store was seen to come, in this process and those before it. */
  readonly mark: FiledMark;
  readonly warnings: readonly string[];
  readonly git: GitSource;
  readonly transport: SshNodeTransport;
  readonly payloads: FilePayloads;
  readonly startedAt: string;
  /** Makes the API's socket free. */
  readonly beforeApi?: () => Promise<void>;
}

/** Starts everything and returns when the API answers. Throws PlumbErrors that say what is wrong and what to do. */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const home = await openHome(options.home);
  const log = openLog(home.logFile, LOG_LEVEL);
  const closers: (() => Promise<unknown>)[] = [];
  const closeAll = async (): Promise<void> => {
    for (const close of closers.splice(0).reverse())
      await close().catch((error: unknown) => {
        log.error('a part did not end well', { error: asError(error).message });
      });
  };
  try {
    const { key } = await sshPrivateKey(home, options.sshKey);
    const privateRedis =
      options.redis === undefined
        ? await startPrivateRedis({ dir: home.redisDir, socketPath: home.redisSocket, signal: options.signal })
        : undefined;
    if (privateRedis) closers.push(() => privateRedis.close());
    const git = await openGitSource({
      url: options.repo,
      cacheDir: home.gitCache,
      ...(options.gitCredentials && { credentials: options.gitCredentials }),
      ...(options.branch !== undefined && { branch: options.branch }),
      ...(options.sshKey !== undefined && { sshKey: options.sshKey }),
    });
    closers.push(() => git.close());
    const transport = new SshNodeTransport({ privateKey: key, log, clock });
    closers.push(() => transport.close());
    const redis = privateRedis?.connection ?? redisOptionsFromUrl(options.redis ?? '', options.redisPasswords);
    const warnings = isExposed(redis)
      ? [
          `Redis at ${placeOfRedis(redis)} is spoken to in the clear: the network between can read its password, and all live state but Secrets; use rediss:// (TLS)`,
        ]
      : [];
    for (const warning of warnings) options.progress(`warning: ${warning}`);
    const mark = await FiledMark.open(join(home.dir, `redis-mark.${options.sourceName}.json`), clock);
    closers.push(() => mark.close());
    const sessions = new Sessions({
      options,
      home,
      log,
      redis,
      mark,
      warnings,
      git,
      transport,
      payloads: new FilePayloads(),
      startedAt: clock.now().toISOString(),
    });
    closers.push(() => sessions.close());
    await sessions.start();
    return { socket: home.socket, failed: Promise.race([sessions.failed, redisEnded(privateRedis)]), close: closeAll };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

/** Never resolves where Redis is somebody else's: the store waits for that one to come back. */
async function redisEnded(redis: PrivateRedis | undefined): Promise<Error> {
  if (redis === undefined) return new Promise(() => undefined);
  return new Error(`the private redis-server ended: ${await redis.ended}`);
}

/** One session after another, until closed. */
class Sessions {
  readonly #process: Process;
  readonly #stop = new AbortController();
  readonly failed: Promise<Error>;
  #fail: (error: Error) => void = () => undefined;
  #current: Session | undefined;
  #running: Promise<void> | undefined;

  constructor(process: Process) {
    this.#process = process;
    this.failed = new Promise((resolve) => {
      this.#fail = resolve;
    });
  }

  /** Opens the first session; the next ones follow by themselves. */
  async start(): Promise<void> {
    using starting = joinSignals(this.#stop.signal, this.#process.options.signal);
    const first = await Session.open(this.#process, starting.signal).catch((error: unknown) => {
      if (!isStoreLost(asError(error))) throw error;
      this.#process.options.progress(`${asError(error).message}: rebuilding all state from Git and the nodes`);
      return Session.open(this.#process, starting.signal);
    });
    this.#running = this.#follow(first).catch((error: unknown) => {
      this.#fail(asError(error));
    });
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error('the control plane is stopping'));
    await this.#current?.close();
    await this.#running;
  }

  async #follow(first: Session): Promise<void> {
    const { log, options } = this.#process;
    for (let session: Session | undefined = first; session !== undefined && !this.#stop.signal.aborted;) {
      this.#current = session;
      const reason = await session.ended;
      await session.close();
      if (this.#stop.signal.aborted) return;
      if (!isStoreLost(reason)) throw reason ?? new Error('the session ended without a reason');
      options.progress(`${asError(reason).message}: rebuilding all state from Git and the nodes`);
      log.warn('the store was lost; a new session rebuilds it', { error: asError(reason).message });
      session = await this.#reopen();
      if (session) options.progress('rebuilt: everything goes on');
    }
  }

  /**
   * Tries until a session is open, or undefined when closed before. Git, the machines and Redis may each be away for as
   * long as they like: whoever asks the API meanwhile is told what is waited for.
   */
  async #reopen(): Promise<Session | undefined> {
    const { home, log, options } = this.#process;
    let why = 'the state is being rebuilt from Git and the nodes';
    const waiting = await startRebuildingApi(home.socket, () => why);
    try {
      for (
        let pause = RETRY_SESSION_MS;
        !this.#stop.signal.aborted;
        pause = Math.min(2 * pause, MAX_RETRY_SESSION_MS)
      ) {
        try {
          return await Session.open({ ...this.#process, beforeApi: () => waiting.close() }, this.#stop.signal);
        } catch (error) {
          if (this.#stop.signal.aborted) break;
          const reason = `the state could not be rebuilt yet: ${asError(error).message}`;
          if (reason !== why) options.progress(`${reason}; trying on`);
          why = reason;
          log.warn('the state could not be rebuilt yet', { error: asError(error).message });
          await clock.sleep(pause, this.#stop.signal).catch(() => undefined);
        }
      }
      return undefined;
    } finally {
      await waiting.close();
    }
  }
}

/** Everything that works on one incarnation of the store. */
class Session {
  /** Resolves when the session cannot go on, with the reason; undefined after {@link close}. */
  readonly ended: Promise<Error | undefined>;
  readonly #closers: readonly (() => Promise<unknown>)[];
  #closed: Promise<void> | undefined;

  private constructor(ended: Promise<Error | undefined>, closers: readonly (() => Promise<unknown>)[]) {
    this.ended = ended;
    this.#closers = closers;
  }

  /** Safe to repeat. */
  async close(): Promise<void> {
    await (this.#closed ??= this.#closeAll());
  }

  async #closeAll(): Promise<void> {
    for (const close of this.#closers) await close().catch(() => undefined);
  }

  static async open(process: Process, signal: AbortSignal): Promise<Session> {
    const { home, log, redis, mark, git, transport, payloads, options } = process;
    const closers: (() => Promise<unknown>)[] = [];
    const stop = new AbortController();
    const opened = new Session(new Promise(() => undefined), closers);
    try {
      const cluster = options.sourceName;
      const store = new RedisObjectStore({ connection: redis, cluster, sealKey: home.sealKey, clock, ids, mark });
      closers.unshift(() => store.close());
      const { fresh, incarnation } = await store.open(signal);
      const epoch = fresh ? await rebuild(process, store, incarnation, signal) : await store.nextEpoch(0, signal);

      const cache = new StoreCache({ store, clock, log });
      const following = cache.run(stop.signal).then(() => undefined, asError);
      closers.unshift(async () => {
        stop.abort();
        await following;
      });
      await cache.waitSynced(signal);
      const queue = new BullWorkQueue({ connection: redis, cluster, log });
      closers.unshift(() => queue.close());
      const recorder = new EventRecorder({ cache, clock, log });
      closers.unshift(() => recorder.close());
      recorder.start();
      const executor = new StepExecutor({ cache, recorder, clock });

      const sync = new SyncController(options.sourceName, {
        git,
        view: cache,
        execute: (steps, component, s) => executor.attempt(steps, component, s),
        queue,
        clock,
        log,
      });
      cache.subscribe((type, object, previous) => {
        sync.changed(type, object, previous);
      });
      closers.unshift(() => sync.close(GRACE_MS));
      sync.start();
      // After a recovery the machines are known to Git alone: controllers that saw nodes without machines would remove
      // them.
      if (fresh)
        await Promise.race([
          sync.firstSync,
          aborted(signal),
          following.then((error) => Promise.reject(error ?? new Error('closed'))),
        ]);

      const manager = new ControllerManager({ queue, cache, recorder, clock, ids, log, controllers: allControllers() });
      const lane = new SchedulingLane({ queue, cache, executor, clock, log });
      const nodes = new NodeSync({
        cache,
        store,
        incarnation,
        recorder,
        queue,
        transport,
        payloads,
        clock,
        log,
        epoch,
      });
      closers.unshift(() => Promise.all([manager.close(GRACE_MS), lane.close(GRACE_MS), nodes.close(GRACE_MS)]));
      manager.start();
      lane.start();
      nodes.start();

      await process.beforeApi?.();
      const api: ApiServer = await startApi(home.socket, {
        view: cache,
        git,
        sourceName: options.sourceName,
        clock,
        log,
        info: {
          version: options.version,
          pid: globalThis.process.pid,
          startedAt: process.startedAt,
          home: home.dir,
          warnings: process.warnings,
        },
        storeProblem: () => store.problem ?? queue.problem,
        plan: (rev, format, s) =>
          planRevision(sync.reader, git, cache, options.sourceName, { rev, format, now: clock.now() }, s),
        explainPlacement: (pod) => lane.pending?.explain(pod),
        rollback: (request, s) => sync.rollBack(request, s),
        rebalance: (order, s) =>
          rebalance(
            { view: cache, clock, execute: (steps, during) => executor.attempt(steps, DESCHEDULER_NAME, during) },
            order,
            s,
          ),
        deletePod: async (key, s) => {
          const pod = cache.get(key);
          if (!pod) return false;
          await executor.execute([{ do: 'delete', key, uid: pod.metadata.uid }], 'api', s);
          return true;
        },
        connectionTo: (name) => nodes.connectionTo(name),
        onChange: (listener) => cache.subscribe(listener),
      });
      closers.unshift(() => api.close());
      return new Session(following, closers);
    } catch (error) {
      await opened.close();
      throw error;
    }
  }
}

/** Fills an empty store from Git and the machines' inventories and opens it for everyone; answers the new epoch. */
async function rebuild(
  process: Process,
  store: RedisObjectStore,
  incarnation: string,
  signal: AbortSignal,
): Promise<number> {
  const { git, options, transport, log } = process;
  const machines = await machinesInGit(process, signal);
  const { epoch, answered } = await recover({
    store,
    incarnation,
    machines,
    source: { name: options.sourceName, url: git.url, branch: git.branch },
    history: new GitHistory(git, new RevisionReader(git)),
    transport,
    clock,
    log,
    signal,
  });
  if (machines.length > 0) process.options.progress(`recovered from ${answered.length} of ${machines.length} machines`);
  return epoch;
}

/** Newest commits looked at for one that renders. */
const RENDERABLE_WITHIN = 50;

/** Machines of the newest commit that renders: the one that is in force, or will be. */
async function machinesInGit({ git }: Process, signal: AbortSignal): Promise<readonly Machine[]> {
  const head = await git.head(signal);
  if (head.state !== 'at') return [];
  const reader = new RevisionReader(git);
  for (const revision of await git.log(head.revision.sha, RENDERABLE_WITHIN, signal)) {
    const { state, diagnostics } = await reader.read(revision.sha, signal);
    if (diagnostics.some((d) => d.severity === 'error')) continue;
    return [...state.values()].flatMap(({ object }) => (object.kind === 'Machine' ? [object] : []));
  }
  return [];
}

/** Rejects with the signal's reason. */
async function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const abort = (): void => {
      reject(asError(signal.reason));
    };
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

function isStoreLost(error: Error | undefined): boolean {
  return error instanceof PlumbError && (error.code === 'StoreLost' || error.code === 'StoreTampered');
}
