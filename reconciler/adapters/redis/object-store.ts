/** The `ObjectStore` on Redis >= 7 or Valkey: alone, with Sentinel, or in Cluster mode. */
import type { Redis, RedisOptions } from 'ioredis';
import {
  ALL_KINDS,
  keyOf,
  type Kind,
  type ObjectKey,
  parseKey,
  type Stored,
} from '../../../contracts/objects/index.ts';
import { PlumbError, RetryableError, TerminalError } from '../../core/errors.ts';
import { EPOCH_SLACK } from '../../core/nodes/epoch.ts';
import { kubeTime } from '../../core/storage/object-form.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Ids } from '../../ports/ids.ts';
import type { ChangeEvent, ObjectStore, WatchBatch, WriteOp, WriteResult } from '../../ports/object-store.ts';
import { Link, storeLost } from './connection.ts';
import { Freshness } from './freshness.ts';
import { fieldOf, storeKeys, type StoreKeys } from './keys.ts';
import { PositionMark } from './position-mark.ts';
import { decodeRecord, encodeBody, encodeStatus, NO_STATUS, type DecodedRecord, type PartPlace } from './record.ts';
import { Seal } from './seal.ts';
import { runScript } from './run-script.ts';
import * as scripts from './scripts.ts';

export interface RedisObjectStoreOptions {
  /** ioredis connection options (see `redisOptionsFromUrl`, `startPrivateRedis`). */
  readonly connection: RedisOptions;
  /** Cluster name: several clusters may share one Redis. Letters, digits, `-`, `_`, `.`. */
  readonly cluster: string;
  /**
   * 32 random bytes; Secrets are sealed with it, and records proved. Control planes that share a store need the same.
   */
  readonly sealKey: Uint8Array;
  readonly clock: Clock;
  readonly ids: Ids;
  /** Kept while the process lives, or longer; of this instance alone when absent. */
  readonly mark?: PositionMark;
  /** About how many changes a watcher may fall behind before it has to list again. Default 10000. */
  readonly streamLength?: number;
  /** How long a call waits for a server that does not answer, in ms. Default 5000. */
  readonly callTimeoutMs?: number;
}

/** Of records and meta: another one is not read but rebuilt. */
const FORMAT = '2';
/**
 * At most this long passes between the emptying of the store and a watcher's StoreLost, also while changes come without
 * a pause.
 */
const WATCH_BLOCK_MS = 500;
const WATCH_BATCH = 1000;
const WATCH_FIRST_RETRY_MS = 20;
const WATCH_LONGEST_RETRY_MS = 500;
/** Operations per script run: bounds how long Redis serves nobody else. */
const WRITE_CHUNK = 500;
/** Own writes that the watcher has not read yet. */
const OWN_WRITES_KEPT = 5000;

export class RedisObjectStore implements ObjectStore {
  readonly #link: Link;
  readonly #keys: StoreKeys;
  readonly #seal: Seal;
  readonly #clock: Clock;
  readonly #ids: Ids;
  readonly #mark: PositionMark;
  readonly #streamLength: number;
  readonly #callTimeoutMs: number;
  readonly #watchers = new Set<Redis>();
  /**
   * By version, what the answer to a write was: the change stream brings it again, and it is neither checked nor parsed
   * twice.
   */
  readonly #ownWrites = new Map<string, { readonly record: string; readonly object: Stored }>();
  #freshness = new Freshness();
  #incarnation: string | undefined;
  /** As whom it writes; empty: as nobody in particular. */
  #member = '';
  /** Why nothing of this incarnation is believed any more. */
  #condemned: PlumbError | undefined;
  #readProblem: string | undefined;
  #writeProblem: string | undefined;
  #closed = false;

  constructor(options: RedisObjectStoreOptions) {
    this.#keys = storeKeys(options.cluster);
    this.#seal = new Seal(options.sealKey);
    this.#clock = options.clock;
    this.#ids = options.ids;
    this.#mark = options.mark ?? new PositionMark();
    this.#streamLength = options.streamLength ?? 10_000;
    this.#callTimeoutMs = options.callTimeoutMs ?? 5000;
    this.#link = new Link({ connection: options.connection, timeoutMs: this.#callTimeoutMs });
  }

  get problem(): string | undefined {
    return this.#readProblem ?? this.#writeProblem;
  }

  async open(signal: AbortSignal): Promise<{ incarnation: string; fresh: boolean }> {
    await this.#refuseEviction(signal);
    const { incarnation: known, version: reached, past } = this.#mark;
    const args = [this.#ids.uid(), FORMAT, this.#seal.name, known, String(reached), this.#keys.changes(''), ...past];
    const [incarnation, fresh, version] = await this.#run<[string, number, string]>(
      scripts.OPEN,
      this.#allKeys(),
      args,
      signal,
    );
    if (incarnation !== this.#incarnation) {
      this.#freshness = new Freshness();
      this.#ownWrites.clear();
    }
    this.#incarnation = incarnation;
    this.#condemned = undefined;
    this.#mark.advance(incarnation, Number(version));
    return { incarnation, fresh: fresh === 1 };
  }

  writeAs(member: string): void {
    this.#member = member;
  }

  async markReady(signal: AbortSignal): Promise<void> {
    await this.#run(scripts.MARK_READY, [this.#keys.meta], [...this.#check(), this.#member], signal);
  }

  async nextEpoch(above: number, signal: AbortSignal): Promise<number> {
    const now = this.#clock.now().getTime();
    const epoch = Number(
      await this.#run<string>(
        scripts.NEXT_EPOCH,
        [this.#keys.meta],
        [...this.#check(), String(above), String(now)],
        signal,
      ),
    );
    // The count has no proof. Agents remember the highest epoch, so one that nobody can speak above must never reach
    // them.
    return epoch <= Math.max(now, above) + EPOCH_SLACK ? epoch : this.#tampered('the count of epochs');
  }

  async get<K extends Kind>(key: ObjectKey<K>, signal?: AbortSignal): Promise<Stored | undefined> {
    const { kind } = parseKey(key);
    const record = await this.#run<string | null>(
      scripts.GET,
      [this.#keys.meta, this.#keys.objects(kind)],
      [...this.#check(), fieldOf(key)],
      signal,
    );
    if (record === null) return undefined;
    const decoded = this.#decode(record, key);
    return keyOf(decoded.object) === key ? decoded.object : this.#tampered(key);
  }

  async list(
    kind: Kind | undefined,
    signal?: AbortSignal,
  ): Promise<{ objects: readonly Stored[]; resourceVersion: string }> {
    const kinds = kind === undefined ? ALL_KINDS : [kind];
    const keys = [this.#keys.meta, ...kinds.map((k) => this.#keys.objects(k))];
    const [resourceVersion, ...hashes] = await this.#run<[string, ...string[][]]>(
      scripts.LIST,
      keys,
      this.#check(),
      signal,
    );
    const records = hashes.flatMap((pairs, index) => this.#decodeHash(kinds[index] ?? 'Pod', pairs));
    const sound =
      kind === undefined
        ? this.#freshness.acceptAll(records, Number(resourceVersion))
        : records.every((record) => this.#freshness.accept('put', record));
    if (!sound) this.#tampered('a listing');
    this.#advance(Number(resourceVersion));
    return { objects: records.map(({ object }) => object), resourceVersion };
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
    if (signal.aborted) return;
    const client = this.#link.blockingTwin();
    const stop = (): void => {
      client.disconnect();
    };
    this.#watchers.add(client);
    signal.addEventListener('abort', stop, { once: true });
    try {
      yield* this.#follow(client, stream, Number(resourceVersion), signal);
    } catch (error) {
      if (!signal.aborted && !this.#closed) throw error;
    } finally {
      signal.removeEventListener('abort', stop);
      this.#watchers.delete(client);
      // Told after its end, ioredis sets a timer for the closed socket that keeps the process for two seconds.
      if (client.status !== 'end') client.disconnect();
    }
  }

  /** Ends with a relist, an abort or an error that waiting does not cure. */
  async *#follow(
    client: Redis,
    stream: string,
    from: number,
    signal: AbortSignal,
  ): AsyncGenerator<WatchBatch, void, undefined> {
    let at = from;
    let newest = await this.#position(signal);
    let checkedAt = this.#clock.monotonic();
    if (at > (newest ?? at)) {
      yield { type: 'relist' };
      return;
    }
    for (let retryMs = WATCH_FIRST_RETRY_MS; !signal.aborted && !this.#closed;) {
      let reply: StreamReply | undefined;
      try {
        reply = await this.#link.bounded(
          client,
          (twin) => readStream(twin, stream, at),
          WATCH_BLOCK_MS + this.#callTimeoutMs,
          signal,
        );
        retryMs = WATCH_FIRST_RETRY_MS;
      } catch (error) {
        this.#rethrowUnlessUnavailable(error);
        await this.#clock.sleep(retryMs, signal);
        retryMs = Math.min(WATCH_LONGEST_RETRY_MS, retryMs * 2);
      }
      if (reply) {
        if (versionOf(reply[0]) !== at + 1) {
          yield { type: 'relist' };
          return;
        }
        at = versionOf(reply[reply.length - 1] ?? reply[0]);
        yield { type: 'events', events: this.#decodeEntries(reply), resourceVersion: String(at) };
        if (this.#clock.monotonic() - checkedAt < WATCH_BLOCK_MS) continue;
      } else if (newest !== undefined && newest > at) {
        // There were changes before the last look, and the stream does not have them.
        yield { type: 'relist' };
        return;
      }
      newest = await this.#position(signal);
      checkedAt = this.#clock.monotonic();
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const client of this.#watchers) client.disconnect();
    this.#link.close();
  }

  /** This instance's incarnation. */
  #claimed(): string {
    if (this.#closed) throw new RetryableError('StoreUnavailable', 'the object store was closed');
    if (this.#condemned) throw this.#condemned;
    if (this.#incarnation === undefined) throw storeLost(new Error('the store was not opened yet'));
    return this.#incarnation;
  }

  /** What every script compares first. */
  #check(): [incarnation: string, version: string] {
    const incarnation = this.#claimed();
    return [incarnation, String(this.#mark.incarnation === incarnation ? this.#mark.version : 0)];
  }

  #advance(version: number): void {
    if (this.#incarnation !== undefined && this.#mark.incarnation === this.#incarnation)
      this.#mark.advance(this.#incarnation, version);
  }

  #allKeys(): string[] {
    return [this.#keys.meta, ...ALL_KINDS.map((kind) => this.#keys.objects(kind))];
  }

  /**
   * A server that drops what it likes when its memory is full is no place for state. One that keeps its settings to
   * itself is trusted.
   */
  async #refuseEviction(signal: AbortSignal): Promise<void> {
    const memory = await this.#link
      .call((client) => client.info('memory'), signal)
      .catch((error: unknown) => {
        if (error instanceof PlumbError && error.message.includes('NOPERM')) return '';
        throw error;
      });
    const policy = /^maxmemory_policy:([\w-]+)/m.exec(memory)?.[1] ?? 'noeviction';
    if (policy !== 'noeviction')
      throw new TerminalError(
        'RedisEvicts',
        `Redis drops data when its memory is full: its maxmemory-policy is ${policy}; set it to noeviction`,
      );
  }

  /** Newest version, after the checks; undefined while Redis cannot be reached (the watch resumes when it can). */
  async #position(signal: AbortSignal): Promise<number | undefined> {
    try {
      const version = Number(await this.#run<string>(scripts.POSITION, this.#allKeys(), this.#check(), signal));
      this.#advance(version);
      return version;
    } catch (error) {
      this.#rethrowUnlessUnavailable(error);
      return undefined;
    }
  }

  #rethrowUnlessUnavailable(error: unknown): void {
    if (!(error instanceof PlumbError) || error.code !== 'StoreUnavailable' || this.#closed) throw error;
  }

  async #writeChunk(ops: readonly WriteOp[], signal: AbortSignal | undefined): Promise<WriteResult[]> {
    const kinds = new Map<Kind, number>();
    const args: string[] = [];
    const [incarnation, reached] = this.#check();
    const keyList = ops.map((op) => {
      const key = op.op === 'delete' ? op.key : keyOf(op.object);
      const { kind } = parseKey(key);
      // KEYS is 1-based, and begins with the meta hash and the stream.
      const hash = kinds.get(kind) ?? kinds.size + 3;
      kinds.set(kind, hash);
      args.push(op.op, String(hash), fieldOf(key), ...this.#encodeOp(op, key, incarnation));
      return key;
    });
    const keys = [
      this.#keys.meta,
      this.#keys.changes(incarnation),
      ...[...kinds.keys()].map((kind) => this.#keys.objects(kind)),
    ];
    const replies = await this.#run<[string, string][]>(
      scripts.WRITE,
      keys,
      [incarnation, reached, this.#member, String(this.#streamLength), ...args],
      signal,
    );
    return replies.map(([outcome, detail], index) =>
      this.#decodeOutcome(outcome, detail, ops[index]?.op ?? 'update', keyList[index] ?? ''),
    );
  }

  /** uid, expected version, creation time, specDigest, bodyDigest, bodyProof, statusProof, body, status. */
  #encodeOp(op: WriteOp, key: ObjectKey, incarnation: string): string[] {
    if (op.op === 'delete') return [op.uid ?? '', op.resourceVersion ?? '', '', '', '', '', '', '', ''];
    const { metadata } = op.object;
    const uid = oneLine(metadata.uid ?? this.#ids.uid());
    const expected = op.op === 'create' ? '' : (metadata.resourceVersion ?? '0');
    const created = oneLine(metadata.creationTimestamp ?? kubeTime(this.#clock.now()));
    const place: PartPlace = { incarnation, key, uid, base: op.op === 'create' ? '0' : expected };
    // A recovery may bring back what was deleted here.
    if (op.op === 'create' && metadata.uid !== undefined) this.#freshness.expect(metadata.uid);
    const { statusProof, status } = op.op === 'update' ? NO_STATUS : encodeStatus(op.object, place, this.#seal);
    if (op.op === 'updateStatus') return [uid, expected, created, '', '', '', statusProof, '', status];
    const { specDigest, bodyDigest, bodyProof, body } = encodeBody(op.object, place, this.#seal);
    return [uid, expected, created, specDigest, bodyDigest, bodyProof, statusProof, body, status];
  }

  #decodeOutcome(outcome: string, detail: string, verb: WriteOp['op'], key: string): WriteResult {
    if (outcome !== 'ok') {
      const reason = outcome as 'AlreadyExists' | 'Conflict' | 'NotFound';
      return { ok: false, reason, message: `${verb} ${key}: ${explain(reason, detail)}` };
    }
    const decoded = this.#decode(detail, key);
    const { object } = decoded;
    if (keyOf(object) !== key || !this.#freshness.accept(verb === 'delete' ? 'delete' : 'put', decoded))
      this.#tampered(key);
    const { resourceVersion } = object.metadata;
    this.#advance(Number(resourceVersion));
    this.#ownWrites.set(resourceVersion, { record: detail, object });
    if (this.#ownWrites.size > OWN_WRITES_KEPT) this.#ownWrites.delete(this.#ownWrites.keys().next().value ?? '');
    return { ok: true, object, resourceVersion };
  }

  #decodeEntries(entries: StreamReply): ChangeEvent[] {
    const events = entries.map((entry): ChangeEvent => {
      const version = String(versionOf(entry));
      const [type, record] = entry[1];
      const own = this.#ownWrites.get(version);
      this.#ownWrites.delete(version);
      if (own?.record === record) return { type, object: own.object };
      const decoded = this.#decode(record, 'the change stream');
      if (decoded.object.metadata.resourceVersion !== version || !this.#freshness.accept(type, decoded))
        this.#tampered(keyOf(decoded.object));
      return { type, object: decoded.object };
    });
    this.#advance(versionOf(entries[entries.length - 1] ?? entries[0]));
    return events;
  }

  /** Fields and records, by turns. */
  #decodeHash(kind: Kind, pairs: readonly string[]): DecodedRecord[] {
    const records: DecodedRecord[] = [];
    for (let at = 0; at + 1 < pairs.length; at += 2) {
      const place = `${kind}/${pairs[at] ?? ''}`;
      const decoded = this.#decode(pairs[at + 1] ?? '', place);
      if (keyOf(decoded.object) !== place) this.#tampered(place);
      records.push(decoded);
    }
    return records;
  }

  #decode(record: string, where: string): DecodedRecord {
    return decodeRecord(record, this.#claimed(), this.#seal) ?? this.#tampered(where);
  }

  /** Nothing of this incarnation is believed from now on: it is rebuilt as a lost one is. */
  #tampered(where: string): never {
    throw this.#condemn(
      new RetryableError(
        'StoreTampered',
        `${where}: the record in Redis was not written by this control plane, or is an earlier one that was put back; nothing there is acted upon, the live state is rebuilt from Git and the nodes: find out who else can write to this Redis`,
      ),
    );
  }

  #condemn(why: PlumbError): PlumbError {
    if (this.#incarnation !== undefined) this.#mark.condemn(this.#incarnation);
    return (this.#condemned = why);
  }

  async #run<T>(
    script: string,
    keys: readonly string[],
    args: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const writes = script === scripts.WRITE;
    try {
      const answer = (await this.#link.call((client) => runScript(client, script, keys, args), signal)) as T;
      this.#readProblem = undefined;
      if (writes) this.#writeProblem = undefined;
      return answer;
    } catch (error) {
      if (!(error instanceof PlumbError) || this.#closed) throw error;
      if (error.code === 'StoreLost') throw this.#condemn(error);
      if (writes) this.#writeProblem = error.message;
      else this.#readProblem = error.message;
      throw error;
    }
  }
}

type StreamEntry = [id: string, fields: [type: ChangeEvent['type'], record: string]];
type StreamReply = readonly [StreamEntry, ...StreamEntry[]];

/** Entries after version `at`; undefined when there was none within the block time. */
async function readStream(client: Redis, stream: string, at: number): Promise<StreamReply | undefined> {
  const reply = await client.xread('COUNT', WATCH_BATCH, 'BLOCK', WATCH_BLOCK_MS, 'STREAMS', stream, `${at}-0`);
  const [first, ...rest] = (reply?.[0]?.[1] ?? []) as unknown as StreamEntry[];
  return first === undefined ? undefined : [first, ...rest];
}

/** What nodes tell must not end the field of a record that it is put into. Throws RangeError. */
function oneLine(text: string): string {
  if (/[|\n]/.test(text)) throw new RangeError('a uid and a time have no "|" and no line feed');
  return text;
}

function versionOf([id]: StreamEntry): number {
  return Number(id.slice(0, id.indexOf('-')));
}

function explain(reason: 'AlreadyExists' | 'Conflict' | 'NotFound', detail: string): string {
  switch (reason) {
    case 'AlreadyExists':
      return `there is one already, at resourceVersion ${detail}`;
    case 'Conflict':
      return `the stored object has ${detail}`;
    case 'NotFound':
      return 'there is no such object';
  }
}
