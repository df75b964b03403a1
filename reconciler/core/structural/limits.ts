/** Bounds of what a commit says of a kind and its objects. */

/** Levels of a schema, and of an object, that are followed; Kubernetes' own types have less than half of it. */
export const MAX_SCHEMA_DEPTH = 64;

/** Comparisons of a value with a part of its schema: a usual object takes some hundreds. */
const MAX_STEPS = 20_000_000;

/** Work on all objects of a revision together. */
export class Budget {
  #left = MAX_STEPS;

  get isSpent(): boolean {
    return this.#left <= 0;
  }

  /** Whether there was a step left. */
  take(): boolean {
    return this.#left-- > 0;
  }
}
