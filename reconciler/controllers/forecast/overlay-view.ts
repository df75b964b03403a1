/**
 * The live state with changes of its own, which nobody else sees: copy on write. What was not changed here is read from
 * the view beneath, which may go on meanwhile; then it is as it is by then.
 */
import {
  keyOf,
  kindOfKey,
  type Kind,
  type ObjectKey,
  type Stored,
  type StoredAt,
  type StoredOf,
} from '../../../contracts/objects/index.ts';
import type { Claim } from '../../core/services/claims.ts';
import type { StoreView } from '../runtime/controller.ts';
import { ObjectTable } from '../runtime/object-table.ts';

interface Merged {
  readonly beneath: readonly unknown[];
  readonly own: readonly unknown[];
  readonly hidden: number;
  readonly all: readonly Stored[];
}

/** All that is looked at when two lists become one. */
interface Identified {
  readonly metadata: { readonly uid: string };
}

export class OverlayView implements StoreView {
  readonly #beneath: StoreView;
  readonly #own = new ObjectTable();
  /** Uids of objects beneath that were changed or are gone here, by kind. */
  readonly #hidden = new Map<Kind, Set<string>>();
  /** Of the lists in order, as they were last. */
  readonly #lists = new Map<string, Merged>();

  constructor(beneath: StoreView) {
    this.#beneath = beneath;
  }

  /** Nobody changes them here. */
  get custom(): StoreView['custom'] {
    return this.#beneath.custom;
  }

  get<Key extends ObjectKey>(key: Key): StoredAt<Key> | undefined {
    const own = this.#own.get(key);
    if (own) return own;
    const object = this.#beneath.get(key);
    return object && this.#hidden.get(kindOfKey(key))?.has(object.metadata.uid) ? undefined : object;
  }

  list<K extends Kind>(kind: K, namespace?: string): readonly StoredOf<K>[] {
    const beneath = this.#beneath.list(kind, namespace);
    const hidden = this.#hidden.get(kind)?.size ?? 0;
    const own = this.#own.list(kind, namespace);
    if (hidden === 0 && own.length === 0) return beneath;
    const name = `${kind} ${namespace ?? ''}`;
    const known = this.#lists.get(name);
    if (known?.beneath === beneath && known.own === own && known.hidden === hidden)
      return known.all as readonly StoredOf<K>[];
    const all = inOrder(this.#both(kind, beneath, own) as readonly Stored[]);
    this.#lists.set(name, { beneath, own, hidden, all });
    return all as readonly StoredOf<K>[];
  }

  ownedBy<K extends Kind>(kind: K, ownerUid: string): readonly StoredOf<K>[] {
    return this.#both(kind, this.#beneath.ownedBy(kind, ownerUid), this.#own.ownedBy(kind, ownerUid));
  }

  dependents<K extends Kind>(kind: K, ownerUid: string): readonly StoredOf<K>[] {
    return this.#both(kind, this.#beneath.dependents(kind, ownerUid), this.#own.dependents(kind, ownerUid));
  }

  podsOnNode(nodeName: string): readonly StoredOf<'Pod'>[] {
    return this.#both('Pod', this.#beneath.podsOnNode(nodeName), this.#own.podsOnNode(nodeName));
  }

  pendingPods(): readonly StoredOf<'Pod'>[] {
    return this.#both('Pod', this.#beneath.pendingPods(), this.#own.pendingPods());
  }

  labelled<K extends Kind>(kind: K, key: string, value: string, namespace?: string): readonly StoredOf<K>[] {
    return this.#both(
      kind,
      this.#beneath.labelled(kind, key, value, namespace),
      this.#own.labelled(kind, key, value, namespace),
    );
  }

  fromSource<K extends Kind>(kind: K, sourceName: string): readonly StoredOf<K>[] {
    const own = this.#own.fromSource(kind, sourceName);
    const all = this.#both(kind, this.#beneath.fromSource(kind, sourceName), own);
    return own.length === 0 ? all : (inOrder(all as readonly Stored[]) as readonly StoredOf<K>[]);
  }

  selecting<K extends Kind>(kind: K, pod: StoredOf<'Pod'>): readonly StoredOf<K>[] {
    return this.#both(kind, this.#beneath.selecting(kind, pod), this.#own.selecting(kind, pod));
  }

  pointingAt<K extends Kind>(kind: K, podUid: string): readonly StoredOf<K>[] {
    return this.#both(kind, this.#beneath.pointingAt(kind, podUid), this.#own.pointingAt(kind, podUid));
  }

  claiming<K extends Kind>(kind: K, claim: Claim): readonly StoredOf<K>[] {
    return this.#both(kind, this.#beneath.claiming(kind, claim), this.#own.claiming(kind, claim));
  }

  /** Answers what was there. */
  put(object: Stored): Stored | undefined {
    const previous: Stored | undefined = this.get(keyOf(object));
    if (previous) this.#hide(previous);
    this.#own.put(object);
    return previous;
  }

  /** Answers what was there. */
  remove(key: ObjectKey): Stored | undefined {
    const previous: Stored | undefined = this.get(key);
    if (previous) this.#hide(previous);
    this.#own.remove(key);
    return previous;
  }

  #hide({ kind, metadata: { uid } }: Stored): void {
    const hidden = this.#hidden.get(kind);
    if (hidden) hidden.add(uid);
    else this.#hidden.set(kind, new Set([uid]));
  }

  /** What is beneath and was not changed, then what was. */
  #both<T extends Identified>(kind: Kind, beneath: readonly T[], own: readonly T[]): readonly T[] {
    const hidden = this.#hidden.get(kind);
    const seen = hidden && beneath.length > 0 ? beneath.filter(({ metadata }) => !hidden.has(metadata.uid)) : beneath;
    if (own.length === 0) return seen;
    return seen.length === 0 ? own : [...seen, ...own];
  }
}

function inOrder(objects: readonly Stored[]): readonly Stored[] {
  return objects
    .map((object) => ({ key: keyOf(object), object }))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ object }) => object);
}
