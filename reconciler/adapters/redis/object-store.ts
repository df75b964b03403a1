/** The `ObjectStore` on Redis >= 7 or Valkey: alone, with Sentinel, or in Cluster mode. */
import type { Redis, RedisOptions } from 'ioredis';
import {
  ALL_KINDS,
  displayKey,
  isCustom,
  keyOf,
  kindOfKey,
  type AnyKey,
  type AnyStored,
  type Kind,
  type ObjectKey,
  type Stored,
} from '../../../contracts/objects/index.ts';
import { PlumbError, RetryableError, TerminalError } from '../../core/errors.ts';
import { EPOCH_SLACK } from '../../core/nodes/epoch.ts';
import { kubeTime } from '../../core/storage/object-form.ts';
import { partBytes, STREAM_BYTES } from '../../core/storage/stream-parts.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Ids } from '../../ports/ids.ts';
import type { AnyWriteOp, Listing, ObjectStore, WatchBatch, WriteOp, WriteResult } from '../../ports/object-store.ts';
import { inTurns, UNSHARED, type TurnTaking } from '../../ports/turn-taking.ts';
import { Belief, type Asked } from './belief.ts';
import { follow, isAway, versionOf, type StreamReader } from './change-stream.ts';
import { Link, storeLost } from './connection.ts';
import type { Known } from './freshness.ts';
import { CUSTOM_OBJECTS, fieldOf, shelfOf, storeKeys, type Shelf, type StoreKeys } from './keys.ts';
import { PositionMark } from './position-mark.ts';
import { encodeBody, encodeStatus, NO_STATUS, proveEnd, type DecodedRecord, type PartPlace } from './record.ts';
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
  /** Bytes of changes that a watcher may fall behind before it has to list again. Default {@link STREAM_BYTES}. */
  readonly streamBytes?: number;
  /** How long a call waits for a server that does not answer, in ms. Default 5000. */
  readonly callTimeoutMs?: number;
  /** Of records that are made and read, each is a step. Default: nobody waits for the event loop. */
  readonly turns?: TurnTaking;
}

/** Of records, meta and keys: another one is not read but rebuilt. There are objects of custom kinds since 5. */
const FORMAT = '5';
/** Operations per script run: bounds how long Redis serves nobody else. */
const WRITE_CHUNK = 100;
const DELETIONS_PAGE = 5000;

export class RedisObjectStore implements ObjectStore {
  readonly #link: Link;
  readonly #keys: StoreKeys;
  readonly #seal: Seal;
  readonly #belief: Belief;
  readonly #clock: Clock;
  readonly #ids: Ids;
  readonly #mark: PositionMark;
  readonly #streamBytes: number;
  readonly #callTimeoutMs: number;
  readonly #turns: TurnTaking;
  readonly #watchers = new Set<Redis>();
  /** Answers to writes that are being read. */
  readonly #answers = new Set<Promise<unknown>>();
  /** As whom it writes; empty: as nobody in particular. */
  #member = '';
  #readProblem: string | undefined;
  #writeProblem: string | undefined;
  #closed = false;

  constructor(options: RedisObjectStoreOptions) {
    this.#keys = storeKeys(options.cluster);
    this.#seal = new Seal(options.sealKey);
    this.#clock = options.clock;
    this.#ids = options.ids;
    this.#mark = options.mark ?? new PositionMark();
    this.#streamBytes = options.streamBytes ?? STREAM_BYTES;
    this.#belief = new Belief(this.#seal, this.#mark, this.#streamBytes);
    this.#callTimeoutMs = options.callTimeoutMs ?? 5000;
    this.#turns = options.turns ?? UNSHARED;
    this.#link = new Link({ connection: options.connection, timeoutMs: this.#callTimeoutMs });
  }

  get problem(): string | undefined {
    return this.#readProblem ?? this.#writeProblem;
  }

  async open(signal: AbortSignal): Promise<{ incarnation: string; fresh: boolean }> {
    await this.#refuseEviction(signal);
    const { incarnation: known, version: reached, past } = this.#mark;
    const streams = [this.#keys.changes(''), this.#keys.deletions('')];
    const [incarnation, fresh, version] = await this.#run<[string, number, string]>(
      scripts.OPEN,
      this.#allKeys(),
      [this.#ids.uid(), FORMAT, this.#seal.name, known, String(reached), ...streams, ...past],
      signal,
    );
    this.#belief.open(incarnation, Number(version));
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
    const floor = Math.max(above, this.#mark.epoch);
    const epoch = Number(
      await this.#run<string>(
        scripts.NEXT_EPOCH,
        [this.#keys.meta],
        [...this.#check(), String(floor), String(now)],
        signal,
      ),
    );
    // The count has no proof. Agents remember the highest epoch, so one that nobody can speak above must never reach
    // them; and one that is not above the last would let a control plane of before speak again.
    if (!(epoch > floor && epoch <= Math.max(now, floor) + EPOCH_SLACK)) this.#belief.tampered('the count of epochs');
    this.#mark.count(epoch);
    return epoch;
  }

  async get(key: ObjectKey, signal?: AbortSignal): Promise<Stored | undefined> {
    const known = this.#belief.known(key);
    const [incarnation, reached] = this.#check();
    const record = await this.#run<string | null>(
      scripts.GET,
      [this.#keys.meta, this.#keys.objects(kindOfKey(key))],
      [incarnation, reached, fieldOf(key)],
      signal,
    );
    if (record === null) {
      if (known) await this.#proveGone([known], signal);
      return undefined;
    }
    return typed(this.#belief.current(record, { key, known, reached }).object);
  }

  list(kind: Kind, signal?: AbortSignal): Promise<Listing>;
  list(kind: undefined, signal?: AbortSignal): Promise<Listing<AnyStored>>;
  async list(kind: Kind | undefined, signal?: AbortSignal): Promise<Listing<AnyStored>> {
    const shelves = kind === undefined ? SHELVES : [kind];
    const keys = [this.#keys.meta, ...shelves.map((shelf) => this.#keys.objects(shelf))];
    const [resourceVersion, ...hashes] = await this.#run<[string, ...string[][]]>(
      scripts.LIST,
      keys,
      this.#check(),
      signal,
    );
    const records: DecodedRecord[] = [];
    for (const [index, of] of shelves.entries())
      for (const some of this.#belief.shelf(of, hashes[index] ?? [])) {
        records.push(...some);
        await nextTurn();
        signal?.throwIfAborted();
      }
    const missing = this.#belief.listing(records, Number(resourceVersion), kind);
    if (missing.length > 0) await this.#proveGone(missing, signal);
    this.#belief.advance(Number(resourceVersion));
    return { objects: records.map(({ object }) => object), resourceVersion };
  }

  async write(ops: readonly AnyWriteOp[], signal?: AbortSignal): Promise<readonly WriteResult[]> {
    const results: WriteResult[] = [];
    while (results.length < ops.length) {
      results.push(...(await this.#writeChunk(ops.slice(results.length, results.length + WRITE_CHUNK), signal)));
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
      const reader: StreamReader = {
        link: this.#link,
        clock: this.#clock,
        callTimeoutMs: this.#callTimeoutMs,
        position: (over) => this.#position(over),
        decode: async (entries) => {
          // They bring the same records.
          if (this.#answers.size > 0) await Promise.allSettled(this.#answers);
          return inTurns(this.#belief.entries(entries), this.#turns, signal);
        },
        isClosed: () => this.#closed,
      };
      yield* follow(reader, client, stream, Number(resourceVersion), signal);
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

  /** Throws once it is closed, and StoreLost where no incarnation is believed. */
  #claimed(): string {
    this.#refuseClosed();
    return this.#belief.incarnation;
  }

  /** What every script compares first. */
  #check(): [incarnation: string, version: string] {
    this.#refuseClosed();
    return this.#belief.check();
  }

  #refuseClosed(): void {
    if (this.#closed) throw new RetryableError('StoreUnavailable', 'the object store was closed');
  }

  #allKeys(): string[] {
    return [this.#keys.meta, ...SHELVES.map((shelf) => this.#keys.objects(shelf))];
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
      this.#belief.advance(version);
      return version;
    } catch (error) {
      if (!isAway(error) || this.#closed) throw error;
      return undefined;
    }
  }

  /** As `#readAnswers`, of what is written with one run of the script. */
  async #writeChunk(ops: readonly AnyWriteOp[], signal: AbortSignal | undefined): Promise<WriteResult[]> {
    const shelves = new Map<Shelf, number>();
    const args: string[] = [];
    const sent: SentOp[] = [];
    const [incarnation, reached] = this.#check();
    for (const op of ops) {
      if (this.#turns.isOver) {
        await this.#turns.next();
        signal?.throwIfAborted();
      }
      const key = op.op === 'delete' ? op.key : keyOf(op.object);
      const shelf = shelfOf(key);
      // KEYS is 1-based, and begins with the meta hash and the two streams.
      const hash = shelves.get(shelf) ?? shelves.size + 4;
      shelves.set(shelf, hash);
      const known = this.#belief.known(key);
      args.push(op.op, String(hash), fieldOf(key), ...this.#encodeOp(op, key, known, incarnation));
      sent.push({ op, key, known, reached });
    }
    const keys = [
      this.#keys.meta,
      this.#keys.changes(incarnation),
      this.#keys.deletions(incarnation),
      ...[...shelves.keys()].map((shelf) => this.#keys.objects(shelf)),
    ];
    const replies = await this.#run<Reply[]>(
      scripts.WRITE,
      keys,
      [incarnation, reached, this.#member, String(partBytes(this.#streamBytes)), ...args],
      signal,
    );
    const results = this.#readAnswers(sent, replies, signal);
    this.#answers.add(results);
    try {
      return await results;
    } finally {
      this.#answers.delete(results);
    }
  }

  /**
   * The results of the first of these: all of them, or as many as come before a delete whose proof was for another
   * version than the object has by now, which is known from then on.
   */
  async #readAnswers(
    sent: readonly SentOp[],
    replies: readonly Reply[],
    signal: AbortSignal | undefined,
  ): Promise<WriteResult[]> {
    const results: WriteResult[] = [];
    for (const [index, { op, ...place }] of sent.entries()) {
      if (this.#turns.isOver) await this.#turns.next();
      const reply = replies[index] ?? ['NotFound'];
      if (reply[0] === 'NotFound' && place.known) await this.#proveGone([place.known], signal);
      if (reply[0] === 'unproved') {
        this.#belief.current(reply[1], place);
        break;
      }
      results.push(
        reply[0] === 'ok' ? this.#decodeWritten(reply[1], op.op, place) : this.#decodeRefusal(reply, op.op, place),
      );
    }
    return results;
  }

  /** uid, expected version, creation time, specDigest, bodyDigest, bodyProof, statusProof, body, status. */
  #encodeOp(op: AnyWriteOp, key: AnyKey, known: Known | undefined, incarnation: string): string[] {
    if (op.op === 'delete') {
      const uid = op.uid ?? known?.uid;
      const base = op.resourceVersion ?? known?.version.toString();
      const proof =
        uid === undefined || base === undefined ? '' : proveEnd({ incarnation, key, uid, base }, this.#seal);
      return [op.uid ?? '', op.resourceVersion ?? '', '', '', '', proof, '', '', ''];
    }
    const { metadata } = op.object;
    const uid = oneLine(metadata.uid ?? this.#ids.uid());
    const expected = op.op === 'create' ? '' : (metadata.resourceVersion ?? '0');
    const created = oneLine(metadata.creationTimestamp ?? kubeTime(this.#clock.now()));
    const place: PartPlace = { incarnation, key, uid, base: op.op === 'create' ? '0' : expected };
    // A recovery may bring back what was deleted here.
    if (op.op === 'create' && metadata.uid !== undefined) this.#belief.expect(metadata.uid);
    const { statusProof, status } = op.op === 'update' ? NO_STATUS : encodeStatus(op.object, place, this.#seal);
    if (op.op === 'updateStatus') return [uid, expected, created, '', '', '', statusProof, '', status];
    const { specDigest, bodyDigest, bodyProof, body } = encodeBody(op.object, place, this.#seal);
    return [uid, expected, created, specDigest, bodyDigest, bodyProof, statusProof, body, status];
  }

  /**
   * Finds the proofs that these objects, known and not there, were deleted: by another control plane, or unseen between
   * two listings. Throws StoreLost where there is none.
   */
  async #proveGone(missing: readonly Known[], signal: AbortSignal | undefined): Promise<void> {
    const incarnation = this.#claimed();
    const left = new Map(missing.map((known) => [known.uid, known]));
    for (let from = 1 + Math.min(...missing.map(({ version }) => version)); left.size > 0;) {
      const entries: [id: string, [uid: string, proof: string]][] = await this.#run(
        scripts.DELETIONS,
        [this.#keys.meta, this.#keys.deletions(incarnation)],
        [...this.#check(), String(from), String(DELETIONS_PAGE)],
        signal,
      );
      for (const [id, [uid, proof]] of entries) {
        const known = left.get(uid);
        if (known && this.#belief.ended(known, proof, versionOf(id))) left.delete(uid);
      }
      const [last] = entries.at(-1) ?? [];
      if (last === undefined) break;
      from = versionOf(last) + 1;
    }
    const [lost] = left.values();
    if (lost && this.#belief.known(lost.key)?.uid === lost.uid)
      throw this.#belief.condemn(
        storeLost(new Error(`${displayKey(lost.key)} is gone, and nothing proves that it was deleted`)),
      );
  }

  #decodeRefusal(reply: Refusal, verb: WriteOp['op'], place: Asked): WriteResult {
    const [reason, record, field] = reply;
    // Also where nothing is written: a refusal because of what somebody put back would be the same for ever.
    const metadata = record === undefined ? undefined : this.#belief.current(record, place).object.metadata;
    const why =
      metadata === undefined
        ? 'there is no such object'
        : field === undefined
          ? `there is one already, at resourceVersion ${metadata.resourceVersion}`
          : `the stored object has ${field} ${metadata[field]}`;
    return { ok: false, reason, message: `${verb} ${displayKey(place.key)}: ${why}` };
  }

  #decodeWritten(record: string, verb: WriteOp['op'], place: Asked): WriteResult {
    const { object } =
      verb === 'delete' ? this.#belief.deleted(record, place.key) : this.#belief.current(record, place);
    this.#belief.answered(record, object);
    return { ok: true, object, resourceVersion: object.metadata.resourceVersion };
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
      if (error.code === 'StoreLost') throw this.#belief.condemn(error);
      if (writes) this.#writeProblem = error.message;
      else this.#readProblem = error.message;
      throw error;
    }
  }
}

/** An operation as it was sent. */
interface SentOp extends Asked {
  readonly op: AnyWriteOp;
}

/** Of the write script, per operation. */
type Reply = [outcome: 'ok', record: string] | [outcome: 'unproved', record: string] | Refusal;
type Refusal =
  | [reason: 'NotFound', record?: undefined, field?: undefined]
  | [reason: 'AlreadyExists', record: string, field?: undefined]
  | [reason: 'Conflict', record: string, field: 'uid' | 'resourceVersion'];

/** Every object is on one of them. */
const SHELVES: readonly Shelf[] = [...ALL_KINDS, CUSTOM_OBJECTS];

/** What stands where only objects of our kinds stand: one of another would have been written by somebody else. */
function typed(object: AnyStored): Stored | undefined {
  return isCustom(object) ? undefined : object;
}

/** What nodes tell must not end the field of a record that it is put into. Throws RangeError. */
function oneLine(text: string): string {
  if (/[|\n]/.test(text)) throw new RangeError('a uid and a time have no "|" and no line feed');
  return text;
}

async function nextTurn(): Promise<void> {
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
}
