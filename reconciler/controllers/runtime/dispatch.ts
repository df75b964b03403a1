/** From a change to the keys that it is work for, controller by controller. */
import {
  ALL_KINDS,
  isCustomKey,
  keyOf,
  parseKey,
  type AnyKey,
  type AnyStored,
  type Kind,
  type Stored,
  type StoredUnstructured,
} from '../../../contracts/objects/index.ts';
import type { ChangeEvent } from '../../ports/object-store.ts';
import { worksOn, type Controller, type StoreView } from './controller.ts';
import { isHeartbeat } from './heartbeat.ts';
import type { OwnWrites } from './own-writes.ts';

/** A controller at work. */
export interface Lane {
  readonly controller: Controller;
  readonly ownWrites: OwnWrites;
}

export interface DispatchOptions<L extends Lane> {
  readonly lanes: readonly L[];
  readonly view: StoreView;
  /** Keys of the controller's own kinds that it has to look at. */
  ask(lane: L, keys: readonly AnyKey[]): void;
  /** A function of the controller threw: where it was a watch function, the controller may miss the change. */
  failed(lane: L, object: AnyStored, error: unknown): void;
}

export class Dispatch<L extends Lane> {
  readonly #options: DispatchOptions<L>;
  readonly #byKind: ReadonlyMap<Kind, readonly L[]>;
  readonly #watchers: ReadonlyMap<Kind, readonly L[]>;
  /** Those with work on objects of custom kinds. */
  readonly #custom: readonly L[];

  constructor(options: DispatchOptions<L>) {
    this.#options = options;
    const { lanes } = options;
    this.#byKind = new Map(ALL_KINDS.map((kind) => [kind, lanes.filter((lane) => worksOn(lane.controller, kind))]));
    this.#custom = lanes.filter(({ controller }) => controller.custom !== undefined);
    this.#watchers = new Map(
      ALL_KINDS.map((kind) => [kind, lanes.filter((lane) => lane.controller.watches[kind] !== undefined)]),
    );
  }

  /** Those that work on the key's kind. */
  of(key: AnyKey): readonly L[] {
    return isCustomKey(key) ? this.#custom : (this.#byKind.get(parseKey(key).kind) ?? []);
  }

  /** To be told of every change, when the view shows it. */
  changed(type: ChangeEvent['type'], object: Stored, previous: Stored | undefined): void {
    const beats = type === 'put' && previous !== undefined && isHeartbeat(previous, object);
    const cares = ({ controller }: L): boolean => !beats || controller.hearsHeartbeats === true;
    for (const lane of this.#byKind.get(object.kind) ?? []) {
      if (!cares(lane)) continue;
      if (type === 'delete') {
        if (lane.controller.worksOnGone === true) this.#options.ask(lane, [keyOf(object)]);
        continue;
      }
      if (previous && lane.ownWrites.made(object, previous)) continue;
      if (this.concerns(lane, object, previous)) this.#options.ask(lane, [keyOf(object)]);
    }
    for (const lane of this.#watchers.get(object.kind) ?? []) {
      if (!cares(lane) || (type === 'put' && this.#isIgnored(lane, object, previous))) continue;
      this.#ask(lane, this.#concerned(lane, object, type));
      // What the object concerned before (an old label, an old owner) has to hear of the change too.
      if (previous && type === 'put') this.#ask(lane, this.#concerned(lane, previous, type));
    }
  }

  /** Whether the controller, which works on its kind, has to look at the object; `previous` as in {@link changed}. */
  concerns(lane: L, object: Stored, previous: Stored | undefined): boolean {
    const { concerns } = lane.controller;
    return this.#told(lane, object, () => concerns?.(object, previous, this.#options.view) ?? true, true);
  }

  /** The same for an object of a custom kind. */
  customConcerns(lane: L, object: StoredUnstructured, previous: StoredUnstructured | undefined): boolean {
    const { custom } = lane.controller;
    return this.#told(lane, object, () => custom?.concerns(object, previous, this.#options.view) === true, true);
  }

  /** As {@link changed}, for an object of a custom kind. */
  customChanged(type: ChangeEvent['type'], object: StoredUnstructured, previous: StoredUnstructured | undefined): void {
    for (const lane of this.#custom) {
      const { custom } = lane.controller;
      const { view } = this.#options;
      const watch = (one: StoredUnstructured): readonly AnyKey[] =>
        this.#told(lane, one, () => custom?.watch(one, view, type) ?? [], []);
      if (type === 'put' && this.customConcerns(lane, object, previous)) this.#options.ask(lane, [keyOf(object)]);
      this.#ask(lane, watch(object));
      if (previous && type === 'put') this.#ask(lane, watch(previous));
    }
  }

  #isIgnored(lane: L, object: Stored, previous: Stored | undefined): boolean {
    const { ignores } = lane.controller;
    return previous !== undefined && this.#told(lane, object, () => ignores?.(object, previous) === true, false);
  }

  #ask(lane: L, keys: readonly AnyKey[]): void {
    const { controller } = lane;
    const own = keys.filter((key) =>
      isCustomKey(key) ? controller.custom !== undefined : worksOn(controller, parseKey(key).kind),
    );
    if (own.length > 0) this.#options.ask(lane, own);
  }

  /** Keys that a change to `object` concerns. */
  #concerned(lane: L, object: Stored, type: ChangeEvent['type']): readonly AnyKey[] {
    // The table is keyed by the object's own kind, which the compiler cannot follow through the union.
    const map = lane.controller.watches[object.kind] as
      ((object: Stored, view: StoreView, event: ChangeEvent['type']) => readonly AnyKey[]) | undefined;
    return this.#told(lane, object, () => map?.(object, this.#options.view, type) ?? [], []);
  }

  /** What the controller says of the change; `otherwise` where it fails at that: the others hear of it all the same. */
  #told<T>(lane: L, object: AnyStored, say: () => T, otherwise: T): T {
    try {
      return say();
    } catch (error) {
      this.#options.failed(lane, object, error);
      return otherwise;
    }
  }
}
