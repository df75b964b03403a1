/** A binary heap: the smallest by `before` comes first. */
export class Heap<T> {
  private readonly items: T[];
  private readonly before: (a: T, b: T) => boolean;

  constructor(items: readonly T[], before: (a: T, b: T) => boolean) {
    this.items = [...items];
    this.before = before;
    for (let i = (this.items.length >> 1) - 1; i >= 0; i--) this.sink(i);
  }

  get first(): T | undefined {
    return this.items[0];
  }

  /** Takes the first item out. */
  pop(): T | undefined {
    const first = this.items[0];
    const last = this.items.pop();
    if (this.items.length > 0 && last !== undefined) {
      this.items[0] = last;
      this.sink(0);
    }
    return first;
  }

  /** Puts the first item, which has become worse, where it belongs now. */
  firstGotWorse(): void {
    this.sink(0);
  }

  private sink(from: number): void {
    let at = from;
    const item = this.items[at];
    if (item === undefined) return;
    for (;;) {
      let child = 2 * at + 1;
      let lower = this.items[child];
      if (lower === undefined) break;
      const right = this.items[child + 1];
      if (right !== undefined && this.before(right, lower)) {
        child++;
        lower = right;
      }
      if (!this.before(lower, item)) break;
      this.items[at] = lower;
      at = child;
    }
    this.items[at] = item;
  }
}
