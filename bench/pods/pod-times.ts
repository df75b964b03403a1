/**
 * When what became of pods and Jobs was in the store, by this process' monotonic clock; watched from beside the control
 * plane.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { conditionIsTrue, isCustom, type AnyStored } from '../../contracts/objects/index.ts';
import { PositionMark } from '../../reconciler/adapters/redis/position-mark.ts';
import { RedisObjectStore } from '../../reconciler/adapters/redis/object-store.ts';
import { SystemClock } from '../../reconciler/adapters/system/clock.ts';
import { CryptoIds } from '../../reconciler/adapters/system/ids.ts';
import { StoreCache } from '../../reconciler/controllers/runtime/cache.ts';
import { SILENT_LOG } from '../../reconciler/ports/log.ts';
import type { Fleet } from '../../test/e2e/fleet.ts';

/** Milliseconds. */
export interface PodTimes {
  readonly node: string | undefined;
  readonly created: number;
  readonly bound?: number;
  readonly running?: number;
  readonly ready?: number;
}

export class PodWatch {
  readonly #store: RedisObjectStore;
  readonly #stop = new AbortController();
  readonly #following: Promise<unknown>;
  readonly #pods = new Map<string, Map<string, PodTimes>>();
  /** Pods that are there, by the label `app`. */
  readonly #there = new Map<string, Set<string>>();
  /** By the Job's name. */
  readonly completed = new Map<string, number>();
  readonly jobsMade = new Map<string, number>();

  private constructor(store: RedisObjectStore, cache: StoreCache) {
    this.#store = store;
    cache.subscribe((type, object) => this.#see(type, object, performance.now()));
    this.#following = cache.run(this.#stop.signal).catch((error: unknown) => {
      if (!this.#stop.signal.aborted) process.stderr.write(`the store cannot be watched any more: ${String(error)}\n`);
    });
  }

  static async open(fleet: Fleet): Promise<PodWatch> {
    const clock = new SystemClock();
    const store = new RedisObjectStore({
      connection: { path: fleet.redisSocket },
      cluster: 'main',
      sealKey: await readFile(join(fleet.home, 'seal.key')),
      clock,
      ids: new CryptoIds(),
      mark: new PositionMark(),
    });
    const { signal } = new AbortController();
    await store.open(signal);
    const cache = new StoreCache({ store, clock, log: SILENT_LOG });
    const watch = new PodWatch(store, cache);
    await cache.waitSynced(signal);
    return watch;
  }

  /** Of all pods that had the label `app`, whether they are there or not. */
  of(app: string): readonly PodTimes[] {
    return [...(this.#pods.get(app)?.values() ?? [])];
  }
  ready(app: string): number {
    return this.of(app).filter(({ ready }) => ready !== undefined).length;
  }
  there(app: string): number {
    return this.#there.get(app)?.size ?? 0;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#following;
    await this.#store.close();
  }

  #see(type: 'put' | 'delete', object: AnyStored, at: number): void {
    if (isCustom(object)) return;
    if (object.kind === 'Job' && type === 'put') {
      const { name } = object.metadata;
      if (!this.jobsMade.has(name)) this.jobsMade.set(name, at);
      if (conditionIsTrue(object.status?.conditions, 'Complete') && !this.completed.has(name))
        this.completed.set(name, at);
    }
    if (object.kind !== 'Pod') return;
    const app = object.metadata.labels?.['app'] ?? '';
    const { uid } = object.metadata;
    const there = this.#there.get(app) ?? new Set();
    this.#there.set(app, there);
    if (type === 'delete') {
      there.delete(uid);
      return;
    }
    there.add(uid);
    const pods = this.#pods.get(app) ?? new Map<string, PodTimes>();
    this.#pods.set(app, pods);
    const before: PodTimes = pods.get(uid) ?? { node: undefined, created: at };
    const isBound = object.spec.nodeName !== undefined;
    const isRunning = object.status?.phase === 'Running';
    const isReady = conditionIsTrue(object.status?.conditions, 'Ready');
    pods.set(uid, {
      ...before,
      node: object.spec.nodeName,
      ...(isBound && { bound: before.bound ?? at }),
      ...(isRunning && { running: before.running ?? at }),
      ...(isReady && { ready: before.ready ?? at }),
    });
  }
}
