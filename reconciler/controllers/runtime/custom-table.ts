/** All objects of custom kinds that a process knows, indexed; the other half of an `ObjectTable`. */
import {
  keyOf,
  NO_CUSTOM_KINDS,
  RESOURCE,
  type CustomKey,
  type KindRegistry,
  type StoredUnstructured,
} from '../../../contracts/objects/index.ts';
import type { CustomView } from '../../core/kinds/custom.ts';
import { Ordered } from './ordered.ts';

const ALL = '';
/** Uids of objects that went: those of one definition with all its objects, most of the time. */
const MOST_GONE = 20_000;

export class CustomTable implements CustomView {
  readonly #kinds: () => KindRegistry;
  readonly #objects = new Map<CustomKey, StoredUnstructured>();
  /** By resource or {@link ALL}, alone or in a namespace, and by an owner's uid. */
  readonly #places = new Map<string, Ordered<StoredUnstructured>>();

  /** Of objects that went, the last ones, with their namespaces. */
  readonly #gone = new Map<string, string | undefined>();

  constructor(kinds: () => KindRegistry = () => NO_CUSTOM_KINDS) {
    this.#kinds = kinds;
  }

  /** The kinds that are registered now: another registry when that has changed. */
  get kinds(): KindRegistry {
    return this.#kinds();
  }

  get(key: CustomKey): StoredUnstructured | undefined {
    return this.#objects.get(key);
  }

  list(resource = ALL, namespace?: string): readonly StoredUnstructured[] {
    return this.#at(namespace === undefined ? resource : `${resource}/${namespace}`);
  }

  dependents(ownerUid: string): readonly StoredUnstructured[] {
    return this.#at(`owner ${ownerUid}`);
  }

  isGone(uid: string, namespace: string | undefined): boolean {
    if (!this.#gone.has(uid)) return false;
    const its = this.#gone.get(uid);
    return its === undefined || its === namespace;
  }

  /** Every key, in no order. */
  keys(): CustomKey[] {
    return [...this.#objects.keys()];
  }

  put(object: StoredUnstructured): StoredUnstructured | undefined {
    const key = keyOf(object);
    const previous = this.#objects.get(key);
    if (previous && previous.metadata.uid !== object.metadata.uid) this.#went(previous);
    this.#gone.delete(object.metadata.uid);
    this.#objects.set(key, object);
    const places = new Set(placesOf(object));
    if (previous) for (const place of placesOf(previous)) if (!places.has(place)) this.#drop(place, key);
    for (const place of places) {
      let found = this.#places.get(place);
      if (!found) this.#places.set(place, (found = new Ordered()));
      found.put(key, object);
    }
    return previous;
  }

  remove(key: CustomKey): StoredUnstructured | undefined {
    const previous = this.#objects.get(key);
    if (!previous) return undefined;
    this.#objects.delete(key);
    for (const place of placesOf(previous)) this.#drop(place, key);
    this.#went(previous);
    return previous;
  }

  #went({ metadata }: StoredUnstructured): void {
    this.#gone.set(metadata.uid, metadata.namespace);
    for (const uid of this.#gone.keys()) {
      if (this.#gone.size <= MOST_GONE) return;
      this.#gone.delete(uid);
    }
  }

  #at(place: string): readonly StoredUnstructured[] {
    return this.#places.get(place)?.values() ?? [];
  }

  #drop(place: string, key: string): void {
    const found = this.#places.get(place);
    found?.delete(key);
    if (found?.size === 0) this.#places.delete(place);
  }
}

function placesOf({
  [RESOURCE]: resource,
  metadata: { namespace, ownerReferences = [] },
}: StoredUnstructured): string[] {
  const owners = ownerReferences.map(({ uid }) => `owner ${uid}`);
  const here = namespace === undefined ? [] : [ALL, resource].map((what) => `${what}/${namespace}`);
  return [ALL, resource, ...here, ...owners];
}
