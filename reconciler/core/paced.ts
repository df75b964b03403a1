/**
 * A calculation that is long enough to keep others from their turn: it yields now and then, and whoever runs it may let
 * others go first. What it yields means nothing, and its answer does not depend on where it was held.
 */
export type Paced<T> = Generator<void, T, void>;

/** Runs a long calculation; where others wait for their turn, in slices. */
export type PacedRunner = <T>(work: Paced<T>) => T | Promise<T>;

/** Runs it without a pause. */
export function finish<T>(work: Paced<T>): T {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
  }
}
