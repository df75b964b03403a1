/** The `WorkQueue` on BullMQ. */
import { Queue, Worker } from 'bullmq';
import type { RedisOptions } from 'ioredis';
import { errorText } from '../../../contracts/errors.ts';
import { RetryableError } from '../../core/errors.ts';
import { FailureStreaks } from '../../core/storage/retry.ts';
import { QueueMetrics, type QueueStats } from '../../core/storage/queue-metrics.ts';
import type { Log } from '../../ports/log.ts';
import type { JobResult, Priority, QueueFailure, QueueName, QueueWorker, WorkQueue } from '../../ports/work-queue.ts';
import { MotherConnection } from './connection.ts';
import { DelayedKeys, Sweeper } from './delayed-keys.ts';
import { takeOverRunning } from './left-running.ts';
import { removeRetiredQueues } from './retired-queues.ts';
import { ServerCalls, within } from './server-calls.ts';

export interface BullWorkQueueOptions {
  /** ioredis connection options; the server's maxmemory-policy must be noeviction. */
  readonly connection: RedisOptions;
  /** Cluster name, as the object store's. */
  readonly cluster: string;
  readonly log: Log;
  /** How long an add waits for a server that does not answer, in ms. Default 5000. */
  readonly callTimeoutMs?: number;
}

interface JobData {
  readonly key: string;
}

interface Lane {
  readonly queue: Queue<JobData>;
  readonly delayed: DelayedKeys;
  readonly metrics: QueueMetrics;
  /**
   * Keys that this process asked for and whose pass did not begin here since. A failover may lose them: they are asked
   * for again on every new connection. Kept only where this process also works; undefined until then.
   */
  asked: Set<string> | undefined;
  /** Keys of no hurry. They are handed to the server when its line is short, so that what is fresh stands in front. */
  readonly resync: Set<string>;
  workers: number;
  /** Longer than this the line is not made with keys of no hurry. */
  shortLine: number;
  handing: Promise<void> | undefined;
}

type Handler = (key: string, signal: AbortSignal) => Promise<JobResult>;

const DEFAULT_GRACE_MS = 10_000;
const CLOSE_TIMEOUT_MS = 3000;
/** With Redis away there is nobody to take leave of. */
const CLOSE_TIMEOUT_AWAY_MS = 1500;
const KEPT_QUEUE_EVENTS = 100;
/** A job that this process forgot, to a server that failed over, is taken up again after at most LOCK_MS and two checks. */
const LOCK_MS = 15_000;
const STALLED_CHECK_MS = 5000;
/**
 * How long an idle worker waits for a job before it looks again, in seconds: each look is eight commands, for each queue.
 * Jobs do not wait for it. A connection that went silent is noticed after it, or when an add is not answered.
 */
const IDLE_WAIT_SECONDS = 20;
/** BullMQ counts a crash against the job; ours are level-triggered and never given up for that. */
const ANY_NUMBER_OF_CRASHES = Number.MAX_SAFE_INTEGER;
/** Kind, namespace and name at their longest, and some. */
const LONGEST_KEY = 512;
const ASK_AGAIN_MS = 1000;
const RETRY_AFTER_CONNECTION_LOSS_MS = 250;

export class BullWorkQueue implements WorkQueue {
  readonly #client: MotherConnection;
  readonly #prefix: string;
  readonly #log: Log;
  readonly #lanes = new Map<QueueName, Lane>();
  readonly #sweeper: Sweeper;
  readonly #workers = new Set<QueueWorker>();
  readonly #listeners: ((failure: QueueFailure) => void)[] = [];
  readonly #streaks = new FailureStreaks();
  readonly #calls: ServerCalls;
  #askingAgain: NodeJS.Timeout | undefined;
  #retiring: Promise<void> | undefined;
  #closed = false;

  constructor(options: BullWorkQueueOptions) {
    this.#prefix = `{plumb:${options.cluster}}:queue`;
    this.#log = options.log;
    // Workers share this connection; each has one more that blocks.
    this.#client = new MotherConnection(options.connection);
    this.#client.setMaxListeners(100);
    this.#calls = new ServerCalls(this.#client, options.callTimeoutMs ?? 5000);
    this.#sweeper = new Sweeper(this.#client);
    this.#client.on('ready', () => {
      this.#askAgain();
      this.#retiring ??= removeRetiredQueues(this.#client, this.#prefix).catch((error: unknown) => {
        this.#retiring = undefined;
        this.#log.debug('queues of an earlier version could not be removed yet', { error: String(error) });
      });
    });
    this.#client.on('error', (error) => {
      this.#log.debug("the queues' connection to Redis failed", { error: error.message });
    });
  }

  get problem(): string | undefined {
    return this.#calls.problem;
  }

  /**
   * Throws RetryableError `QueueUnavailable` when Redis does not answer in time; the key may be added all the same, or
   * is added later.
   */
  async add(queue: QueueName, key: string, priority?: Priority): Promise<void> {
    await this.addMany(queue, [key], priority);
  }

  async addMany(queue: QueueName, keys: readonly string[], priority: Priority = 'fresh'): Promise<void> {
    if (keys.length === 0) return;
    const lane = this.#lane(queue);
    const { asked, resync, metrics } = lane;
    if (asked) {
      const at = performance.now();
      for (const key of keys) metrics.added(key, at);
    }
    if (priority === 'fresh' || !asked) {
      for (const key of keys) {
        asked?.add(key);
        resync.delete(key);
      }
      await this.#put(lane, keys);
      return;
    }
    // Those that were asked for already wait in the line, unless the server has lost them; then nobody else would ask
    // again, and the line would look long for ever.
    const again = keys.filter((key) => asked.has(key));
    for (const key of keys) if (!asked.has(key)) resync.add(key);
    this.#handOver(lane);
    if (again.length > 0) await this.#put(lane, again);
  }

  async addAfter(queue: QueueName, key: string, delayMs: number): Promise<void> {
    if (delayMs <= 0) {
      await this.add(queue, key);
      return;
    }
    const { delayed } = this.#lane(queue);
    await this.#calls.run(() => delayed.put(key, delayMs));
  }

  work(queue: QueueName, concurrency: number, handler: Handler): QueueWorker {
    const lane = this.#lane(queue);
    const asked = (lane.asked ??= new Set());
    lane.shortLine = concurrency;
    lane.workers += 1;
    const stopping = new AbortController();
    // Only a store that was emptied, or a lock lost to a long pause, can start a key twice; then the second waits here.
    const running = new Map<string, Promise<void>>();
    let closing: Promise<void> | undefined;
    const process = async (key: string): Promise<void> => {
      for (let earlier = running.get(key); earlier; earlier = running.get(key)) await earlier;
      // Fetched when the end began. Whoever ends because it lost the queue may not have heard why the key is asked for.
      if (closing) {
        await this.#later(queue, key, 0);
        return;
      }
      asked.delete(key);
      lane.metrics.began(key, performance.now());
      this.#handOver(lane);
      const pass = this.#pass(queue, key, handler, stopping.signal).finally(() => {
        running.delete(key);
        lane.metrics.ended(key, performance.now());
      });
      running.set(key, pass);
      await pass;
    };
    const worker = new Worker<JobData>(
      queue,
      async ({ data }) => {
        if (isKey(data)) await process(data.key);
        else this.#log.warn('a job that carries no key was dropped: somebody else writes to this Redis', { queue });
      },
      {
        connection: this.#client,
        prefix: this.#prefix,
        concurrency,
        autorun: false,
        removeOnComplete: { count: 0 },
        removeOnFail: { count: 0 },
        lockDuration: LOCK_MS,
        stalledInterval: STALLED_CHECK_MS,
        maxStalledCount: ANY_NUMBER_OF_CRASHES,
        drainDelay: IDLE_WAIT_SECONDS,
        runRetryDelay: RETRY_AFTER_CONNECTION_LOSS_MS,
      },
    );
    worker.on('error', (error) => {
      this.#goesOn(queue, error);
    });
    void this.#run(worker, lane);
    this.#sweeper.add(lane.delayed);
    const handle: QueueWorker = {
      close: (graceMs) =>
        (closing ??= this.#closeWorker(worker, running, stopping, graceMs ?? DEFAULT_GRACE_MS).finally(() => {
          this.#workers.delete(handle);
          lane.workers -= 1;
          if (lane.workers > 0) return;
          // What waits is for whoever works it next.
          this.#sweeper.leaveOut(lane.delayed);
          lane.asked = undefined;
          lane.resync.clear();
          lane.metrics.forgetWaiting();
        })),
    };
    this.#workers.add(handle);
    return handle;
  }

  stats(): ReadonlyMap<QueueName, QueueStats> {
    return new Map([...this.#lanes].map(([queue, { metrics }]) => [queue, metrics.stats(performance.now())]));
  }

  onFailure(listener: (failure: QueueFailure) => void): void {
    this.#listeners.push(listener);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    await Promise.all([...this.#workers].map((worker) => worker.close()));
    this.#closed = true;
    clearTimeout(this.#askingAgain);
    const lanes = [...this.#lanes.values()];
    await within(
      this.#closeTimeoutMs(),
      Promise.all([
        this.#retiring,
        this.#sweeper.close(),
        ...lanes.map(async ({ delayed, queue }) => {
          await delayed.close();
          await queue.close();
        }),
      ]),
    );
    this.#client.disconnect();
    for (const twin of this.#client.twins) twin.disconnect();
  }

  async #pass(queue: QueueName, key: string, handler: Handler, signal: AbortSignal): Promise<void> {
    const job = `${queue} ${key}`;
    try {
      const { requeueAfterMs } = await handler(key, signal);
      this.#streaks.succeeded(job);
      if (requeueAfterMs !== undefined) await this.#later(queue, key, requeueAfterMs);
    } catch (error) {
      if (signal.aborted) {
        // Unfinished, not failed: it waits for the next worker.
        await this.#later(queue, key, 0);
        return;
      }
      const { attempt, retryInMs } = this.#streaks.failed(job, error, Math.random());
      if (retryInMs !== undefined) {
        this.#lane(queue).metrics.failed();
        await this.#later(queue, key, retryInMs);
      }
      for (const listener of this.#listeners) listener({ queue, key, error, attempt, retryInMs });
    }
  }

  /** As addAfter; while Redis is away the timer of this process alone remembers it. */
  async #later(queue: QueueName, key: string, delayMs: number): Promise<void> {
    try {
      await this.addAfter(queue, key, delayMs);
    } catch (error) {
      this.#log.debug('a later pass is remembered by this process only', { queue, key, error: String(error) });
    }
  }

  async #put({ queue }: Lane, keys: readonly string[]): Promise<void> {
    try {
      await this.#calls.run(() => this.#enqueue(queue, keys));
    } catch (error) {
      this.#askAgainSoon();
      throw error;
    }
  }

  async #enqueue(queue: Queue<JobData>, keys: readonly string[]): Promise<void> {
    const jobs = [...new Set(keys)].map((key) => ({
      name: 'pass',
      data: { key },
      opts: { deduplication: { id: key, keepLastIfActive: true }, removeOnComplete: true, removeOnFail: true },
    }));
    const [first] = jobs;
    if (jobs.length === 1 && first) await queue.add(first.name, first.data, first.opts);
    else await queue.addBulk(jobs);
  }

  /** As many keys of no hurry as make a short line, in one round trip. */
  #handOver(lane: Lane): void {
    if (!lane.asked || lane.resync.size === 0 || lane.asked.size >= lane.shortLine) return;
    lane.handing ??= this.#handOverSome(lane, lane.asked).finally(() => {
      lane.handing = undefined;
      this.#handOver(lane);
    });
  }

  async #handOverSome(lane: Lane, asked: Set<string>): Promise<void> {
    const keys = [...lane.resync].slice(0, 2 * lane.shortLine);
    for (const key of keys) {
      lane.resync.delete(key);
      asked.add(key);
    }
    // Where it fails, they are among those that are asked for again.
    await this.#put(lane, keys).catch((error: unknown) => {
      this.#log.debug('keys of no hurry wait for the queue', { keys: keys.length, error: String(error) });
    });
  }

  /** What the server held may be gone: another one has taken its place, or it lost its last seconds. */
  #askAgain(): void {
    for (const [name, { queue, delayed, asked }] of this.#lanes) {
      const again = async (): Promise<void> => {
        if (asked && asked.size > 0) {
          await this.#enqueue(queue, [...asked]);
          this.#calls.answered();
        }
        await delayed.restore();
      };
      again().catch((error: unknown) => {
        this.#log.debug('what was asked for before the connection was lost is asked for again soon', {
          queue: name,
          error: String(error),
        });
        this.#askAgainSoon();
      });
    }
  }

  #askAgainSoon(): void {
    clearTimeout(this.#askingAgain);
    if (!this.#closed)
      this.#askingAgain = setTimeout(() => {
        this.#askAgain();
      }, ASK_AGAIN_MS);
  }

  #closeTimeoutMs(): number {
    return this.#client.status === 'ready' ? CLOSE_TIMEOUT_MS : CLOSE_TIMEOUT_AWAY_MS;
  }

  /** To the worker's end. Never rejects. */
  async #run(worker: Worker<JobData>, { queue, workers }: Lane): Promise<void> {
    const goesOn = (error: unknown): void => {
      this.#goesOn(queue.name, error);
    };
    // Not what a second worker of this process runs.
    if (workers === 1) await takeOverRunning(this.#client, queue).catch(goesOn);
    await worker.run().catch(goesOn);
  }

  #goesOn(queue: string, error: unknown): void {
    this.#log.debug('a queue worker met an error and goes on', { queue, error: errorText(error) });
  }

  async #closeWorker(
    worker: Worker,
    running: ReadonlyMap<string, Promise<void>>,
    stopping: AbortController,
    graceMs: number,
  ): Promise<void> {
    const timer = setTimeout(() => {
      stopping.abort(new Error('the worker is being closed'));
    }, graceMs);
    try {
      const closed = worker.close();
      closed.catch(() => undefined);
      await Promise.all(running.values());
      // With Redis away BullMQ waits for a connection that nobody needs any more.
      await within(this.#closeTimeoutMs(), closed);
    } finally {
      clearTimeout(timer);
    }
  }

  #lane(name: QueueName): Lane {
    if (this.#closed) throw new RetryableError('QueueUnavailable', 'the queues were closed');
    let lane = this.#lanes.get(name);
    if (!lane) {
      const queue = new Queue<JobData>(name, {
        connection: this.#client,
        prefix: this.#prefix,
        streams: { events: { maxLen: KEPT_QUEUE_EVENTS } },
      });
      queue.on('error', (error) => {
        this.#log.debug('a queue met an error and goes on', { queue: name, error: error.message });
      });
      lane = {
        queue,
        delayed: new DelayedKeys(this.#client, `${this.#prefix}:${name}:later`, (keys) => this.#enqueue(queue, keys)),
        asked: undefined,
        metrics: new QueueMetrics(),
        resync: new Set(),
        workers: 0,
        shortLine: 0,
        handing: undefined,
      };
      this.#lanes.set(name, lane);
    }
    return lane;
  }
}

/** Jobs come from Redis, where others may write too. */
function isKey(data: unknown): data is JobData {
  return (
    typeof data === 'object' &&
    data !== null &&
    'key' in data &&
    typeof data.key === 'string' &&
    data.key !== '' &&
    data.key.length <= LONGEST_KEY
  );
}
