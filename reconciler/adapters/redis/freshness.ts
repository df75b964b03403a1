/**
 * What is known of the objects in the store, to tell a record that was put back from one that was written: who can write
 * Redis may keep an object's earlier record, proofs and all, and give it a newer version. A write names the version it
 * replaced, so each part's base only ever rises, and the newest part's base is not below the version that was known
 * before. A deletion names the version that it ended: nothing is above that, and who looks at the store at the version
 * of the deletion or later does not see the object.
 */
import { keyOf, type AnyKey, type AnyStored } from '../../../contracts/objects/index.ts';
import { shelfOf, type Shelf } from './keys.ts';
import type { DecodedRecord } from './record.ts';

export interface Known {
  readonly key: AnyKey;
  readonly uid: string;
  readonly version: number;
  readonly bodyBase: number;
  readonly statusBase: number;
  readonly object: AnyStored;
}

/** Deleted objects that are recognised when they come back. */
const KEPT_GONE = 20_000;

export class Freshness {
  readonly #known = new Map<AnyKey, Known>();
  /** By uid: the version of the deletion; oldest first. */
  readonly #gone = new Map<string, number>();

  /**
   * Takes note of a record that was read, as the object's state or its end; false when it cannot have been written
   * after what is known.
   */
  accept(type: 'put' | 'delete', { object, bodyBase, statusBase, endBase }: DecodedRecord): boolean {
    const key = keyOf(object);
    const { uid } = object.metadata;
    const version = Number(object.metadata.resourceVersion);
    if ((type === 'delete') !== (endBase !== undefined)) return false;
    const newest = endBase ?? Math.max(bodyBase, statusBase);
    if (version <= newest || newest < Math.max(bodyBase, statusBase)) return false;
    const known = this.#known.get(key);
    const ended = this.#gone.get(uid);
    if (ended !== undefined) return version <= ended;
    if (known && version <= known.version) return true;
    if (known?.uid === uid) {
      if (bodyBase < known.bodyBase || statusBase < known.statusBase) return false;
      if (newest < known.version) return false;
    }
    if (type === 'delete') {
      this.#known.delete(key);
      this.#bury(uid, version);
    } else {
      if (known && known.uid !== uid) this.#bury(known.uid, version - 1);
      // Of equal texts one is kept.
      this.#known.set(key, { key: known?.key ?? key, uid, version, bodyBase, statusBase, object });
    }
    return true;
  }

  /** The newest that is known of an object that is there. */
  known(key: AnyKey): Known | undefined {
    return this.#known.get(key);
  }

  /**
   * The same for a record that was there when the store was at `version` or later. `known` is what was known of its
   * object by then.
   */
  acceptCurrent(record: DecodedRecord, known: Known | undefined, version: number): boolean {
    const { uid, resourceVersion } = record.object.metadata;
    if (known && Number(resourceVersion) < known.version) return false;
    const ended = this.#gone.get(uid);
    if (ended !== undefined && ended <= version) return false;
    return this.accept('put', record);
  }

  /**
   * The same for a listing at `version` of everything, or of one kind: an object cannot be older in it than it was known
   * to be by then. Answers the objects that were known by then and are missing; undefined for a listing that cannot be.
   */
  acceptAll(records: readonly DecodedRecord[], version: number, shelf?: Shelf): Known[] | undefined {
    const listed = new Set<AnyKey>();
    for (const record of records) {
      const key = keyOf(record.object);
      const known = this.#known.get(key);
      const knownThen = known && known.version <= version ? known : undefined;
      if (!this.acceptCurrent(record, knownThen, version)) return undefined;
      listed.add(key);
    }
    return [...this.#known.values()].filter(
      (known) =>
        known.version <= version && !listed.has(known.key) && (shelf === undefined || shelfOf(known.key) === shelf),
    );
  }

  /** The object was deleted at `version`. */
  end({ key, uid }: Known, version: number): void {
    if (this.#known.get(key)?.uid === uid) this.#known.delete(key);
    this.#bury(uid, version);
  }

  /** An object with this uid is about to be created, deleted before or not. */
  expect(uid: string): void {
    this.#gone.delete(uid);
  }

  #bury(uid: string, version: number): void {
    this.#gone.set(uid, version);
    const [oldest] = this.#gone.keys();
    if (this.#gone.size > KEPT_GONE && oldest !== undefined) this.#gone.delete(oldest);
  }
}
