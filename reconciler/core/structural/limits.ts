/** Bounds of what a commit says of a kind and its objects. */
import { isObject } from '../fields/json.ts';

/** Levels of a schema, and of an object, that are followed; Kubernetes' own types have less than half of it. */
export const MAX_SCHEMA_DEPTH = 64;
/** Fields that an entry of a list is known by: Kubernetes' own types have at most two. */
export const MAX_LIST_KEYS = 16;
/** Characters of JSON that defaults add to one object, and to all of a revision: as much as is read of them. */
export const MAX_DEFAULTS = 1024 * 1024;
const MAX_ALL_DEFAULTS = 32 * MAX_DEFAULTS;

/** Comparisons of a value with a part of its schema: a usual object takes some hundreds. */
const MAX_STEPS = 20_000_000;
/** Steps between two pauses that the work offers: a millisecond or two. */
const STEPS_IN_A_ROW = 2000;
/** To count characters is no comparison, but takes time too. */
const CHARACTERS_IN_A_STEP = 32;

/** Work on all objects of a revision together. */
export class Budget {
  #left: number;
  #pauseAt: number;
  #added = 0;

  constructor(steps = MAX_STEPS) {
    this.#left = steps;
    this.#pauseAt = steps - STEPS_IN_A_ROW;
  }

  /** Whether others should have their turn: once after so many steps. */
  pauseIsDue(): boolean {
    if (this.#left > this.#pauseAt) return false;
    this.#pauseAt = this.#left - STEPS_IN_A_ROW;
    return true;
  }

  get isSpent(): boolean {
    return this.#left <= 0 || this.#added > MAX_ALL_DEFAULTS;
  }

  /** Characters that defaults have added so far. */
  get added(): number {
    return this.#added;
  }

  /** Whether there was a step left. */
  take(steps = 1): boolean {
    if (this.isSpent) return false;
    this.#left -= steps;
    return true;
  }

  /** As {@link take}, for all that is looked at of a value itself, without what is in its fields. */
  takeFor(value: unknown): boolean {
    return !this.isSpent && this.take(stepsOf(value));
  }

  add(characters: number): void {
    this.#added += characters;
  }
}

function stepsOf(value: unknown): number {
  if (typeof value === 'string') return 1 + Math.floor(value.length / CHARACTERS_IN_A_STEP);
  return isObject(value) ? 1 + Object.keys(value).length : 1;
}

/** What follows from a part of a schema, worked out once: many values are held against the same part, which never changes. */
export function once<Part extends object, Made>(make: (part: Part) => Made): (part: Part) => Made {
  const known = new WeakMap<Part, { readonly made: Made }>();
  return (part) => {
    const found = known.get(part);
    if (found) return found.made;
    const made = make(part);
    known.set(part, { made });
    return made;
  };
}

/** Characters of a value of a schema as JSON. */
export function sizeOf(value: unknown): number {
  return typeof value === 'object' && value !== null ? sizeOfObject(value) : String(value).length;
}

const sizeOfObject = once((value: object) => JSON.stringify(value).length);
