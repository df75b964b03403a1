/** A store, a cache, a recorder and a queue in memory, wired as in production. */
import assert from 'node:assert/strict';
import { MemoryObjectStore, MemoryState } from '../../../reconciler/adapters/memory/object-store.ts';
import { MemoryWorkQueue } from '../../../reconciler/adapters/memory/work-queue.ts';
import { SystemClock } from '../../../reconciler/adapters/system/clock.ts';
import { CryptoIds } from '../../../reconciler/adapters/system/ids.ts';
import { StoreCache } from '../../../reconciler/controllers/runtime/cache.ts';
import type { Controller } from '../../../reconciler/controllers/runtime/controller.ts';
import { EventRecorder } from '../../../reconciler/controllers/runtime/event-recorder.ts';
import { Writer } from '../../../reconciler/controllers/runtime/writer.ts';
import { ControllerManager } from '../../../reconciler/controllers/runtime/manager.ts';
import type { Clock } from '../../../reconciler/ports/clock.ts';
import type { WriteOp } from '../../../reconciler/ports/object-store.ts';
import type { Log, LogFields } from '../../../reconciler/ports/log.ts';
import type { KindRegistry, ObjectKey, Stored, StoredAt } from '../../../contracts/objects/index.ts';
import { whenOver } from '../../support/patience.ts';

export class MemoryLog implements Log {
  readonly lines: { readonly level: string; readonly message: string; readonly fields: LogFields | undefined }[] = [];
  debug(): void {
    /* too much to keep */
  }
  info(message: string, fields?: LogFields): void {
    this.lines.push({ level: 'info', message, fields });
  }
  warn(message: string, fields?: LogFields): void {
    this.lines.push({ level: 'warn', message, fields });
  }
  error(message: string, fields?: LogFields): void {
    this.lines.push({ level: 'error', message, fields });
  }
}

export interface World {
  readonly state: MemoryState;
  /** Another control plane's store over the same state. */
  readonly other: MemoryObjectStore;
  readonly store: MemoryObjectStore;
  readonly cache: StoreCache;
  readonly recorder: EventRecorder;
  readonly writer: Writer;
  readonly queue: MemoryWorkQueue;
  readonly log: MemoryLog;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Settles when the cache's run does. */
  readonly running: Promise<void>;
  manager(
    controllers: readonly Controller[],
    options?: { readonly resyncMs?: number; readonly concurrency?: number },
  ): ControllerManager;
  /** Writes what `make` makes of an object, also where somebody else writes it meanwhile, as whoever tells its status does. */
  change<Key extends ObjectKey>(key: Key, make: (before: StoredAt<Key>) => Stored): Promise<void>;
  /** Resolves when `look` holds after a change of the cache; rejects after 10 s, or as many as are given. */
  until(look: () => boolean, what: string, seconds?: number): Promise<void>;
  close(): Promise<void>;
}

export async function world(
  options: {
    readonly streamBytes?: number;
    readonly synced?: boolean;
    readonly clock?: Clock;
    readonly kinds?: KindRegistry;
  } = {},
): Promise<World> {
  const clock = options.clock ?? new SystemClock();
  const log = new MemoryLog();
  const state = new MemoryState();
  const connect = (): MemoryObjectStore =>
    new MemoryObjectStore({
      clock,
      ids: new CryptoIds(),
      state,
      ...(options.streamBytes !== undefined && { streamBytes: options.streamBytes }),
    });
  const store = connect();
  const other = connect();
  const stop = new AbortController();
  await store.open(stop.signal);
  await other.open(stop.signal);
  const cache = new StoreCache({ store, clock, log, ...(options.kinds && { kinds: options.kinds }) });
  const recorder = new EventRecorder({ cache, clock, log });
  const queue = new MemoryWorkQueue();
  const running = options.synced === false ? Promise.resolve() : cache.run(stop.signal);
  running.catch(() => undefined);
  if (options.synced !== false) await cache.waitSynced(stop.signal);
  const managers: ControllerManager[] = [];
  return {
    state,
    other,
    store,
    cache,
    recorder,
    queue,
    log,
    clock,
    running,
    writer: new Writer({ cache, recorder, clock }),
    signal: stop.signal,
    manager: (controllers, more) => {
      const manager = new ControllerManager({
        queue,
        cache,
        recorder,
        clock,
        ids: new CryptoIds(),
        log,
        controllers,
        ...more,
      });
      managers.push(manager);
      return manager;
    },
    change: async (key, make) => {
      for (;;) {
        const before = cache.get(key);
        assert.ok(before, `${key} is not there`);
        const [result] = await cache.write([{ op: 'update', object: make(before) }]);
        if (result?.ok) return;
        assert.equal(result?.reason, 'Conflict', result?.message);
      }
    },
    until: (look, what, seconds = 10) => until(cache, look, what, seconds),
    close: async () => {
      await Promise.all(managers.map((manager) => manager.close(0)));
      await recorder.close();
      await queue.close();
      stop.abort();
      await running.catch(() => undefined);
      await store.close();
      await other.close();
    },
  };
}

function until(cache: StoreCache, look: () => boolean, what: string, seconds: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const forget = whenOver(seconds * 1000, () => finish(new Error(`not within ${seconds} s: ${what}`)));
    const onChange = (): void => {
      if (look()) finish();
    };
    const unsubscribe = [cache.subscribe(onChange), cache.subscribeCustom(onChange)];
    const finish = (error?: Error): void => {
      forget();
      for (const stop of unsubscribe) stop();
      if (error) reject(error);
      else resolve();
    };
    if (look()) finish();
  });
}

export async function created<T extends Stored>(
  store: Pick<MemoryObjectStore, 'write'>,
  object: WriteOp & { op: 'create' },
): Promise<T> {
  const [result] = await store.write([object]);
  assert.ok(result?.ok);
  return result.object as T;
}
