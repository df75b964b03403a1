/** What of the store is believed: records of the present incarnation that prove themselves, and go nowhere back. */
import { keyOf, type AnyKey, type AnyStored, type Kind } from '../../../contracts/objects/index.ts';
import { RetryableError, type PlumbError } from '../../core/errors.ts';
import type { Paced } from '../../core/paced.ts';
import { Likeness } from '../../core/storage/likeness.ts';
import type { ChangeEvent } from '../../ports/object-store.ts';
import { newestOf, versionOf, type StreamReply } from './change-stream.ts';
import { storeLost } from './connection.ts';
import { Freshness, type Known } from './freshness.ts';
import { keyOfField, type Shelf } from './keys.ts';
import { OwnAnswers } from './own-answers.ts';
import type { PositionMark } from './position-mark.ts';
import { decodeRecord, provedEnd, type DecodedRecord } from './record.ts';
import type { Seal } from './seal.ts';

/** What an answer about one object is compared with. */
export interface Asked {
  readonly key: AnyKey;
  /** What was known of it before it was asked for. */
  readonly known: Known | undefined;
  /** The version that the store had at least. */
  readonly reached: string;
}

/** Records of a listing that are read in one turn of the event loop: some 10 ms. */
const DECODED_AT_ONCE = 200;

/** Whatever does not prove itself condemns the incarnation: each method throws what {@link condemn} was told. */
export class Belief {
  readonly #seal: Seal;
  readonly #mark: PositionMark;
  readonly #ownAnswers: OwnAnswers;
  readonly #likeness = new Likeness();
  #freshness = new Freshness();
  #incarnation: string | undefined;
  /** Why nothing of this incarnation is believed any more. */
  #condemned: PlumbError | undefined;

  /** `streamBytes`: of changes that a watcher may be behind. */
  constructor(seal: Seal, mark: PositionMark, streamBytes: number) {
    this.#seal = seal;
    this.#mark = mark;
    // A watcher that fell behind further lists again.
    this.#ownAnswers = new OwnAnswers(streamBytes);
  }

  /** Begins with an incarnation, or anew with the one that is known. */
  open(incarnation: string, version: number): void {
    if (incarnation !== this.#incarnation) {
      this.#freshness = new Freshness();
      this.#ownAnswers.clear();
    }
    this.#incarnation = incarnation;
    this.#condemned = undefined;
    this.#mark.advance(incarnation, version);
  }

  /** The incarnation that is believed. Throws StoreLost where there is none. */
  get incarnation(): string {
    if (this.#condemned) throw this.#condemned;
    if (this.#incarnation === undefined) throw storeLost(new Error('the store was not opened yet'));
    return this.#incarnation;
  }

  /** What every script compares first. */
  check(): [incarnation: string, version: string] {
    const { incarnation } = this;
    return [incarnation, String(this.#mark.incarnation === incarnation ? this.#mark.version : 0)];
  }

  /** The store has this version. */
  advance(version: number): void {
    if (this.#incarnation !== undefined && this.#mark.incarnation === this.#incarnation)
      this.#mark.advance(this.#incarnation, version);
  }

  known(key: AnyKey): Known | undefined {
    return this.#freshness.known(key);
  }

  /** An object of that uid may be made again: a recovery may bring back what was deleted here. */
  expect(uid: string): void {
    this.#freshness.expect(uid);
  }

  /** The record of an object that is there. */
  current(record: string, { key, known, reached }: Asked): DecodedRecord {
    const decoded = this.#decode(record, key);
    const isSound = keyOf(decoded.object) === key && this.#freshness.acceptCurrent(decoded, known, Number(reached));
    return isSound ? decoded : this.tampered(key);
  }

  /** The record of an object that this write deleted. */
  deleted(record: string, key: AnyKey): DecodedRecord {
    const decoded = this.#decode(record, key);
    return keyOf(decoded.object) === key && this.#freshness.accept('delete', decoded) ? decoded : this.tampered(key);
  }

  /** Remembers what a write answered: the change stream will tell it again. */
  answered(record: string, object: AnyStored): void {
    const { resourceVersion } = object.metadata;
    this.advance(Number(resourceVersion));
    this.#ownAnswers.put(resourceVersion, { record, object });
  }

  /** In the order of the stream. */
  *entries(entries: StreamReply): Paced<ChangeEvent[]> {
    const events: ChangeEvent[] = [];
    for (const [id, [type, record]] of entries) {
      yield;
      const version = String(versionOf(id));
      const own = this.#ownAnswers.take(version, record);
      if (own) {
        events.push({ type, object: own });
        continue;
      }
      const decoded = this.#decode(record, 'the change stream');
      if (decoded.object.metadata.resourceVersion !== version || !this.#freshness.accept(type, decoded))
        this.tampered(keyOf(decoded.object));
      events.push({ type, object: decoded.object });
    }
    this.advance(newestOf(entries));
    return events;
  }

  /** Fields and records of a hash, by turns. Yields some records at a time. */
  *shelf(shelf: Shelf, pairs: readonly string[]): Generator<readonly DecodedRecord[]> {
    for (let first = 0; first < pairs.length; first += 2 * DECODED_AT_ONCE) {
      const records: DecodedRecord[] = [];
      for (let at = first; at + 1 < Math.min(pairs.length, first + 2 * DECODED_AT_ONCE); at += 2) {
        const place = keyOfField(shelf, pairs[at] ?? '');
        const decoded = this.#decode(pairs[at + 1] ?? '', place);
        if (keyOf(decoded.object) !== place) this.tampered(place);
        records.push(decoded);
      }
      yield records;
    }
  }

  /** Takes a whole listing, of one kind or of all; what was known and is missing in it is given back. */
  listing(records: readonly DecodedRecord[], version: number, kind: Kind | undefined): readonly Known[] {
    // What a recovery wrote is listed, and never told by the stream: it would be kept for good.
    if (kind === undefined) this.#ownAnswers.listed(version);
    return this.#freshness.acceptAll(records, version, kind) ?? this.tampered('a listing');
  }

  /** Whether the proof of an end is that of this object, and not of an earlier version. It is known as ended then. */
  ended(known: Known, proof: string, version: number): boolean {
    const { key, uid } = known;
    const base = provedEnd(proof, { incarnation: this.incarnation, key, uid }, this.#seal);
    if (base === undefined || base < known.version) return false;
    this.#freshness.end(known, version);
    return true;
  }

  /** Nothing of this incarnation is believed from now on: it is rebuilt as a lost one is. */
  tampered(where: string): never {
    throw this.condemn(
      new RetryableError(
        'StoreTampered',
        `${where}: the record in Redis was not written by this control plane, or is an earlier one that was put back; nothing there is acted upon, the live state is rebuilt from Git and the nodes: find out who else can write to this Redis`,
      ),
    );
  }

  /** The same, for another reason, which is given back. */
  condemn(why: PlumbError): PlumbError {
    if (this.#incarnation !== undefined) this.#mark.condemn(this.#incarnation);
    return (this.#condemned = why);
  }

  #decode(record: string, where: string): DecodedRecord {
    const decoded = decodeRecord(record, this.incarnation, this.#seal) ?? this.tampered(where);
    this.#likeness.share(decoded.object, this.#freshness.known(keyOf(decoded.object))?.object);
    return decoded;
  }
}
