/** Names of the store's keys. All carry one hash tag, so that a script may touch them together in Cluster mode. */
import { IDENTITIES, parseKey, type Kind, type ObjectKey } from '../../../contracts/objects/index.ts';

export interface StoreKeys {
  /** Hash: `incarnation`, `version` (the counter behind resourceVersion), `ready`. */
  readonly meta: string;
  /** Hash of one kind, named by its resource: `namespace/name` to the record. */
  objects(kind: Kind): string;
  /**
   * The change stream of one incarnation: a watcher of a store that was emptied and claimed anew can never read the new
   * one by mistake.
   */
  changes(incarnation: string): string;
  /** Stream of the newest deletions of one incarnation: uid and proof, at the version of the deletion. */
  deletions(incarnation: string): string;
}

/** Throws RangeError for a cluster name that would break the hash tag. */
export function storeKeys(cluster: string): StoreKeys {
  if (!/^[-._a-zA-Z0-9]+$/.test(cluster))
    throw new RangeError(`a cluster's name has letters, digits, '-', '_' and '.' only, not "${cluster}"`);
  const tag = `{plumb:${cluster}}`;
  return {
    meta: `${tag}:meta`,
    objects: (kind) => `${tag}:objects:${IDENTITIES[kind].resource}`,
    changes: (incarnation) => `${tag}:changes:${incarnation}`,
    deletions: (incarnation) => `${tag}:deletions:${incarnation}`,
  };
}

/** The field of an object within its kind's hash. */
export function fieldOf(key: ObjectKey): string {
  const { namespace, name } = parseKey(key);
  return `${namespace}/${name}`;
}

/** The key of a field within a kind's hash; of a field that is none of ours, no object's key. */
export function keyOfField(kind: Kind, field: string): string {
  return `${IDENTITIES[kind].resource}/${field}`;
}
