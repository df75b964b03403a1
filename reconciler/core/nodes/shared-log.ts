/**
 * What all nodes hold alike, in editions. A change waits until it is published with all others of its time; where a node
 * is, is then one edition, and what it lacks is made once for all that are where it is.
 */
import type { KubeObject, ObjectKey } from '../../../contracts/objects/index.ts';
import { SetFingerprint } from './fingerprint.ts';
import { same, type Projected } from './projected.ts';

/** The way from one edition to another. One value for all nodes that take it: its text is made once. */
export interface SharedChanges {
  readonly upsert: readonly KubeObject[];
  readonly remove: readonly ObjectKey[];
  /** Of both. */
  readonly keys: ReadonlySet<ObjectKey>;
}

export interface Edition {
  /** Counts up from 0, which is empty. */
  readonly number: number;
  /** Equal for editions with equal content, also of other processes. */
  readonly fingerprint: string;
  /** What differs from the one before. */
  readonly keys: readonly ObjectKey[];
}

/** Changes that are kept beyond two of each object: below it, nobody has to be sent everything. */
const SPARE_CHANGES = 256;

export class SharedLog {
  readonly #published = new Map<ObjectKey, Projected>();
  /** As it will be; undefined: gone. */
  readonly #waiting = new Map<ObjectKey, Projected | undefined>();
  readonly #fingerprint = new SetFingerprint();
  /** Oldest first. */
  readonly #editions: Edition[] = [{ number: 0, fingerprint: this.#fingerprint.hex(), keys: [] }];
  /** Keys in them. */
  #kept = 0;
  /** To the newest edition, by the number of the one it starts from. */
  readonly #since = new Map<number, SharedChanges>();
  #whole: SharedChanges | undefined;

  /** Of the newest edition. */
  get size(): number {
    return this.#published.size;
  }

  get newest(): Edition {
    return this.#editions.at(-1) as Edition;
  }

  /** The object as it is in the newest edition. */
  get(key: ObjectKey): Projected | undefined {
    return this.#published.get(key);
  }

  /** Says whether it differs from what was there before. */
  put(key: ObjectKey, next: Projected | undefined): boolean {
    const before = this.#waiting.has(key) ? this.#waiting.get(key) : this.#published.get(key);
    if (same(before, next)) return false;
    this.#waiting.set(key, next);
    return true;
  }

  /** Makes an edition of what waits. Costs what changed. Says whether there was anything. */
  publish(): boolean {
    if (this.#waiting.size === 0) return false;
    for (const [key, next] of this.#waiting) {
      const before = this.#published.get(key);
      if (before) this.#fingerprint.toggle(before.digest);
      if (next) {
        this.#fingerprint.toggle(next.digest);
        this.#published.set(key, next);
      } else {
        this.#published.delete(key);
      }
    }
    const keys = [...this.#waiting.keys()];
    this.#editions.push({ number: this.newest.number + 1, fingerprint: this.#fingerprint.hex(), keys });
    this.#kept += keys.length;
    this.#waiting.clear();
    this.#since.clear();
    this.#whole = undefined;
    while (this.#kept > 2 * this.#published.size + SPARE_CHANGES && this.#editions.length > 1)
      this.#kept -= this.#editions.shift()?.keys.length ?? 0;
    return true;
  }

  /** The newest edition that is still kept and has this content. */
  find(fingerprint: string): Edition | undefined {
    return this.#editions.findLast((edition) => edition.fingerprint === fingerprint);
  }

  /** From `edition` to the newest; undefined when that is too long ago: then {@link whole}. */
  since(edition: Edition): SharedChanges | undefined {
    const first = edition.number + 1 - (this.#editions[0]?.number ?? 0);
    if (first < 0) return undefined;
    let changes = this.#since.get(edition.number);
    if (!changes) {
      changes = this.#changes(new Set(this.#editions.slice(first).flatMap(({ keys }) => keys)));
      this.#since.set(edition.number, changes);
    }
    return changes;
  }

  /** All of the newest edition, in place of anything. */
  whole(): SharedChanges {
    return (this.#whole ??= this.#changes(new Set(this.#published.keys())));
  }

  #changes(keys: ReadonlySet<ObjectKey>): SharedChanges {
    const upsert: KubeObject[] = [];
    const remove: ObjectKey[] = [];
    for (const key of keys) {
      const object = this.#published.get(key)?.object;
      if (object) upsert.push(object);
      else remove.push(key);
    }
    return { upsert, remove, keys };
  }
}
