/** A binary heap: the smallest by `compare` comes first. */
export class Heap<T> {
  readonly #items: T[] = [];
  readonly #compare: (a: T, b: T) => number;

  constructor(compare: (a: T, b: T) => number) {
    this.#compare = compare;
  }

  get size(): number {
    return this.#items.length;
  }
  get first(): T | undefined {
    return this.#items[0];
  }

  push(item: T): void {
    const items = this.#items;
    let at = items.push(item) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = items[parent];
      if (above === undefined || this.#compare(above, item) <= 0) break;
      items[at] = above;
      at = parent;
    }
    items[at] = item;
  }

  pop(): T | undefined {
    const items = this.#items;
    const first = items[0];
    const item = items.pop();
    if (item === undefined || items.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      let lower = items[child];
      if (lower === undefined) break;
      const right = items[child + 1];
      if (right !== undefined && this.#compare(right, lower) < 0) {
        child++;
        lower = right;
      }
      if (this.#compare(lower, item) >= 0) break;
      items[at] = lower;
      at = child;
    }
    items[at] = item;
    return first;
  }
}
