/** Which keys carry a term (an owner's uid, a node's name, a label). */
export class KeyIndex {
  readonly #keys = new Map<string, Set<string>>();
  readonly #sorted = new Map<string, readonly string[]>();

  add(terms: readonly string[], key: string): void {
    for (const term of terms) {
      const keys = this.#keys.get(term);
      if (keys?.has(key)) continue;
      if (keys) keys.add(key);
      else this.#keys.set(term, new Set([key]));
      this.#sorted.delete(term);
    }
  }

  remove(terms: readonly string[], key: string): void {
    for (const term of terms) {
      const keys = this.#keys.get(term);
      if (!keys?.delete(key)) continue;
      if (keys.size === 0) this.#keys.delete(term);
      this.#sorted.delete(term);
    }
  }

  /** Keys with the term, in order. */
  keys(term: string): readonly string[] {
    let sorted = this.#sorted.get(term);
    if (!sorted) {
      sorted = [...(this.#keys.get(term) ?? [])].sort();
      if (sorted.length > 0) this.#sorted.set(term, sorted);
    }
    return sorted;
  }
}
