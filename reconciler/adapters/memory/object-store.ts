/** The `ObjectStore` within one process. */
import {
  isCustom,
  isCustomKey,
  keyOf,
  parseKey,
  RESOURCE,
  unstructured,
  type AnyKey,
  type AnyStored,
  type Kind,
  type ObjectKey,
  type Stored,
  type UnstructuredJson,
} from '../../../contracts/objects/index.ts';
import { RetryableError } from '../../core/errors.ts';
import { applyWrite } from '../../core/storage/apply-write.ts';
import { partBytes, StreamParts, STREAM_BYTES } from '../../core/storage/stream-parts.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Ids } from '../../ports/ids.ts';
import type { Member } from '../../ports/leases.ts';
import type {
  AnyWriteOp,
  ChangeEvent,
  Listing,
  ObjectStore,
  WatchBatch,
  WriteResult,
} from '../../ports/object-store.ts';

/**
 * What outlives one instance of the store: two instances over one `MemoryState` are two control planes over one Redis.
 */
export class MemoryState {
  readonly objects = new Map<AnyKey, AnyStored>();
  /** The change of version N is at index N - 1 - trimmed. */
  readonly changes: ChangeEvent[] = [];
  readonly waiters = new Set<() => void>();
  trimmed = 0;
  streamParts = new StreamParts();
  version = 0;
  incarnation: string | undefined;
  ready = false;
  epoch: number | undefined;
  /** Of {@link MemoryLeases}. */
  readonly members = new Map<string, Member>();
  readonly homes = new Map<string, string>();
  readonly holders = new Map<string, string>();
  joined = 0;

  /** Empties the store, as FLUSHALL does. */
  flush(): void {
    this.objects.clear();
    this.changes.length = 0;
    this.trimmed = 0;
    this.streamParts = new StreamParts();
    this.version = 0;
    this.incarnation = undefined;
    this.ready = false;
    this.epoch = undefined;
    this.members.clear();
    this.homes.clear();
    this.holders.clear();
    this.joined = 0;
    this.wake();
  }

  wake(): void {
    for (const wake of [...this.waiters]) wake();
  }
}

export interface MemoryObjectStoreOptions {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly state?: MemoryState;
  /** Bytes of changes that a watcher may fall behind before it has to list again. Default {@link STREAM_BYTES}. */
  readonly streamBytes?: number;
}

export class MemoryObjectStore implements ObjectStore {
  readonly state: MemoryState;
  readonly problem = undefined;
  readonly #clock: Clock;
  readonly #ids: Ids;
  readonly #streamBytes: number;
  #incarnation: string | undefined;
  #member = '';
  #closed = false;

  constructor(options: MemoryObjectStoreOptions) {
    this.state = options.state ?? new MemoryState();
    this.#clock = options.clock;
    this.#ids = options.ids;
    this.#streamBytes = options.streamBytes ?? STREAM_BYTES;
  }

  async open(signal: AbortSignal): Promise<{ incarnation: string; fresh: boolean }> {
    signal.throwIfAborted();
    this.state.incarnation ??= this.#ids.uid();
    this.#incarnation = this.state.incarnation;
    return { incarnation: this.#incarnation, fresh: !this.state.ready };
  }

  writeAs(member: string): void {
    this.#member = member;
  }

  async markReady(signal: AbortSignal): Promise<void> {
    this.#check(signal);
    this.#checkFence();
    this.state.ready = true;
  }

  async nextEpoch(above: number, signal: AbortSignal): Promise<number> {
    this.#check(signal);
    this.state.epoch = Math.max(
      this.state.epoch === undefined ? this.#clock.now().getTime() : this.state.epoch + 1,
      above + 1,
    );
    return this.state.epoch;
  }

  async get(key: ObjectKey, signal?: AbortSignal): Promise<Stored | undefined> {
    this.#check(signal);
    const found = this.state.objects.get(key);
    return found && !isCustom(found) ? found : undefined;
  }

  list(kind: Kind, signal?: AbortSignal): Promise<Listing>;
  list(kind: undefined, signal?: AbortSignal): Promise<Listing<AnyStored>>;
  async list(kind: Kind | undefined, signal?: AbortSignal): Promise<Listing<AnyStored>> {
    this.#check(signal);
    const all = [...this.state.objects.values()];
    return {
      objects: kind === undefined ? all : all.filter((object) => !isCustom(object) && object.kind === kind),
      resourceVersion: String(this.state.version),
    };
  }

  async write(ops: readonly AnyWriteOp[], signal?: AbortSignal): Promise<readonly WriteResult[]> {
    this.#check(signal);
    this.#checkFence();
    const results = ops.map((op) => this.#apply(op));
    this.state.wake();
    return results;
  }

  async *watch(resourceVersion: string, signal: AbortSignal): AsyncGenerator<WatchBatch, void, undefined> {
    let at = Number(resourceVersion);
    while (!signal.aborted && !this.#closed) {
      this.#check(undefined);
      const { state } = this;
      if (at > state.version || at < state.trimmed) {
        yield { type: 'relist' };
        return;
      }
      if (at === state.version) {
        await this.#change(signal);
        continue;
      }
      const events = state.changes.slice(at - state.trimmed);
      at += events.length;
      yield { type: 'events', events, resourceVersion: String(at) };
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.state.wake();
  }

  #check(signal: AbortSignal | undefined): void {
    signal?.throwIfAborted();
    if (this.#closed) throw new RetryableError('StoreUnavailable', 'the object store was closed');
    if (this.#incarnation === undefined || this.#incarnation !== this.state.incarnation) {
      throw new RetryableError(
        'StoreLost',
        'the live state was emptied or claimed anew; it is rebuilt after the store is opened again',
      );
    }
  }

  #checkFence(): void {
    if (this.#member !== '' && !this.state.members.has(this.#member))
      throw new RetryableError('LeaseLost', 'another control plane took over what this one held');
  }

  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.state.waiters.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.state.waiters.add(wake);
      signal.addEventListener('abort', wake, { once: true });
    });
  }

  #apply(op: AnyWriteOp): WriteResult {
    const key = op.op === 'delete' ? op.key : keyOf(op.object);
    if (!isCustomKey(key)) parseKey(key);
    const applied = applyWrite(op, this.state.objects.get(key), {
      uid: () => this.#ids.uid(),
      version: () => String(++this.state.version),
      now: this.#clock.now(),
    });
    switch (applied.is) {
      case 'refused':
        return { ok: false, reason: applied.reason, message: applied.message };
      case 'unchanged':
        return accept(applied.object);
      case 'put':
      case 'delete':
        return this.#publish(applied.is, key, applied.object);
    }
  }

  #publish(type: ChangeEvent['type'], key: AnyKey, object: AnyStored): WriteResult {
    const { state } = this;
    const text = JSON.stringify(object);
    const stored = freeze(fromJson(text, object));
    if (type === 'delete') state.objects.delete(key);
    else state.objects.set(key, stored);
    state.changes.push({ type, object: stored });
    const first = state.streamParts.added(state.version, Buffer.byteLength(text), partBytes(this.#streamBytes));
    if (first !== undefined) {
      state.changes.splice(0, first - 1 - state.trimmed);
      state.trimmed = first - 1;
    }
    return accept(stored);
  }
}

/** As on the way to Redis: what is stored shares nothing with what was passed in. */
function fromJson(text: string, object: AnyStored): AnyStored {
  const copy: unknown = JSON.parse(text);
  return isCustom(object) ? unstructured(object[RESOURCE], copy as StoredJson) : (copy as Stored);
}
type StoredJson = UnstructuredJson & Pick<AnyStored, 'metadata'>;

function accept(object: AnyStored): WriteResult {
  return { ok: true, object, resourceVersion: object.metadata.resourceVersion };
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const member of Object.values(value)) freeze(member);
    Object.freeze(value);
  }
  return value;
}
