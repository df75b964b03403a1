/**
 * Feeds controllers their keys, runs their passes, and does what they decide. Each controller has a queue of its own: a
 * slow one holds up no other.
 */
import { errorText } from '../../../contracts/errors.ts';
import {
  isCustomKey,
  isObjectKey,
  keyOf,
  type AnyKey,
  type AnyStored,
  type Kind,
  type Stored,
} from '../../../contracts/objects/index.ts';
import { type ErrorCode, PlumbError } from '../../core/errors.ts';
import { objectAt } from '../../core/kinds/custom.ts';
import { hashOf } from '../../core/leases/shards.ts';
import type { QueueStats } from '../../core/storage/queue-metrics.ts';
import type { AnyDecision, Step } from '../../core/step.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Ids } from '../../ports/ids.ts';
import type { Log } from '../../ports/log.ts';
import type { ChangeEvent } from '../../ports/object-store.ts';
import type { JobResult, Priority, QueueName, QueueWorker, WorkQueue } from '../../ports/work-queue.ts';
import type { StoreCache } from './cache.ts';
import { kindsOf, type Controller, type PassContext } from './controller.ts';
import { Dispatch, type Lane } from './dispatch.ts';
import type { EventRecorder } from './event-recorder.ts';
import { OwnWrites } from './own-writes.ts';
import { AdmissionRefusal, Writer } from './writer.ts';
import { Rests } from './rests.ts';
import { inSlices, turns } from './slices.ts';

export interface ControllerManagerOptions {
  readonly queue: WorkQueue;
  readonly cache: StoreCache;
  readonly recorder: EventRecorder;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly controllers: readonly Controller[];
  /** Passes of one controller at once. Default 8. */
  readonly concurrency?: number;
  /** How often every object is looked at though nothing changed, in ms. Default 5 minutes. */
  readonly resyncMs?: number;
}

export interface ManagerStats {
  /** Passes that ended, failed ones included. */
  readonly passes: number;
  readonly failures: number;
  /** Steps done, by verb. */
  readonly steps: Readonly<Record<Step['do'], number>>;
  /** Changes of the cache that were mapped to keys. */
  readonly changes: number;
  /** Keys handed to the queues. */
  readonly enqueued: number;
  readonly running: number;
  /** By controller. */
  readonly queues: ReadonlyMap<string, QueueStats>;
}

interface QueueLane extends Lane {
  readonly queue: QueueName;
  /** Keys not yet in the queue. */
  readonly asked: Map<AnyKey, Priority>;
  readonly rests: Rests;
}

/** The queue that a controller works. */
export function queueOf({ name }: Controller): QueueName {
  return `controllers.${name}`;
}

function faultOf({ name }: Controller, key: AnyKey): string {
  return `${name} ${key}`;
}

/** Errors that say nothing about the object: the store or queue was away, or somebody else wrote first. */
const NOT_ABOUT_THE_OBJECT: ReadonlySet<string> = new Set<ErrorCode>([
  'StoreLost',
  'StoreTampered',
  'StoreUnavailable',
  'LeaseLost',
  'QueueUnavailable',
  'WriteConflict',
]);
const DEFAULT_CONCURRENCY = 8;
const DEFAULT_RESYNC_MS = 300_000;
/** A resync goes round in this many portions, so that it is never a burst. */
const RESYNC_PORTIONS = 20;
const ENQUEUE_AGAIN_MS = 250;

export class ControllerManager {
  readonly #queue: WorkQueue;
  readonly #cache: StoreCache;
  readonly #recorder: EventRecorder;
  readonly #writer: Writer;
  readonly #clock: Clock;
  readonly #ids: Ids;
  readonly #log: Log;
  readonly #lanes: readonly QueueLane[];
  readonly #dispatch: Dispatch<QueueLane>;
  readonly #concurrency: number;
  readonly #resyncMs: number;
  readonly #stopping = new AbortController();
  /** What is wrong with a controller's pass over an object now: told again only when it changes. */
  readonly #faults = new Map<string, string>();
  readonly #stats = {
    passes: 0,
    failures: 0,
    changes: 0,
    enqueued: 0,
    running: 0,
    steps: { create: 0, update: 0, updateStatus: 0, delete: 0, event: 0 } as Record<Step['do'], number>,
  };
  #flushing: Promise<void> | undefined;
  #resyncing: Promise<void> | undefined;
  #workers: readonly QueueWorker[] = [];
  #unsubscribe: readonly (() => void)[] = [];

  constructor(options: ControllerManagerOptions) {
    this.#queue = options.queue;
    this.#cache = options.cache;
    this.#recorder = options.recorder;
    this.#clock = options.clock;
    this.#ids = options.ids;
    this.#log = options.log;
    this.#concurrency = options.concurrency ?? DEFAULT_CONCURRENCY;
    this.#resyncMs = options.resyncMs ?? DEFAULT_RESYNC_MS;
    this.#writer = new Writer({ cache: options.cache, recorder: options.recorder, clock: options.clock });
    this.#lanes = options.controllers.map((controller) => {
      const ask = (key: AnyKey, priority: Priority): void => {
        this.#enqueue(lane, [key], priority);
      };
      const lane: QueueLane = {
        controller,
        queue: queueOf(controller),
        asked: new Map(),
        ownWrites: new OwnWrites(),
        rests: new Rests({ clock: options.clock, signal: this.#stopping.signal, ask }),
      };
      return lane;
    });
    this.#dispatch = new Dispatch({
      lanes: this.#lanes,
      view: this.#cache,
      ask: (lane, keys) => {
        this.#enqueue(lane, keys, 'fresh');
      },
      failed: ({ controller }, { kind, metadata: { name } }, error) => {
        this.#log.error('a controller failed at a change, and may miss it', {
          controller: controller.name,
          kind,
          name,
          error: String(error),
        });
      },
    });
  }

  /** Begins with all that has work among the objects of the cache, which should be synced. Call once. */
  start(): void {
    this.#unsubscribe = [
      this.#cache.subscribe((type, object, previous) => {
        this.#changed(type, object);
        this.#dispatch.changed(type, object, previous);
      }),
      this.#cache.subscribeCustom((type, object, previous) => {
        this.#changed(type, object);
        this.#dispatch.customChanged(type, object, previous);
      }),
    ];
    this.#workers = [...new Set(this.#lanes.map(({ queue }) => queue))].map((queue) =>
      this.#queue.work(queue, this.#concurrency, async (key, signal) => {
        if (!isObjectKey(key) && !isCustomKey(key)) return {};
        const lane = this.#dispatch.of(key).find((one) => one.queue === queue);
        return lane ? this.#pass(lane, key, signal) : {};
      }),
    );
    this.#resyncing = this.#resyncLoop();
  }

  /** Stops taking keys and waits for the running passes; their signal is aborted after `graceMs`. */
  async close(graceMs?: number): Promise<void> {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#stopping.abort(new Error('the controllers are being closed'));
    await Promise.all(this.#workers.map((worker) => worker.close(graceMs)));
    await this.#flushing;
    await this.#resyncing;
  }

  stats(): ManagerStats {
    const all = this.#queue.stats();
    const queues = this.#lanes.flatMap(({ controller, queue }) => {
      const stats = all.get(queue);
      return stats ? [[controller.name, stats] as const] : [];
    });
    return { ...this.#stats, steps: { ...this.#stats.steps }, queues: new Map(queues) };
  }

  #changed(type: ChangeEvent['type'], object: AnyStored): void {
    this.#stats.changes += 1;
    if (type !== 'delete') return;
    const key = keyOf(object);
    for (const { controller } of this.#dispatch.of(key)) this.#faults.delete(faultOf(controller, key));
  }

  /** Asks for a pass over each object that has work in it; of those that are `meant`. Objects that come meanwhile ask. */
  async #resync(meant: (object: AnyStored) => boolean, signal: AbortSignal): Promise<void> {
    const over = async <S extends AnyStored>(
      objects: readonly S[],
      lane: QueueLane,
      concerns: (object: S) => boolean,
    ): Promise<void> => {
      for (const object of objects) {
        if (turns.isOver) {
          await turns.next();
          signal.throwIfAborted();
        }
        if (meant(object) && concerns(object)) this.#enqueue(lane, [keyOf(object)], 'resync');
      }
    };
    for (const lane of this.#lanes) {
      for (const kind of kindsOf(lane.controller))
        await over<Stored>(this.#cache.list<Kind>(kind), lane, (object) =>
          this.#dispatch.concerns(lane, object, undefined),
        );
      if (lane.controller.custom)
        await over(this.#cache.custom.list(), lane, (object) => this.#dispatch.customConcerns(lane, object, undefined));
    }
  }

  /** Collects keys until the event loop's turn ends, then adds them in one round trip for each controller. */
  #enqueue({ asked, rests }: QueueLane, keys: readonly AnyKey[], priority: Priority): void {
    for (const key of keys) if (asked.get(key) !== 'fresh' && !rests.defers(key, priority)) asked.set(key, priority);
    if (asked.size > 0) this.#flushing ??= this.#flush();
  }

  async #flush(): Promise<void> {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    while (this.#lanes.some(({ asked }) => asked.size > 0)) {
      const done = await Promise.all(this.#lanes.map((lane) => this.#handOver(lane)));
      if (this.#stopping.signal.aborted) break;
      if (done.includes(false)) await this.#clock.sleep(ENQUEUE_AGAIN_MS, this.#stopping.signal).catch(() => undefined);
    }
    // In the same turn as the last look at what is asked: a key that comes now begins another flush.
    this.#flushing = undefined;
  }

  /** False where the queue took not everything; it is still asked then. */
  async #handOver({ asked, queue }: QueueLane): Promise<boolean> {
    const taken = [...asked];
    asked.clear();
    try {
      for (const priority of ['fresh', 'resync'] as const) {
        const keys = taken.filter(([, wanted]) => wanted === priority).map(([key]) => key);
        if (keys.length > 0) await this.#queue.addMany(queue, keys, priority);
        this.#stats.enqueued += keys.length;
      }
      return true;
    } catch (error) {
      if (this.#stopping.signal.aborted) return false;
      this.#log.debug('changes wait for the queue', { queue, keys: taken.length, error: String(error) });
      for (const [key, priority] of taken) if (asked.get(key) !== 'fresh') asked.set(key, priority);
      return false;
    }
  }

  async #pass(lane: QueueLane, key: AnyKey, signal: AbortSignal): Promise<JobResult> {
    const { controller } = lane;
    this.#stats.running += 1;
    try {
      const requeueAfterMs = await this.#run(lane, key, signal);
      this.#recovered(controller, key);
      return requeueAfterMs === undefined ? {} : { requeueAfterMs };
    } catch (error) {
      signal.throwIfAborted();
      this.#failed(controller, key, error);
      throw error;
    } finally {
      this.#stats.running -= 1;
      this.#stats.passes += 1;
    }
  }

  async #run(lane: QueueLane, key: AnyKey, signal: AbortSignal): Promise<number | undefined> {
    // The queue's server answers many at once.
    if (turns.isOver) await turns.next();
    signal.throwIfAborted();
    const { controller } = lane;
    const context: PassContext = {
      view: this.#cache,
      now: this.#clock.now(),
      monotonic: this.#clock.monotonic(),
      signal,
      ids: this.#ids,
    };
    const decided = isCustomKey(key) ? controller.custom?.decide(key, context) : controller.decide(key, context);
    lane.rests.took(key, this.#clock.monotonic() - context.monotonic);
    if (!decided) return undefined;
    const decision = 'steps' in decided ? decided : await inSlices(decided, signal);
    try {
      await this.#carryOut(lane, key, decision.steps, signal);
      return decision.requeueAfterMs;
    } catch (error) {
      if (!(error instanceof AdmissionRefusal) || isCustomKey(key) || !controller.refused) throw error;
      const told = controller.refused(key, error.problems, context);
      await this.#carryOut(lane, key, told.steps, signal);
      return told.requeueAfterMs;
    }
  }

  async #carryOut(
    { controller, ownWrites }: QueueLane,
    key: AnyKey,
    steps: AnyDecision['steps'],
    signal: AbortSignal,
  ): Promise<void> {
    if (steps.length === 0) return;
    const own = isCustomKey(key) ? undefined : ownWrites.expect(key, steps);
    try {
      await this.#writer.submit(steps, controller.name, signal);
    } finally {
      own?.over();
    }
    for (const step of steps) this.#stats.steps[step.do] += 1;
    this.#log.debug('pass', { controller: controller.name, key, steps: steps.map((step) => step.do) });
  }

  #failed(controller: Controller, key: AnyKey, error: unknown): void {
    this.#stats.failures += 1;
    const code = error instanceof PlumbError ? error.code : 'InternalError';
    const message = errorText(error);
    if (NOT_ABOUT_THE_OBJECT.has(code)) {
      this.#log.debug('a pass is repeated', { controller: controller.name, key, code, error: message });
      return;
    }
    const fault = faultOf(controller, key);
    if (this.#faults.get(fault) === message) return;
    this.#faults.set(fault, message);
    const stack = error instanceof PlumbError || !(error instanceof Error) ? undefined : error.stack;
    this.#log.warn('a pass failed', {
      controller: controller.name,
      key,
      code,
      error: message,
      ...(stack !== undefined && { stack }),
    });
    const regarding = objectAt(this.#cache, key);
    if (regarding)
      this.#recorder.record({
        regarding,
        type: 'Warning',
        ...(error instanceof AdmissionRefusal && error.isOfNew
          ? { reason: 'FailedCreate', message: `Error creating: ${message}` }
          : { reason: 'ReconcileError', message: `${code}: ${message}` }),
        component: controller.name,
      });
  }

  #recovered(controller: Controller, key: AnyKey): void {
    if (this.#faults.delete(faultOf(controller, key)))
      this.#log.info('a pass that failed works again', { controller: controller.name, key });
  }

  async #resyncLoop(): Promise<void> {
    const { signal } = this.#stopping;
    try {
      await this.#resync(() => true, signal);
      for (let portion = 0; !signal.aborted; portion = (portion + 1) % RESYNC_PORTIONS) {
        await this.#clock.sleep(this.#resyncMs / RESYNC_PORTIONS, signal);
        await this.#resync(({ metadata }) => hashOf(metadata.name) % RESYNC_PORTIONS === portion, signal);
      }
    } catch (error) {
      if (!signal.aborted) this.#log.error('the resync ended', { error: String(error) });
    }
  }
}
