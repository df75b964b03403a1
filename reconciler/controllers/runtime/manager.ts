/** Feeds controllers their keys, runs their passes, and does what they decide. */
import { errorText } from '../../../contracts/errors.ts';
import {
  isObjectKey,
  ALL_KINDS,
  parseKey,
  type Kind,
  type ObjectKey,
  type Stored,
} from '../../../contracts/objects/index.ts';
import { type ErrorCode, PlumbError } from '../../core/errors.ts';
import type { Step } from '../../core/step.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Ids } from '../../ports/ids.ts';
import type { Log } from '../../ports/log.ts';
import type { ChangeEvent } from '../../ports/object-store.ts';
import type { JobResult, QueueWorker, WorkQueue } from '../../ports/work-queue.ts';
import type { StoreCache } from './cache.ts';
import type { Controller } from './controller.ts';
import type { EventRecorder } from './event-recorder.ts';
import { Writer } from './writer.ts';
import { inSlices } from './slices.ts';

export interface ControllerManagerOptions {
  readonly queue: WorkQueue;
  readonly cache: StoreCache;
  readonly recorder: EventRecorder;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  /** Controllers of one kind are run in this order within a pass. */
  readonly controllers: readonly Controller[];
  /** Passes at once. Default 8. */
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
  /** Keys handed to the queue. */
  readonly enqueued: number;
  readonly running: number;
}

/** Errors that say nothing about the object: the store or queue was away, or somebody else wrote first. */
const NOT_ABOUT_THE_OBJECT: ReadonlySet<string> = new Set<ErrorCode>([
  'StoreLost',
  'StoreTampered',
  'StoreUnavailable',
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
  readonly #byKind: ReadonlyMap<Kind, readonly Controller[]>;
  readonly #watchers: ReadonlyMap<Kind, readonly Controller[]>;
  readonly #concurrency: number;
  readonly #resyncMs: number;
  readonly #stopping = new AbortController();
  readonly #dirty = new Set<ObjectKey>();
  /** What is wrong with a controller's pass over a key now: told again only when it changes. */
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
  #worker: QueueWorker | undefined;
  #unsubscribe: (() => void) | undefined;

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
    this.#byKind = new Map(
      ALL_KINDS.map((kind) => [kind, options.controllers.filter((controller) => controller.kind === kind)]),
    );
    this.#watchers = new Map(
      ALL_KINDS.map((kind) => [
        kind,
        options.controllers.filter((controller) => controller.watches[kind] !== undefined),
      ]),
    );
  }

  /** Begins with every object of the cache, which should be synced. Call once. */
  start(): void {
    this.#unsubscribe = this.#cache.subscribe((type, object, previous) => {
      this.#onChange(type, object, previous);
    });
    this.#enqueue(this.#cache.keys());
    this.#worker = this.#queue.work('controllers', this.#concurrency, async (key, signal) =>
      isObjectKey(key) ? this.#pass(key, signal) : {},
    );
    this.#resyncing = this.#resyncLoop();
  }

  /** Stops taking keys and waits for the running passes; their signal is aborted after `graceMs`. */
  async close(graceMs?: number): Promise<void> {
    this.#unsubscribe?.();
    this.#stopping.abort(new Error('the controllers are being closed'));
    await this.#worker?.close(graceMs);
    await this.#flushing;
    await this.#resyncing;
  }

  stats(): ManagerStats {
    return { ...this.#stats, steps: { ...this.#stats.steps } };
  }

  #onChange(type: ChangeEvent['type'], object: Stored, previous: Stored | undefined): void {
    this.#stats.changes += 1;
    const keys: ObjectKey[] = [`${object.kind}/${object.metadata.namespace ?? ''}/${object.metadata.name}`];
    for (const controller of this.#watchers.get(object.kind) ?? []) {
      keys.push(...this.#mapChange(controller, object, type));
      // What the object concerned before (an old label, an old owner) has to hear of the change too.
      if (previous && type === 'put') keys.push(...this.#mapChange(controller, previous, type));
    }
    this.#enqueue(keys);
  }

  /** Keys of the controller's kind that a change to `object` concerns. */
  #mapChange(controller: Controller, object: Stored, type: ChangeEvent['type']): readonly ObjectKey[] {
    // The table is keyed by the object's own kind, which the compiler cannot follow through the union.
    const map = controller.watches[object.kind] as
      ((object: Stored, view: StoreCache, event: ChangeEvent['type']) => readonly ObjectKey[]) | undefined;
    try {
      return map?.(object, this.#cache, type) ?? [];
    } catch (error) {
      this.#log.error('a watch function failed: its controller may miss this change', {
        controller: controller.name,
        kind: object.kind,
        name: object.metadata.name,
        error: String(error),
      });
      return [];
    }
  }

  /** Collects keys until the event loop's turn ends, then adds them in one round trip. */
  #enqueue(keys: readonly ObjectKey[]): void {
    for (const key of keys) {
      if ((this.#byKind.get(parseKey(key).kind)?.length ?? 0) > 0) this.#dirty.add(key);
    }
    if (this.#dirty.size > 0) this.#flushing ??= this.#flush();
  }

  async #flush(): Promise<void> {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    while (this.#dirty.size > 0) {
      const keys = [...this.#dirty];
      this.#dirty.clear();
      try {
        await this.#queue.addMany('controllers', keys);
        this.#stats.enqueued += keys.length;
      } catch (error) {
        if (this.#stopping.signal.aborted) break;
        this.#log.debug('changes wait for the queue', { keys: keys.length, error: String(error) });
        for (const key of keys) this.#dirty.add(key);
        await this.#clock.sleep(ENQUEUE_AGAIN_MS, this.#stopping.signal).catch(() => undefined);
      }
    }
    // In the same turn as the last look at #dirty: a key that comes now begins another flush.
    this.#flushing = undefined;
  }

  async #pass(key: ObjectKey, signal: AbortSignal): Promise<JobResult> {
    this.#stats.running += 1;
    const errors: unknown[] = [];
    let requeueAfterMs: number | undefined;
    try {
      for (const controller of this.#byKind.get(parseKey(key).kind) ?? []) {
        try {
          const wanted = await this.#run(controller, key, signal);
          if (wanted !== undefined) requeueAfterMs = Math.min(requeueAfterMs ?? wanted, wanted);
          this.#recovered(controller, key);
        } catch (error) {
          signal.throwIfAborted();
          errors.push(error);
          this.#failed(controller, key, error);
        }
      }
    } finally {
      this.#stats.running -= 1;
      this.#stats.passes += 1;
    }
    // One controller's fault does not keep the others of this kind from their pass; the queue's back-off repeats them
    // all.
    if (errors.length > 0) throw mostUrgent(errors);
    return requeueAfterMs === undefined ? {} : { requeueAfterMs };
  }

  async #run(controller: Controller, key: ObjectKey, signal: AbortSignal): Promise<number | undefined> {
    signal.throwIfAborted();
    const decided = controller.decide(key, {
      view: this.#cache,
      now: this.#clock.now(),
      monotonic: this.#clock.monotonic(),
      signal,
      ids: this.#ids,
    });
    const decision = 'steps' in decided ? decided : await inSlices(decided, signal);
    if (decision.steps.length > 0) {
      await this.#writer.submit(decision.steps, controller.name, signal);
      for (const step of decision.steps) this.#stats.steps[step.do] += 1;
      this.#log.debug('pass', { controller: controller.name, key, steps: decision.steps.map((step) => step.do) });
    }
    return decision.requeueAfterMs;
  }

  #failed(controller: Controller, key: ObjectKey, error: unknown): void {
    this.#stats.failures += 1;
    const code = error instanceof PlumbError ? error.code : 'InternalError';
    const message = errorText(error);
    if (NOT_ABOUT_THE_OBJECT.has(code)) {
      this.#log.debug('a pass is repeated', { controller: controller.name, key, code, error: message });
      return;
    }
    const fault = `${controller.name} ${key}`;
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
    const regarding = this.#cache.get(key);
    if (regarding)
      this.#recorder.record({
        regarding,
        type: 'Warning',
        reason: 'ReconcileError',
        message: `${code}: ${message}`,
        component: controller.name,
      });
  }

  #recovered(controller: Controller, key: ObjectKey): void {
    if (this.#faults.delete(`${controller.name} ${key}`))
      this.#log.info('a pass that failed works again', { controller: controller.name, key });
  }

  async #resyncLoop(): Promise<void> {
    const { signal } = this.#stopping;
    try {
      for (let portion = 0; !signal.aborted; portion = (portion + 1) % RESYNC_PORTIONS) {
        await this.#clock.sleep(this.#resyncMs / RESYNC_PORTIONS, signal);
        this.#enqueue(this.#cache.keys().filter((key) => portionOf(key) === portion));
      }
    } catch (error) {
      if (!signal.aborted) this.#log.error('the resync ended', { error: String(error) });
    }
  }
}

/** What is worth trying again decides over what is not. */
function mostUrgent(errors: readonly unknown[]): unknown {
  return (
    errors.find((error) => !(error instanceof PlumbError) || error.retry === 'backoff') ??
    errors.find((error) => error instanceof PlumbError && error.retry === 'after') ??
    errors[0]
  );
}

/** A stable spread of keys over the portions (FNV-1a). */
function portionOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < key.length; index += 1) hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193);
  return (hash >>> 0) % RESYNC_PORTIONS;
}
