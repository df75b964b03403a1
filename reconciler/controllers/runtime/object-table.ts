/** All objects that a process knows, indexed. Reads are synchronous; objects are shared and never changed. */
import {
  keyOf,
  parseKey,
  type Kind,
  type ObjectKey,
  type Stored,
  type StoredOf,
} from '../../../contracts/objects/index.ts';
import type { StoreView } from './controller.ts';
import { KeyIndex } from './key-index.ts';

interface KindTable {
  readonly objects: Map<ObjectKey, Stored>;
  /** By namespace (`*` for all): built when asked for, dropped with the next change. */
  readonly lists: Map<string, readonly Stored[]>;
  /** Dropped only when an object comes or goes: sorting is what costs. */
  sortedKeys: readonly ObjectKey[] | undefined;
}

const ALL_NAMESPACES = '*';
const PENDING = 'pending';

export class ObjectTable implements StoreView {
  readonly #kinds = new Map<Kind, KindTable>();
  readonly #index = new KeyIndex();

  get<K extends Kind>(key: ObjectKey<K>): StoredOf<K> | undefined {
    return this.#kinds.get(kindOf(key))?.objects.get(key) as StoredOf<K> | undefined;
  }

  list<K extends Kind>(kind: K, namespace?: string): readonly StoredOf<K>[] {
    const table = this.#kinds.get(kind);
    if (!table) return [];
    const name = namespace ?? ALL_NAMESPACES;
    let list = table.lists.get(name);
    if (!list) {
      table.sortedKeys ??= [...table.objects.keys()].sort();
      const keys =
        namespace === undefined
          ? table.sortedKeys
          : table.sortedKeys.filter((key) => key.startsWith(`${kind}/${namespace}/`));
      list = keys.flatMap((key) => table.objects.get(key) ?? []);
      table.lists.set(name, list);
    }
    return list as readonly StoredOf<K>[];
  }

  ownedBy<K extends Kind>(kind: K, ownerUid: string): readonly StoredOf<K>[] {
    return this.#find<K>(`owner ${kind} ${ownerUid}`);
  }

  dependents<K extends Kind>(kind: K, ownerUid: string): readonly StoredOf<K>[] {
    const besides = this.#find<K>(`co-owner ${kind} ${ownerUid}`);
    return besides.length === 0 ? this.ownedBy(kind, ownerUid) : [...this.ownedBy(kind, ownerUid), ...besides];
  }

  podsOnNode(nodeName: string): readonly StoredOf<'Pod'>[] {
    return this.#find<'Pod'>(`node ${nodeName}`);
  }

  pendingPods(): readonly StoredOf<'Pod'>[] {
    return this.#find<'Pod'>(PENDING);
  }

  labelled<K extends Kind>(kind: K, key: string, value: string, namespace?: string): readonly StoredOf<K>[] {
    const found = this.#find<K>(labelTerm(kind, key, value));
    return namespace === undefined ? found : found.filter((object) => object.metadata.namespace === namespace);
  }

  /** Every key, kind by kind. */
  keys(): ObjectKey[] {
    return [...this.#kinds.values()].flatMap(({ objects }) => [...objects.keys()]);
  }

  put(object: Stored): Stored | undefined {
    const key = keyOf(object);
    let table = this.#kinds.get(object.kind);
    if (!table) {
      table = { objects: new Map(), lists: new Map(), sortedKeys: undefined };
      this.#kinds.set(object.kind, table);
    }
    const previous = table.objects.get(key);
    if (previous) this.#index.remove(termsOf(previous), key);
    else table.sortedKeys = undefined;
    table.lists.clear();
    table.objects.set(key, object);
    this.#index.add(termsOf(object), key);
    return previous;
  }

  remove(key: ObjectKey): Stored | undefined {
    const table = this.#kinds.get(kindOf(key));
    const previous = table?.objects.get(key);
    if (!table || !previous) return undefined;
    this.#index.remove(termsOf(previous), key);
    table.objects.delete(key);
    table.lists.clear();
    table.sortedKeys = undefined;
    return previous;
  }

  #find<K extends Kind>(term: string): readonly StoredOf<K>[] {
    return this.#index.keys(term).flatMap((key) => this.get(key as ObjectKey<K>) ?? []);
  }
}

function kindOf(key: ObjectKey): Kind {
  return parseKey(key).kind;
}

function labelTerm(kind: Kind, key: string, value: string): string {
  return `label ${kind} ${key}=${value}`;
}

function termsOf(object: Stored): string[] {
  const { metadata, kind } = object;
  const terms = Object.entries(metadata.labels ?? {}).map(([key, value]) => labelTerm(kind, key, value));
  for (const { uid, controller } of metadata.ownerReferences ?? [])
    terms.push(`${controller === true ? 'owner' : 'co-owner'} ${kind} ${uid}`);
  if (object.kind === 'Pod') {
    if (object.spec.nodeName !== undefined) terms.push(`node ${object.spec.nodeName}`);
    else if (metadata.deletionTimestamp === undefined) terms.push(PENDING);
  }
  return terms;
}
