/** The `ObjectStore` on Redis >= 7 or Valkey: alone, with Sentinel, or in Cluster mode. */
import { createHash } from 'node:crypto';
import type { Redis, RedisOptions } from 'ioredis';
import { keyOf, type Kind, type ObjectKey, parseKey, type Stored } from '../../../contracts/objects/index.ts';
import { PlumbError, RetryableError } from '../../core/errors.ts';
import { kubeTime } from '../../core/storage/object-form.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Ids } from '../../ports/ids.ts';
import type { ChangeEvent, ObjectStore, WatchBatch, WriteOp, WriteResult } from '../../ports/object-store.ts';
import { Link, storeLost } from './connection.ts';
import { ALL_KINDS, fieldOf, storeKeys, type StoreKeys } from './keys.ts';
import { decodeRecord, encodeBody, encodeStatus } from './record.ts';
import { Seal } from './seal.ts';
import * as scripts from './scripts.ts';

export interface RedisObjectStoreOptions {
  /** ioredis connection options (see `redisOptionsFromUrl`, `startPrivateRedis`). */
  readonly connection: RedisOptions;
  /** Cluster name: several clusters may share one Redis. Letters, digits, `-`, `_`, `.`. */
  readonly cluster: string;
  /** 32 random bytes; Secrets are sealed with it. */
  readonly sealKey: Uint8Array;
  readonly clock: Clock;
  readonly ids: Ids;
  /** About how many changes a watcher may fall behind before it has to list again. Default 10000. */
  readonly streamLength?: number;
  /** How long a call waits for a server that does not answer, in ms. Default 5000. */
  readonly callTimeoutMs?: number;
}

/** At most this long passes between the emptying of the store and a watcher's StoreLost. */
const WATCH_BLOCK_MS = 500;
const WATCH_BATCH = 1000;
/** Operations per script run: bounds how long Redis serves nobody else. */
const WRITE_CHUNK = 500;

export class RedisObjectStore implements ObjectStore {
  readonly #link: Link;
  readonly #keys: StoreKeys;
  readonly #seal: Seal;
  readonly #clock: Clock;
  readonly #ids: Ids;
  readonly #streamLength: number;
  readonly #watchers = new Set<Redis>();
  readonly #digests = new Map<string, string>();
  #incarnation: string | undefined;
  #closed = false;

  constructor(options: RedisObjectStoreOptions) {
    this.#keys = storeKeys(options.cluster);
    this.#seal = new Seal(options.sealKey);
    this.#clock = options.clock;
    this.#ids = options.ids;
    this.#streamLength = options.streamLength ?? 10_000;
    this.#link = new Link(options.connection, options.callTimeoutMs ?? 5000);
  }

  async open(signal: AbortSignal): Promise<{ incarnation: string; fresh: boolean }> {
    const keys = [this.#keys.meta, ...ALL_KINDS.map((kind) => this.#keys.objects(kind))];
    const [incarnation, fresh] = await this.#run<[string, number]>(scripts.OPEN, keys, [this.#ids.uid()], signal);
    this.#incarnation = incarnation;
    return { incarnation, fresh: fresh === 1 };
  }

  async markReady(signal: AbortSignal): Promise<void> {
    await this.#run(scripts.MARK_READY, [this.#keys.meta], [this.#claimed()], signal);
  }

  async get<K extends Kind>(key: ObjectKey<K>, signal?: AbortSignal): Promise<Stored | undefined> {
    const { kind } = parseKey(key);
    const record = await this.#run<string | null>(scripts.GET, [this.#keys.meta, this.#keys.objects(kind)], [this.#claimed(), fieldOf(key)], signal);
    return record === null ? undefined : decodeRecord(record, this.#seal);
  }

  async list(kind: Kind | undefined, signal?: AbortSignal): Promise<{ objects: readonly Stored[]; resourceVersion: string }> {
    const kinds = kind === undefined ? ALL_KINDS : [kind];
    const keys = [this.#keys.meta, ...kinds.map((k) => this.#keys.objects(k))];
    const [resourceVersion, ...hashes] = await this.#run<[string, ...string[][]]>(scripts.LIST, keys, [this.#claimed()], signal);
    return { objects: hashes.flat().map((record) => decodeRecord(record, this.#seal)), resourceVersion };
  }

  async write(ops: readonly WriteOp[], signal?: AbortSignal): Promise<readonly WriteResult[]> {
    const results: WriteResult[] = [];
    for (let first = 0; first < ops.length; first += WRITE_CHUNK) {
      results.push(...(await this.#writeChunk(ops.slice(first, first + WRITE_CHUNK), signal)));
    }
    return results;
  }

  async *watch(resourceVersion: string, signal: AbortSignal): AsyncGenerator<WatchBatch, void, undefined> {
    const stream = this.#keys.changes(this.#claimed());
    let at = Number(resourceVersion);
    if (signal.aborted) return;
    const client = this.#link.blockingTwin();
    const stop = (): void => { client.disconnect(); };
    this.#watchers.add(client);
    signal.addEventListener('abort', stop, { once: true });
    try {
      if (at > (await this.#position(signal) ?? at)) {
        yield { type: 'relist' };
        return;
      }
      while (!signal.aborted && !this.#closed) {
        const reply = await readStream(client, stream, at);
        if (signal.aborted || this.#closed) return;
        if (reply === undefined) {
          await this.#position(signal);
          continue;
        }
        if (versionOf(reply[0]) !== at + 1) {
          yield { type: 'relist' };
          return;
        }
        at = versionOf(reply[reply.length - 1] ?? reply[0]);
        yield { type: 'events', events: reply.map((entry) => this.#decodeEntry(entry)), resourceVersion: String(at) };
      }
    } catch (error) {
      if (!signal.aborted && !this.#closed) throw error;
    } finally {
      signal.removeEventListener('abort', stop);
      this.#watchers.delete(client);
      // Told after its end, ioredis sets a timer for the closed socket that keeps the process for two seconds.
      if (client.status !== 'end') client.disconnect();
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const client of this.#watchers) client.disconnect();
    this.#link.close();
  }

  #claimed(): string {
    if (this.#closed) throw new RetryableError('StoreUnavailable', 'the object store was closed');
    if (this.#incarnation === undefined) throw storeLost(new Error('the store was not opened yet'));
    return this.#incarnation;
  }

  /** Newest version, after the incarnation check; undefined while Redis cannot be reached (the watch resumes when it can). */
  async #position(signal: AbortSignal): Promise<number | undefined> {
    try {
      return Number(await this.#run<string>(scripts.POSITION, [this.#keys.meta], [this.#claimed()], signal));
    } catch (error) {
      if (error instanceof PlumbError && error.code === 'StoreUnavailable' && !this.#closed) return undefined;
      throw error;
    }
  }

  async #writeChunk(ops: readonly WriteOp[], signal: AbortSignal | undefined): Promise<WriteResult[]> {
    const kinds = new Map<Kind, number>();
    const args: string[] = [];
    const keyList = ops.map((op) => {
      const key = op.op === 'delete' ? op.key : keyOf(op.object);
      const { kind } = parseKey(key);
      // KEYS is 1-based, and begins with the meta hash and the stream.
      const hash = kinds.get(kind) ?? kinds.size + 3;
      kinds.set(kind, hash);
      args.push(...this.#encodeOp(op, key, hash));
      return key;
    });
    const incarnation = this.#claimed();
    const keys = [this.#keys.meta, this.#keys.changes(incarnation), ...[...kinds.keys()].map((kind) => this.#keys.objects(kind))];
    const replies = await this.#run<[string, string][]>(scripts.WRITE, keys, [incarnation, String(this.#streamLength), ...args], signal);
    return replies.map(([outcome, detail], index) => this.#decodeOutcome(outcome, detail, `${ops[index]?.op ?? 'write'} ${keyList[index] ?? ''}`));
  }

  #encodeOp(op: WriteOp, key: ObjectKey, hash: number): string[] {
    const head = [op.op, String(hash), fieldOf(key)];
    if (op.op === 'delete') return [...head, op.uid ?? '', op.resourceVersion ?? '', '', '', '', '', ''];
    const { metadata } = op.object;
    const uid = metadata.uid ?? this.#ids.uid();
    const expected = op.op === 'create' ? '' : (metadata.resourceVersion ?? '0');
    const created = metadata.creationTimestamp ?? kubeTime(this.#clock.now());
    const status = op.op === 'update' ? '' : encodeStatus(op.object);
    if (op.op === 'updateStatus') return [...head, uid, expected, created, '', '', '', status];
    const { specDigest, bodyDigest, body } = encodeBody(op.object, uid, this.#seal);
    return [...head, uid, expected, created, specDigest, bodyDigest, body, status];
  }

  #decodeOutcome(outcome: string, detail: string, what: string): WriteResult {
    if (outcome === 'ok') {
      const object = decodeRecord(detail, this.#seal);
      return { ok: true, object, resourceVersion: object.metadata.resourceVersion };
    }
    const reason = outcome as 'AlreadyExists' | 'Conflict' | 'NotFound';
    return { ok: false, reason, message: `${what}: ${explain(reason, detail)}` };
  }

  #decodeEntry([, fields]: StreamEntry): ChangeEvent {
    const [type, record] = fields;
    return { type, object: decodeRecord(record, this.#seal) };
  }

  async #run<T>(script: string, keys: readonly string[], args: readonly string[], signal: AbortSignal | undefined): Promise<T> {
    const sha = this.#digestOf(script);
    return (await this.#link.call(async (client) => {
      try {
        return await client.evalsha(sha, keys.length, ...keys, ...args);
      } catch (error) {
        // A server that was restarted or told to forget its scripts.
        if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
        return await client.eval(script, keys.length, ...keys, ...args);
      }
    }, signal)) as T;
  }

  /** The name that Redis knows a script by. */
  #digestOf(script: string): string {
    let digest = this.#digests.get(script);
    if (digest === undefined) {
      digest = createHash('sha1').update(script).digest('hex');
      this.#digests.set(script, digest);
    }
    return digest;
  }
}

type StreamEntry = [id: string, fields: [type: ChangeEvent['type'], record: string]];

/** Entries after version `at`; undefined when there was none within the block time. Rejects only when the client was disconnected. */
async function readStream(client: Redis, stream: string, at: number): Promise<[StreamEntry, ...StreamEntry[]] | undefined> {
  const reply = await client.xread('COUNT', WATCH_BATCH, 'BLOCK', WATCH_BLOCK_MS, 'STREAMS', stream, `${at}-0`);
  const [first, ...rest] = (reply?.[0]?.[1] ?? []) as unknown as StreamEntry[];
  return first === undefined ? undefined : [first, ...rest];
}

function versionOf([id]: StreamEntry): number {
  return Number(id.slice(0, id.indexOf('-')));
}

function explain(reason: 'AlreadyExists' | 'Conflict' | 'NotFound', detail: string): string {
  switch (reason) {
    case 'AlreadyExists': return `there is one already, at resourceVersion ${detail}`;
    case 'Conflict': return `the stored object has ${detail}`;
    case 'NotFound': return 'there is no such object';
  }
}
