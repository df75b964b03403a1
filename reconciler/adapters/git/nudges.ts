/** Whoever hears of a push by another way than the repository says so here. */
export class Nudges {
  readonly #listeners = new Set<() => void>();

  /** Calls back until it is told to stop. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  notify(): void {
    for (const listener of this.#listeners) listener();
  }
}
