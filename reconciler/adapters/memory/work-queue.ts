/** The `WorkQueue` within one process. */
import { LONGEST_TIMER_MS } from '../../../contracts/timers.ts';
import { FailureStreaks } from '../../core/storage/retry.ts';
import { QueueMetrics, type QueueStats } from '../../core/storage/queue-metrics.ts';
import type { JobResult, Priority, QueueFailure, QueueName, QueueWorker, WorkQueue } from '../../ports/work-queue.ts';

type Handler = (key: string, signal: AbortSignal) => Promise<JobResult>;

const DEFAULT_GRACE_MS = 10_000;

export class MemoryWorkQueue implements WorkQueue {
  readonly problem = undefined;
  readonly #lanes = new Map<QueueName, Lane>();
  readonly #listeners: ((failure: QueueFailure) => void)[] = [];
  readonly #workers = new Set<QueueWorker>();

  async add(queue: QueueName, key: string, priority?: Priority): Promise<void> {
    this.#lane(queue).add([key], priority);
  }

  async addMany(queue: QueueName, keys: readonly string[], priority?: Priority): Promise<void> {
    this.#lane(queue).add(keys, priority);
  }

  async addAfter(queue: QueueName, key: string, delayMs: number): Promise<void> {
    this.#lane(queue).addAfter(key, delayMs);
  }

  work(queue: QueueName, concurrency: number, handler: Handler): QueueWorker {
    const stop = this.#lane(queue).work(concurrency, handler);
    const worker: QueueWorker = {
      close: async (graceMs) => {
        this.#workers.delete(worker);
        await stop(graceMs ?? DEFAULT_GRACE_MS);
      },
    };
    this.#workers.add(worker);
    return worker;
  }

  onFailure(listener: (failure: QueueFailure) => void): void {
    this.#listeners.push(listener);
  }

  stats(): ReadonlyMap<QueueName, QueueStats> {
    return new Map([...this.#lanes].map(([queue, lane]) => [queue, lane.metrics.stats(performance.now())]));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#workers].map((worker) => worker.close()));
    for (const lane of this.#lanes.values()) lane.clear();
  }

  /** Forgets every waiting and delayed job, as FLUSHALL does. */
  flush(): void {
    for (const lane of this.#lanes.values()) lane.clear();
  }

  #lane(queue: QueueName): Lane {
    let lane = this.#lanes.get(queue);
    if (!lane) {
      lane = new Lane((failure) => {
        for (const listener of this.#listeners) listener({ queue, ...failure });
      });
      this.#lanes.set(queue, lane);
    }
    return lane;
  }
}

interface Crew {
  readonly concurrency: number;
  readonly handler: Handler;
  readonly stopping: AbortController;
  readonly jobs: Set<Promise<void>>;
  closing: boolean;
}

class Lane {
  readonly metrics = new QueueMetrics();
  readonly #waiting = new Set<string>();
  /** Keys that wait behind those. */
  readonly #resync = new Set<string>();
  readonly #running = new Set<string>();
  readonly #delayed = new Map<string, { readonly due: number; readonly timer: NodeJS.Timeout }>();
  readonly #streaks = new FailureStreaks();
  readonly #crews = new Set<Crew>();
  readonly #report: (failure: Omit<QueueFailure, 'queue'>) => void;

  constructor(report: (failure: Omit<QueueFailure, 'queue'>) => void) {
    this.#report = report;
  }

  add(keys: readonly string[], priority: Priority = 'fresh'): void {
    for (const key of keys) {
      if (this.#crews.size > 0) this.metrics.added(key, performance.now());
      if (priority === 'fresh') {
        this.#waiting.add(key);
        this.#resync.delete(key);
      } else if (!this.#waiting.has(key)) {
        this.#resync.add(key);
      }
    }
    this.#dispatch();
  }

  addAfter(key: string, delayMs: number): void {
    const due = performance.now() + delayMs;
    const pending = this.#delayed.get(key);
    if (pending && pending.due <= due) return;
    clearTimeout(pending?.timer);
    this.#arm(key, due);
  }

  /** A wait that is longer than a timer's is several timers. */
  #arm(key: string, due: number): void {
    const rings = (): void => {
      if (due > performance.now()) {
        this.#arm(key, due);
        return;
      }
      this.#delayed.delete(key);
      this.add([key]);
    };
    this.#delayed.set(key, { due, timer: setTimeout(rings, Math.min(due - performance.now(), LONGEST_TIMER_MS)) });
  }

  work(concurrency: number, handler: Handler): (graceMs: number) => Promise<void> {
    const crew: Crew = { concurrency, handler, stopping: new AbortController(), jobs: new Set(), closing: false };
    this.#crews.add(crew);
    this.#dispatch();
    return async (graceMs) => {
      crew.closing = true;
      const timer = setTimeout(() => {
        crew.stopping.abort(new Error('the worker is being closed'));
      }, graceMs);
      await Promise.all(crew.jobs);
      clearTimeout(timer);
      this.#crews.delete(crew);
      if (this.#crews.size === 0) this.metrics.forgetWaiting();
    };
  }

  clear(): void {
    this.#waiting.clear();
    this.#resync.clear();
    this.metrics.forgetWaiting();
    for (const { timer } of this.#delayed.values()) clearTimeout(timer);
    this.#delayed.clear();
  }

  #dispatch(): void {
    for (const crew of this.#crews) {
      for (const key of [...this.#waiting, ...this.#resync]) {
        if (crew.closing || crew.jobs.size >= crew.concurrency) break;
        if (this.#running.has(key)) continue;
        this.#waiting.delete(key);
        this.#resync.delete(key);
        this.#running.add(key);
        const job = this.#run(crew, key).finally(() => {
          this.#running.delete(key);
          crew.jobs.delete(job);
          this.#dispatch();
        });
        crew.jobs.add(job);
      }
    }
  }

  async #run(crew: Crew, key: string): Promise<void> {
    this.metrics.began(key, performance.now());
    try {
      const { requeueAfterMs } = await crew.handler(key, crew.stopping.signal);
      this.#streaks.succeeded(key);
      if (requeueAfterMs !== undefined) this.addAfter(key, requeueAfterMs);
    } catch (error) {
      if (crew.stopping.signal.aborted) {
        this.#waiting.add(key);
        return;
      }
      const { attempt, retryInMs } = this.#streaks.failed(key, error, Math.random());
      if (retryInMs !== undefined) {
        this.metrics.failed();
        this.addAfter(key, retryInMs);
      }
      this.#report({ key, error, attempt, retryInMs });
    } finally {
      this.metrics.ended(key, performance.now());
    }
  }
}
