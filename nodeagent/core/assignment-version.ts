/**
 * The assignment at one version, from which the next is made at the cost of what changes, however much there is. All
 * versions share the objects of the newest; an older one knows what the step after it replaced (Baker, "Shallow binding
 * makes functional arrays fast", 1991). Looking at one takes a step for each version after it.
 */
import type { Kind, KubeObject, ObjectAt, ObjectKey, ObjectsByKind } from '../../contracts/objects/index.ts';
import { keyOf } from '../../contracts/objects/key.ts';
import type { AssignmentView } from './assignment.ts';

/** What differs from the version before. */
export interface AssignmentStep {
  readonly version: string;
  readonly node: string;
  readonly upsert: readonly KubeObject[];
  readonly remove: readonly ObjectKey[];
}

/** Of the newest version. */
interface Held {
  readonly objects: Map<ObjectKey, KubeObject>;
  readonly keys: Map<Kind, Set<ObjectKey>>;
}

type Lists = Map<Kind, readonly KubeObject[]>;

export class AssignmentVersion implements AssignmentView {
  readonly version: string | null;
  readonly node: string;
  private readonly held: Held;
  /** What somebody asked for. */
  private readonly lists: Lists;
  private after:
    { readonly next: AssignmentVersion; readonly replaced: ReadonlyMap<ObjectKey, KubeObject | undefined> } | undefined;

  private constructor(version: string | null, node: string, held: Held, lists: Lists) {
    this.version = version;
    this.node = node;
    this.held = held;
    this.lists = lists;
  }

  /** One that shares nothing with another. */
  static of(version: string | null, node: string, objects: readonly KubeObject[]): AssignmentVersion {
    const held: Held = { objects: new Map(), keys: new Map() };
    for (const object of objects) put(held, keyOf(object), object);
    return new AssignmentVersion(version, node, held, new Map());
  }

  /** The version after this one, which stays as it is. Throws RangeError where there is one already. */
  next({ version, node, upsert, remove }: AssignmentStep): AssignmentVersion {
    if (this.after) throw new RangeError(`there is a version after ${this.version ?? 'the first'} already`);
    const replaced = new Map<ObjectKey, KubeObject | undefined>();
    const lists = new Map(this.lists);
    const change = (key: ObjectKey, object: KubeObject | undefined): void => {
      const before = this.held.objects.get(key);
      if (!replaced.has(key)) replaced.set(key, before);
      const kind = object?.kind ?? before?.kind;
      if (kind) lists.delete(kind);
      if (object) put(this.held, key, object);
      else if (before) drop(this.held, key, before);
    };
    for (const key of remove) change(key, undefined);
    for (const object of upsert) change(keyOf(object), object);
    const next = new AssignmentVersion(version, node, this.held, lists);
    this.after = { next, replaced };
    return next;
  }

  /** How many objects there are. Of the newest version. */
  get size(): number {
    return this.held.objects.size;
  }

  /** Of all objects, in no order. Of the newest version. */
  keys(): IterableIterator<ObjectKey> {
    return this.held.objects.keys();
  }

  get<Key extends ObjectKey>(key: Key): ObjectAt<Key> | undefined {
    let step = this.after;
    while (step && !step.replaced.has(key)) step = step.next.after;
    return (step ? step.replaced.get(key) : this.held.objects.get(key)) as ObjectAt<Key> | undefined;
  }

  list<K extends Kind>(kind: K): readonly ObjectsByKind[K][] {
    let list = this.lists.get(kind);
    if (!list) {
      list = this.keysOf(kind).flatMap((key) => this.get(key) ?? []);
      this.lists.set(kind, list);
    }
    return list as readonly ObjectsByKind[K][];
  }

  private keysOf(kind: Kind): ObjectKey[] {
    const keys = new Set(this.held.keys.get(kind));
    for (let step = this.after; step; step = step.next.after)
      for (const [key, before] of step.replaced) if (before?.kind === kind) keys.add(key);
    return [...keys].sort();
  }
}

function put({ objects, keys }: Held, key: ObjectKey, object: KubeObject): void {
  objects.set(key, object);
  const ofKind = keys.get(object.kind);
  if (ofKind) ofKind.add(key);
  else keys.set(object.kind, new Set([key]));
}

function drop({ objects, keys }: Held, key: ObjectKey, { kind }: KubeObject): void {
  objects.delete(key);
  const ofKind = keys.get(kind);
  ofKind?.delete(key);
  if (ofKind?.size === 0) keys.delete(kind);
}
