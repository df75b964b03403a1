/**
 * Objects that are alike hold what is equal in them once. Thousands of pods of one ReplicaSet have one spec, but each is
 * read from a text of its own: without this, each would hold a copy.
 */
import { readKey, type AnyStored } from '../../../contracts/objects/index.ts';

/** Families of which the newest object is remembered: those that changed last. */
const MOST_FAMILIES = 4096;

export class Likeness {
  /** The newest object of each family; the one that changed longest ago first. */
  readonly #newest = new Map<string, AnyStored>();

  /**
   * Replaces what in `object` equals the newest one of its family by what that one has, and then what equals the object
   * as it was `before` by what that has. The caller has just made the object of a text, and nobody else holds it. Costs
   * two walks over it. Objects of the kind Secret are left alone: nothing here keeps one that is gone.
   */
  share(object: AnyStored, before: AnyStored | undefined): void {
    if (object.kind === 'Secret') return;
    const family = familyOf(object);
    const like = this.#newest.get(family);
    if (like) shared(object, like);
    if (before) shared(object, before);
    this.#newest.delete(family);
    this.#newest.set(family, object);
    if (this.#newest.size <= MOST_FAMILIES) return;
    const [oldest] = this.#newest.keys();
    if (oldest !== undefined) this.#newest.delete(oldest);
  }
}

/** What one controller made is alike; else what is of one kind. */
function familyOf({ kind, metadata }: AnyStored): string {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller === true);
  return owner ? `${kind} ${owner.uid}` : kind;
}

/** `like` where both are equal; else `value`, of which equal parts are now those of `like`. */
function shared(value: unknown, like: unknown): unknown {
  if (typeof value === 'string') return value === like ? like : value;
  if (typeof value !== 'object' || value === null || typeof like !== 'object' || like === null) return value;
  if (Array.isArray(value) !== Array.isArray(like)) return value;
  const mine = Object.entries(value);
  let isEqual = mine.length === Object.keys(like).length;
  for (const [name, before] of mine) {
    const other = readKey<unknown>(like as Readonly<Record<string, unknown>>, name);
    const after = shared(before, other);
    if (after !== other || other === undefined) isEqual = false;
    // Of equal strings either would do for `===`; only one of them is to stay. And no name is set that would be the
    // object's prototype.
    else if (name === '__proto__') isEqual = false;
    else if (typeof after === 'string' || typeof after === 'object') Reflect.set(value, name, after);
  }
  return isEqual ? like : value;
}
