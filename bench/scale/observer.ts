/** Watches the store from outside of the control plane: what there is, and how often it was written. */
import type { RedisOptions } from 'ioredis';
import {
  conditionIsTrue,
  findCondition,
  type Kind,
  type Stored,
  type StoredPod,
} from '../../contracts/objects/index.ts';
import { RedisObjectStore } from '../../reconciler/adapters/redis/object-store.ts';
import { SystemClock } from '../../reconciler/adapters/system/clock.ts';
import { CryptoIds } from '../../reconciler/adapters/system/ids.ts';
import { StoreCache } from '../../reconciler/controllers/runtime/cache.ts';
import { SILENT_LOG } from '../../reconciler/ports/log.ts';
import { CLUSTER_NAME } from './names.ts';

export class Observer {
  readonly cache: StoreCache;
  /** Writes seen so far, by kind. */
  readonly writes = new Map<Kind, number>();
  readyNodes = 0;
  unknownNodes = 0;
  readyPods = 0;
  /** Pods that were ready and are not any more, though nobody ended them. */
  marked = 0;
  readonly #readyByApp = new Map<string, number>();
  readonly #store: RedisObjectStore;
  readonly #stop = new AbortController();
  readonly #following: Promise<unknown>;

  private constructor(store: RedisObjectStore) {
    this.#store = store;
    this.cache = new StoreCache({ store, clock: new SystemClock(), log: SILENT_LOG });
    this.cache.subscribe((type, object, previous) => {
      this.writes.set(object.kind, (this.writes.get(object.kind) ?? 0) + 1);
      this.#count(previous, -1);
      if (type === 'put') this.#count(object, 1);
      if (
        type === 'put' &&
        object.kind === 'Pod' &&
        previous?.kind === 'Pod' &&
        isReady(previous) &&
        !isReady(object)
      ) {
        if (object.metadata.deletionTimestamp === undefined) this.marked += 1;
      }
    });
    this.#following = this.cache.run(this.#stop.signal).catch((error: unknown) => {
      process.stderr.write(`the store cannot be watched any more: ${String(error)}\n`);
    });
  }

  static async open(connection: RedisOptions, sealKey: Uint8Array): Promise<Observer> {
    const store = new RedisObjectStore({
      connection,
      cluster: CLUSTER_NAME,
      sealKey,
      clock: new SystemClock(),
      ids: new CryptoIds(),
    });
    const { signal } = new AbortController();
    await store.open(signal);
    const observer = new Observer(store);
    await observer.cache.waitSynced(signal);
    return observer;
  }

  /** Ready pods with the label `app`. */
  ready(app: string): number {
    return this.#readyByApp.get(app) ?? 0;
  }

  /** What keeps the newest commit from being applied. */
  refusal(): string {
    const synced = findCondition(this.cache.list('Source')[0]?.status?.conditions, 'Synced');
    return synced?.status === 'False' ? `; ${synced.reason}: ${synced.message ?? ''}` : '';
  }

  allWrites(): number {
    return [...this.writes.values()].reduce((sum, writes) => sum + writes, 0);
  }

  pods(app: string): readonly StoredPod[] {
    return this.cache.labelled('Pod', 'app', app);
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#following;
    await this.#store.close();
  }

  #count(object: Stored | undefined, by: 1 | -1): void {
    if (object?.kind === 'Node') {
      const ready = findCondition(object.status?.conditions, 'Ready');
      if (ready?.status === 'True') this.readyNodes += by;
      if (ready?.status === 'Unknown') this.unknownNodes += by;
    } else if (object?.kind === 'Pod' && isReady(object)) {
      this.readyPods += by;
      const app = object.metadata.labels?.['app'] ?? '';
      this.#readyByApp.set(app, (this.#readyByApp.get(app) ?? 0) + by);
    }
  }
}

function isReady(pod: StoredPod): boolean {
  return conditionIsTrue(pod.status?.conditions, 'Ready');
}
