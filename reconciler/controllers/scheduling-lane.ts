/** Runs the scheduler: one lane in the cluster, woken by what could place a pending pod, batching what comes together. */
import type { Kind } from '../../contracts/objects/index.ts';
import type { Clock } from '../ports/clock.ts';
import type { Ids } from '../ports/ids.ts';
import type { Log } from '../ports/log.ts';
import type { QueueWorker, WorkQueue } from '../ports/work-queue.ts';
import type { StoreCache } from './runtime/cache.ts';
import type { StepExecutor } from './runtime/executor.ts';
import { schedulePending, SCHEDULER_NAME, SCHEDULING_KINDS } from './scheduler.ts';

export interface SchedulingLaneOptions {
  readonly queue: WorkQueue;
  readonly cache: StoreCache;
  readonly executor: StepExecutor;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
}

const KEY = 'pending';

export class SchedulingLane {
  readonly #options: SchedulingLaneOptions;
  readonly #kinds: ReadonlySet<Kind> = new Set(SCHEDULING_KINDS);
  #asked = false;
  #worker: QueueWorker | undefined;
  #unsubscribe: (() => void) | undefined;

  constructor(options: SchedulingLaneOptions) {
    this.#options = options;
  }

  /** Call once, with a synced cache. */
  start(): void {
    const { cache, queue } = this.#options;
    this.#unsubscribe = cache.subscribe((_type, object) => {
      if (this.#kinds.has(object.kind)) this.#ask();
    });
    this.#worker = queue.work('scheduling', 1, (_key, signal) => this.#pass(signal));
    this.#ask();
  }

  async close(graceMs?: number): Promise<void> {
    this.#unsubscribe?.();
    await this.#worker?.close(graceMs);
  }

  /** All changes of one turn of the event loop make one pass; without a pending pod there is none. */
  #ask(): void {
    if (this.#asked || this.#options.cache.pendingPods().length === 0) return;
    this.#asked = true;
    setImmediate(() => {
      this.#asked = false;
      this.#options.queue.add('scheduling', KEY).catch((error: unknown) => {
        this.#options.log.warn('could not ask for scheduling', { error: error instanceof Error ? error.message : String(error) });
      });
    });
  }

  async #pass(signal: AbortSignal): Promise<{ requeueAfterMs?: number }> {
    const { cache, executor, clock, ids } = this.#options;
    const decision = schedulePending({ view: cache, now: clock.now(), signal, ids });
    await executor.execute(decision.steps, SCHEDULER_NAME, signal);
    return decision.requeueAfterMs === undefined ? {} : { requeueAfterMs: decision.requeueAfterMs };
  }
}
