/**
 * Tells a record that was put back from one that was written: who can write Redis may keep an object's earlier record,
 * proofs and all, and give it a newer version. A write names the version it replaced, so each part's base only ever
 * rises, and the newest part's base is not below the version that was known before.
 */
import { keyOf, type ObjectKey } from '../../../contracts/objects/index.ts';
import type { DecodedRecord } from './record.ts';

interface Known {
  readonly uid: string;
  readonly version: number;
  readonly bodyBase: number;
  readonly statusBase: number;
}

/** Deleted objects that are recognised when they come back. */
const KEPT_GONE = 20_000;

export class Freshness {
  #known = new Map<ObjectKey, Known>();
  /** By uid: the version of the deletion; oldest first. */
  readonly #gone = new Map<string, number>();

  /**
   * Takes note of a record that was read, as the object's state or its end; false when it cannot have been written
   * after what is known.
   */
  accept(type: 'put' | 'delete', { object, bodyBase, statusBase }: DecodedRecord): boolean {
    const key = keyOf(object);
    const { uid } = object.metadata;
    const version = Number(object.metadata.resourceVersion);
    if (version <= Math.max(bodyBase, statusBase)) return false;
    const known = this.#known.get(key);
    const ended = this.#gone.get(uid);
    if (ended !== undefined) return version <= ended;
    if (known && version <= known.version) return true;
    if (known?.uid === uid) {
      if (bodyBase < known.bodyBase || statusBase < known.statusBase) return false;
      if (type === 'put' && Math.max(bodyBase, statusBase) < known.version) return false;
    }
    if (type === 'delete') {
      this.#known.delete(key);
      this.#bury(uid, version);
    } else {
      if (known && known.uid !== uid) this.#bury(known.uid, version - 1);
      this.#known.set(key, { uid, version, bodyBase, statusBase });
    }
    return true;
  }

  /**
   * The same for a listing of everything at `version`: an object cannot be older in it than it was known to be by then.
   */
  acceptAll(records: readonly DecodedRecord[], version: number): boolean {
    const listed = new Set<ObjectKey>();
    for (const record of records) {
      const key = keyOf(record.object);
      const known = this.#known.get(key);
      if (known && known.version <= version && Number(record.object.metadata.resourceVersion) < known.version)
        return false;
      if (!this.accept('put', record)) return false;
      listed.add(key);
    }
    for (const [key, known] of this.#known) {
      if (known.version <= version && !listed.has(key)) this.#known.delete(key);
    }
    return true;
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
