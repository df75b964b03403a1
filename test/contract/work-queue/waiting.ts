/** Waiting for things to happen, without guessing how long they take. */

/** Counts by name; `reach` resolves when a count is there, or rejects after 20 s. */
export class Counter {
  readonly #counts = new Map<string, number>();
  readonly #waiters = new Set<() => void>();

  hit(name: string): void {
    this.#counts.set(name, this.count(name) + 1);
    for (const waiter of [...this.#waiters]) waiter();
  }

  count(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  reach(name: string, wanted: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters.delete(look);
        reject(new Error(`${name} came to ${this.count(name)} of ${wanted} within 20 s`));
      }, 20_000);
      const look = (): void => {
        if (this.count(name) < wanted) return;
        clearTimeout(timer);
        this.#waiters.delete(look);
        resolve();
      };
      this.#waiters.add(look);
      look();
    });
  }
}

export function gate(): { readonly passed: Promise<void>; pass(): void } {
  let pass = (): void => undefined;
  const passed = new Promise<void>((resolve) => {
    pass = resolve;
  });
  return {
    passed,
    pass: () => {
      pass();
    },
  };
}
