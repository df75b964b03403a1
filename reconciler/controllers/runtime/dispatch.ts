/** From a change to the keys that it is work for, controller by controller. */
import {
  ALL_KINDS,
  keyOf,
  parseKey,
  type Kind,
  type ObjectKey,
  type Stored,
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
  ask(lane: L, keys: readonly ObjectKey[]): void;
  /** A watch function threw: its controller may miss the change. */
  failed(lane: L, object: Stored, error: unknown): void;
}

export class Dispatch<L extends Lane> {
  readonly #options: DispatchOptions<L>;
  readonly #byKind: ReadonlyMap<Kind, readonly L[]>;
  readonly #watchers: ReadonlyMap<Kind, readonly L[]>;

  constructor(options: DispatchOptions<L>) {
    this.#options = options;
    const { lanes } = options;
    this.#byKind = new Map(ALL_KINDS.map((kind) => [kind, lanes.filter((lane) => worksOn(lane.controller, kind))]));
    this.#watchers = new Map(
      ALL_KINDS.map((kind) => [kind, lanes.filter((lane) => lane.controller.watches[kind] !== undefined)]),
    );
  }

  /** Those that work on the kind. */
  of(kind: Kind): readonly L[] {
    return this.#byKind.get(kind) ?? [];
  }

  /** To be told of every change, when the view shows it. */
  changed(type: ChangeEvent['type'], object: Stored, previous: Stored | undefined): void {
    const beats = type === 'put' && previous !== undefined && isHeartbeat(previous, object);
    const cares = ({ controller }: L): boolean => !beats || controller.hearsHeartbeats === true;
    for (const lane of this.of(object.kind)) {
      if (!cares(lane)) continue;
      if (type === 'put' && previous !== undefined) {
        if (lane.ownWrites.made(object, previous)) continue;
        if (lane.controller.concerns && !lane.controller.concerns(object, previous)) continue;
      }
      this.#options.ask(lane, [keyOf(object)]);
    }
    for (const lane of this.#watchers.get(object.kind) ?? []) {
      if (!cares(lane)) continue;
      this.#ask(lane, this.#concerned(lane, object, type));
      // What the object concerned before (an old label, an old owner) has to hear of the change too.
      if (previous && type === 'put') this.#ask(lane, this.#concerned(lane, previous, type));
    }
  }

  #ask(lane: L, keys: readonly ObjectKey[]): void {
    const own = keys.filter((key) => worksOn(lane.controller, parseKey(key).kind));
    if (own.length > 0) this.#options.ask(lane, own);
  }

  /** Keys that a change to `object` concerns. */
  #concerned(lane: L, object: Stored, type: ChangeEvent['type']): readonly ObjectKey[] {
    // The table is keyed by the object's own kind, which the compiler cannot follow through the union.
    const map = lane.controller.watches[object.kind] as
      ((object: Stored, view: StoreView, event: ChangeEvent['type']) => readonly ObjectKey[]) | undefined;
    try {
      return map?.(object, this.#options.view, type) ?? [];
    } catch (error) {
      this.#options.failed(lane, object, error);
      return [];
    }
  }
}
