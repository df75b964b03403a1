/** Names of the store's keys. All carry one hash tag, so that a script may touch them together in Cluster mode. */
import {
  IDENTITIES,
  isCustomKey,
  kindOfKey,
  parseKey,
  type AnyKey,
  type Kind,
} from '../../../contracts/objects/index.ts';

/** What has a hash of its own: each kind, and all objects of custom kinds together. */
export type Shelf = Kind | typeof CUSTOM_OBJECTS;
/** No kind's resource: those without a group are Kubernetes' own. */
export const CUSTOM_OBJECTS = 'custom';

export interface StoreKeys {
  /**
   * Hash: `incarnation`, `format`, `seal`, `version` (the counter behind resourceVersion), `ready`, `epoch`, how many
   * objects each shelf has, and the table of members and leases (lease-table.ts).
   */
  readonly meta: string;
  /** Hash of one kind, named by its resource: `namespace/name` to the record; of custom objects, key to record. */
  objects(shelf: Shelf): string;
  /**
   * The change stream of one incarnation: a watcher of a store that was emptied and claimed anew can never read the new
   * one by mistake.
   */
  changes(incarnation: string): string;
  /** Stream of the newest deletions of one incarnation: uid and proof, at the version of the deletion. */
  deletions(incarnation: string): string;
  /** The newest sample of a node's use (metrics-store.ts). */
  metrics(node: string): string;
}

/** Throws RangeError for a cluster name that would break the hash tag. */
export function storeKeys(cluster: string): StoreKeys {
  if (!/^[-._a-zA-Z0-9]+$/.test(cluster))
    throw new RangeError(`a cluster's name has letters, digits, '-', '_' and '.' only, not "${cluster}"`);
  const tag = `{plumb:${cluster}}`;
  return {
    meta: `${tag}:meta`,
    objects: (shelf) => `${tag}:objects:${shelf === CUSTOM_OBJECTS ? shelf : IDENTITIES[shelf].resource}`,
    changes: (incarnation) => `${tag}:changes:${incarnation}`,
    deletions: (incarnation) => `${tag}:deletions:${incarnation}`,
    metrics: (node) => `${tag}:metrics:${node}`,
  };
}

export function shelfOf(key: AnyKey): Shelf {
  return isCustomKey(key) ? CUSTOM_OBJECTS : kindOfKey(key);
}

/** The field of an object within its hash. */
export function fieldOf(key: AnyKey): string {
  if (isCustomKey(key)) return key;
  const { namespace, name } = parseKey(key);
  return `${namespace}/${name}`;
}

/** The key of a field within a hash; of a field that is none of ours, no object's key. */
export function keyOfField(shelf: Shelf, field: string): string {
  return shelf === CUSTOM_OBJECTS ? field : `${IDENTITIES[shelf].resource}/${field}`;
}
