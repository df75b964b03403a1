/**
 * The in-process copy of the store: fed by its change stream and by this process's own writes, whichever tells first.
 */
import {
  isCustom,
  keyOf,
  type AnyKey,
  type AnyStored,
  type Event,
  type Kind,
  type KindRegistry,
  type ObjectKey,
  type Stored,
  type StoredAt,
  type StoredOf,
  type StoredUnstructured,
} from '../../../contracts/objects/index.ts';
import { unlessAborted } from '../../../contracts/signals.ts';
import { PlumbError } from '../../core/errors.ts';
import { objectAt } from '../../core/kinds/custom.ts';
import type { Counted } from '../../core/quota/counts.ts';
import type { Claim } from '../../core/services/claims.ts';
import { compareVersions } from '../../core/storage/object-form.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { AnyWriteOp, ChangeEvent, ObjectStore, WriteResult } from '../../ports/object-store.ts';
import type { StoreView } from './controller.ts';
import type { CustomTable } from './custom-table.ts';
import { ObjectTable } from './object-table.ts';
import { turns } from './slices.ts';

/** `previous`: the object before, undefined when it is new. For a `delete`, `object` is as it was last. */
export type ChangeListener<S extends AnyStored = Stored> = (
  type: ChangeEvent['type'],
  object: S,
  previous: S | undefined,
) => void;

export interface StoreCacheOptions {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly log: Log;
  /** None when absent. */
  readonly kinds?: KindRegistry;
}

/** Objects of one form, by their keys. */
interface Table<S extends AnyStored, Key extends AnyKey> {
  get(key: Key): S | undefined;
  put(object: S): S | undefined;
  remove(key: Key): S | undefined;
}

const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 2000;

/** For how long deletions are known: longer than a quota believes in a write that does not show. */
const GONE_MS = 120_000;
const MOST_GONE = 20_000;

/**
 * Serves one incarnation of the store: after StoreLost, make a new one. Listeners hear each change exactly once and in
 * order per object, whether it came from the stream, from a listing or from an own write; a change that a newer one
 * overtook is not told.
 */
export class StoreCache implements StoreView {
  readonly #store: ObjectStore;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #table: ObjectTable;
  /**
   * Versions of deletions, for as long as something older may still arrive: from the stream, or as the answer of a
   * write in flight.
   */
  readonly #tombstones = new Map<AnyKey, string>();
  /** Of the last minutes, the oldest first. */
  readonly #gone = new Map<AnyKey, { readonly version: string; readonly at: number }>();
  #newest = '0';
  readonly #listeners = new Set<ChangeListener>();
  readonly #customListeners = new Set<ChangeListener<StoredUnstructured>>();
  readonly #synced = deferred<undefined>();
  readonly #awaited = new Set<{ readonly version: string; readonly reached: Deferred<undefined> }>();
  #writesInFlight = 0;
  #position = '0';
  /** Version of the last listing whose objects are all here: what is not, and is no newer, was deleted before it. */
  #listedAt = '0';
  #isSynced = false;

  constructor(options: StoreCacheOptions) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#table = new ObjectTable(options.kinds);
    this.#synced.promise.catch(() => undefined);
  }

  /**
   * Follows the store until the signal aborts, then resolves. Rejects with RetryableError `StoreLost` (or another error
   * that waiting does not cure); an unreachable Redis is waited for.
   */
  async run(signal: AbortSignal): Promise<void> {
    try {
      while (!signal.aborted) {
        await this.#whileReachable(() => this.#relist(signal), signal);
        if (!this.#isSynced) {
          this.#isSynced = true;
          this.#synced.resolve(undefined);
        }
        await this.#whileReachable(() => this.#follow(signal), signal);
      }
    } catch (error) {
      if (signal.aborted) return;
      this.#synced.reject(error);
      throw error;
    }
  }

  /**
   * Resolves when the first listing is in; rejects when {@link run} failed before that, or with the signal's reason.
   */
  async waitSynced(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await unlessAborted(signal, this.#synced.promise);
  }

  /** Resolves when everything up to that version shows here; rejects with the signal's reason. */
  async reached(resourceVersion: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (compareVersions(this.#position, resourceVersion) >= 0) return;
    const awaited = { version: resourceVersion, reached: deferred<undefined>() };
    this.#awaited.add(awaited);
    try {
      await unlessAborted(signal, awaited.reached.promise);
    } finally {
      this.#awaited.delete(awaited);
    }
  }

  /** Writes to the store, and shows what came of it here before it returns. */
  async write(ops: readonly AnyWriteOp[], signal?: AbortSignal): Promise<readonly WriteResult[]> {
    if (ops.length === 0) return [];
    this.#writesInFlight += 1;
    try {
      const results = await this.#store.write(ops, signal);
      for (const [index, result] of results.entries()) {
        if (turns.isOver) await turns.next();
        if (result.ok) this.#accept(ops[index]?.op === 'delete' ? 'delete' : 'put', result.object);
      }
      return results;
    } finally {
      this.#writesInFlight -= 1;
    }
  }

  /** Listeners are called at once and must not throw; a listener that does is logged and kept. Returns how to stop. */
  subscribe(listener: ChangeListener): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** The same for objects of custom kinds, of which {@link subscribe} does not tell. */
  subscribeCustom(listener: ChangeListener<StoredUnstructured>): () => void {
    this.#customListeners.add(listener);
    return () => {
      this.#customListeners.delete(listener);
    };
  }

  get custom(): CustomTable {
    return this.#table.custom;
  }

  get<Key extends ObjectKey>(key: Key): StoredAt<Key> | undefined {
    return this.#table.get(key);
  }

  list<K extends Kind>(kind: K, namespace?: string): readonly StoredOf<K>[] {
    return this.#table.list(kind, namespace);
  }

  ownedBy<K extends Kind>(kind: K, ownerUid: string): readonly StoredOf<K>[] {
    return this.#table.ownedBy(kind, ownerUid);
  }

  dependents<K extends Kind>(kind: K, ownerUid: string): readonly StoredOf<K>[] {
    return this.#table.dependents(kind, ownerUid);
  }

  podsOnNode(nodeName: string): readonly StoredOf<'Pod'>[] {
    return this.#table.podsOnNode(nodeName);
  }

  pendingPods(): readonly StoredOf<'Pod'>[] {
    return this.#table.pendingPods();
  }

  labelled<K extends Kind>(kind: K, key: string, value: string, namespace?: string): readonly StoredOf<K>[] {
    return this.#table.labelled(kind, key, value, namespace);
  }

  fromSource<K extends Kind>(kind: K, sourceName: string): readonly StoredOf<K>[] {
    return this.#table.fromSource(kind, sourceName);
  }

  selecting<K extends Kind>(kind: K, pod: StoredOf<'Pod'>): readonly StoredOf<K>[] {
    return this.#table.selecting(kind, pod);
  }

  pointingAt<K extends Kind>(kind: K, podUid: string): readonly StoredOf<K>[] {
    return this.#table.pointingAt(kind, podUid);
  }

  claiming<K extends Kind>(kind: K, claim: Claim): readonly StoredOf<K>[] {
    return this.#table.claiming(kind, claim);
  }

  withAddress(address: string): readonly StoredOf<'Node' | 'Machine'>[] {
    return this.#table.withAddress(address);
  }

  quotaCount(quota: StoredOf<'ResourceQuota'>): Counted {
    return this.#table.quotaCount(quota);
  }

  eventsRegarding(object: Event['involvedObject']): readonly StoredOf<'Event'>[] {
    return this.#table.eventsRegarding(object);
  }

  /** Every key, in no order. */
  keys(): readonly ObjectKey[] {
    return this.#table.keys();
  }

  /** How far the stream was read; own writes may be ahead of it. */
  get resourceVersion(): string {
    return this.#position;
  }

  /** Of all that was seen, own writes among it. */
  get newest(): string {
    return this.#newest;
  }

  /** Whether an object with that key was deleted after that version, in the last two minutes. */
  hasGone(key: AnyKey, since: string): boolean {
    const gone = this.#gone.get(key);
    return gone !== undefined && compareVersions(gone.version, since) > 0;
  }

  #noteGone(key: AnyKey, version: string): void {
    const now = this.#clock.monotonic();
    this.#gone.delete(key);
    this.#gone.set(key, { version, at: now });
    for (const [oldest, { at }] of this.#gone) {
      if (now - at < GONE_MS && this.#gone.size <= MOST_GONE) break;
      this.#gone.delete(oldest);
    }
  }

  async #relist(signal: AbortSignal): Promise<void> {
    const { objects, resourceVersion } = await this.#store.list(undefined, signal);
    for (const object of objects) {
      if (turns.isOver) await turns.next();
      this.#accept('put', object);
    }
    this.#listedAt = resourceVersion;
    this.#forgetDeletions(resourceVersion);
    const listed = new Set<AnyKey>(objects.map((object) => keyOf(object)));
    for (const key of [...this.#table.keys(), ...this.custom.keys()]) {
      if (turns.isOver) await turns.next();
      const known = objectAt(this, key);
      if (
        known === undefined ||
        listed.has(key) ||
        compareVersions(known.metadata.resourceVersion, resourceVersion) > 0
      )
        continue;
      this.#accept('delete', { ...known, metadata: { ...known.metadata, resourceVersion } });
    }
    this.#advance(resourceVersion);
  }

  async #follow(signal: AbortSignal): Promise<void> {
    for await (const batch of this.#store.watch(this.#position, signal)) {
      if (batch.type === 'relist') {
        this.#log.info('the change stream no longer reaches back to where this process was: listing again');
        return;
      }
      for (const { type, object } of batch.events) {
        if (turns.isOver) await turns.next();
        this.#accept(type, object);
      }
      this.#advance(batch.resourceVersion);
    }
  }

  #advance(resourceVersion: string): void {
    this.#position = resourceVersion;
    for (const { version, reached } of this.#awaited)
      if (compareVersions(resourceVersion, version) >= 0) reached.resolve(undefined);
    if (this.#writesInFlight === 0) this.#forgetDeletions(resourceVersion);
  }

  #forgetDeletions(upTo: string): void {
    for (const [key, version] of this.#tombstones)
      if (compareVersions(version, upTo) <= 0) this.#tombstones.delete(key);
  }

  #accept(type: ChangeEvent['type'], object: AnyStored): void {
    if (isCustom(object)) this.#take(type, keyOf(object), object, this.custom, this.#customListeners);
    else this.#take(type, keyOf(object), object, this.#table, this.#listeners);
  }

  #take<S extends AnyStored, Key extends AnyKey>(
    type: ChangeEvent['type'],
    key: Key,
    object: S,
    table: Table<S, Key>,
    listeners: ReadonlySet<ChangeListener<S>>,
  ): void {
    const version = object.metadata.resourceVersion;
    const before = table.get(key);
    const known = before?.metadata.resourceVersion ?? this.#tombstones.get(key) ?? this.#listedAt;
    if (compareVersions(version, this.#newest) > 0) this.#newest = version;
    if (compareVersions(version, known) <= 0) return;
    if (type === 'put' && before && before.metadata.uid !== object.metadata.uid) {
      // Deleted and made anew between two listings: what went with it, or waited for its end, hears of that end.
      const atTheLatest = String(Number(version) - 1);
      const gone = { ...before, metadata: { ...before.metadata, resourceVersion: atTheLatest } };
      this.#take('delete', key, gone, table, listeners);
    }
    let previous: S | undefined;
    if (type === 'put') {
      this.#tombstones.delete(key);
      previous = table.put(object);
    } else {
      previous = table.remove(key);
      this.#tombstones.set(key, version);
      this.#noteGone(key, version);
      if (previous === undefined) return;
    }
    for (const listener of listeners) {
      try {
        listener(type, object, previous);
      } catch (error) {
        this.#log.error('a listener of the cache failed', { key, error: String(error) });
      }
    }
  }

  /** Repeats `work` while Redis cannot be reached; says so once per outage. */
  async #whileReachable(work: () => Promise<void>, signal: AbortSignal): Promise<void> {
    for (let waitMs = FIRST_RETRY_MS; ; waitMs = Math.min(LONGEST_RETRY_MS, waitMs * 2)) {
      try {
        await work();
        return;
      } catch (error) {
        if (signal.aborted || !(error instanceof PlumbError) || error.code !== 'StoreUnavailable') throw error;
        if (waitMs === FIRST_RETRY_MS)
          this.#log.warn('the live state cannot be reached; waiting for it', { error: error.message });
        await this.#clock.sleep(waitMs, signal);
      }
    }
  }
}

interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(reason: unknown): void;
}

/** Promise.withResolvers, which Node 20 lacks. */
function deferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => undefined;
  let reject: (reason: unknown) => void = () => undefined;
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  return { promise, resolve, reject };
}
