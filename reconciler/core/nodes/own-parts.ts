/**
 * What each node holds of its own: its Node, its pods, and what these lead to. One object's change costs the nodes that
 * hold it, not all.
 */
import { keyOf, objectKey, type ObjectKey } from '../../../contracts/objects/index.ts';
import { SetFingerprint } from './fingerprint.ts';
import { same, type Projected } from './projected.ts';

/** One node's own part. */
export interface OwnPart {
  /** How many of the node's objects ask for a key. */
  readonly asked: ReadonlyMap<ObjectKey, number>;
  /** Of all that is there of it. */
  readonly fingerprint: SetFingerprint;
  /** Its own Node, of which it holds more than the others do. */
  readonly own: Projected | undefined;
}

interface Part extends OwnPart {
  readonly asked: Map<ObjectKey, number>;
  own: Projected | undefined;
}

export class OwnParts {
  readonly #changed: (node: string, key: ObjectKey) => void;
  readonly #parts = new Map<string, Part>();
  /** Objects that some node may need. Pods: bound ones only. */
  readonly #followed = new Map<ObjectKey, Projected>();
  readonly #binding = new Map<ObjectKey, string>();
  /** Nodes that hold an object for itself, and not for a pod. */
  readonly #homes = new Map<ObjectKey, string>();
  /** Nodes by what they ask for. One by itself is no set: nearly all are, as no pod is on two nodes. */
  readonly #askers = new Map<ObjectKey, string | Set<string>>();

  /** `changed` hears of each key of a node's part that is another one than before. */
  constructor(changed: (node: string, key: ObjectKey) => void) {
    this.#changed = changed;
  }

  of(node: string): OwnPart {
    return this.#part(node);
  }

  /** Whether it has a Node of its own, or anything that its pods lead to. */
  isEmpty(node: string): boolean {
    const part = this.#parts.get(node);
    return !part || (part.own === undefined && part.asked.size === 0);
  }

  /** Of a node that {@link isEmpty}. */
  forget(node: string): void {
    this.#parts.delete(node);
  }

  /** An object that nodes ask for, whether one does or not. */
  object(key: ObjectKey): Projected | undefined {
    return this.#followed.get(key);
  }

  /** What the node holds of its own under this key. */
  held(node: string, key: ObjectKey): Projected | undefined {
    const { own, asked } = this.#part(node);
    if (own && keyOf(own.object) === key) return own;
    return asked.has(key) ? this.#followed.get(key) : undefined;
  }

  /** Keys of the pods that are bound to the node. */
  podsOf(node: string): readonly ObjectKey[] {
    return [...this.#binding].flatMap(([key, bound]) => (bound === node ? [key] : []));
  }

  setNode(name: string, next: Projected | undefined): void {
    const part = this.#part(name);
    if (same(part.own, next)) return;
    if (part.own) part.fingerprint.toggle(part.own.digest);
    if (next) part.fingerprint.toggle(next.digest);
    part.own = next;
    this.#changed(name, objectKey('Node', undefined, name));
  }

  /** Undefined `nodeName`: bound to none, or gone. */
  setPod(key: ObjectKey, next: Projected | undefined, nodeName: string | undefined): void {
    const bound = this.#binding.get(key);
    if (bound !== undefined && bound !== nodeName) {
      this.#release(bound, key);
      this.#binding.delete(key);
    }
    this.#set(key, nodeName === undefined ? undefined : next);
    if (nodeName !== undefined && bound !== nodeName) {
      this.#binding.set(key, nodeName);
      this.#ask(nodeName, key);
    }
  }

  /** An object that pods may lead to, and that the node `home` holds for itself. */
  settle(key: ObjectKey, next: Projected | undefined, home: string | undefined): void {
    this.#set(key, next);
    const before = this.#homes.get(key);
    if (before === home) return;
    if (home === undefined) this.#homes.delete(key);
    else {
      this.#homes.set(key, home);
      this.#ask(home, key);
    }
    if (before !== undefined) this.#release(before, key);
  }

  /** What the node holds for itself and not for a pod, beside what it is the home of. Asked and released in pairs. */
  bring(node: string, asked: readonly ObjectKey[], released: readonly ObjectKey[]): void {
    for (const key of asked) this.#ask(node, key);
    for (const key of released) this.#release(node, key);
  }

  #set(key: ObjectKey, next: Projected | undefined): void {
    const before = this.#followed.get(key);
    if (same(before, next)) return;
    const holders = this.#askersOf(key).map((name) => [name, this.#part(name)] as const);
    for (const [, part] of holders) if (before) part.fingerprint.toggle(before.digest);
    if (next) this.#followed.set(key, next);
    else this.#followed.delete(key);
    for (const [name, part] of holders) {
      if (next) part.fingerprint.toggle(next.digest);
      this.#changed(name, key);
      // New references first, so that what both have is not let go of in between.
      for (const reference of next?.references ?? []) this.#ask(name, reference);
      for (const reference of before?.references ?? []) this.#release(name, reference);
    }
  }

  #part(name: string): Part {
    let part = this.#parts.get(name);
    if (!part) {
      part = { asked: new Map(), fingerprint: new SetFingerprint(), own: undefined };
      this.#parts.set(name, part);
    }
    return part;
  }

  #askersOf(key: ObjectKey): readonly string[] {
    const askers = this.#askers.get(key) ?? [];
    return typeof askers === 'string' ? [askers] : [...askers];
  }

  #ask(node: string, key: ObjectKey): void {
    const part = this.#part(node);
    const count = part.asked.get(key) ?? 0;
    part.asked.set(key, count + 1);
    if (count > 0) return;
    const askers = this.#askers.get(key);
    if (askers instanceof Set) askers.add(node);
    else this.#askers.set(key, askers === undefined ? node : new Set([askers, node]));
    this.#changed(node, key);
    const object = this.#followed.get(key);
    if (!object) return;
    part.fingerprint.toggle(object.digest);
    for (const reference of object.references) this.#ask(node, reference);
  }

  #release(node: string, key: ObjectKey): void {
    const part = this.#part(node);
    const count = part.asked.get(key) ?? 0;
    if (count > 1) {
      part.asked.set(key, count - 1);
      return;
    }
    if (count === 0) return;
    part.asked.delete(key);
    const askers = this.#askers.get(key);
    if (askers instanceof Set) askers.delete(node);
    if (askers === node || (askers instanceof Set && askers.size === 0)) this.#askers.delete(key);
    this.#changed(node, key);
    const object = this.#followed.get(key);
    if (!object) return;
    part.fingerprint.toggle(object.digest);
    for (const reference of object.references) this.#release(node, reference);
  }
}
