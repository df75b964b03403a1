/**
 * Values in the order of their keys. A list that was given out never changes; the next one after some changes costs a
 * copy of it and as many searches as there were changes, not a sort of everything.
 */
export class Ordered<V> {
  #keys: string[] = [];
  /** Without those of keys that are gone: nobody may ask again for long. */
  #values: (V | undefined)[] = [];
  /** Whether {@link values} gave out the present array. */
  #given = false;
  /** New keys, until they are asked for. */
  readonly #fresh = new Map<string, V>();
  readonly #gone = new Set<string>();

  get size(): number {
    return this.#keys.length - this.#gone.size + this.#fresh.size;
  }

  put(key: string, value: V): void {
    const at = this.#find(key);
    if (at === undefined) {
      this.#fresh.set(key, value);
      return;
    }
    this.#gone.delete(key);
    this.#set(at, value);
  }

  delete(key: string): void {
    if (this.#fresh.delete(key)) return;
    const at = this.#find(key);
    if (at === undefined) return;
    this.#gone.add(key);
    this.#set(at, undefined);
  }

  values(): readonly V[] {
    if (this.#fresh.size > 0 || this.#gone.size > 0) this.#merge();
    this.#given = true;
    return this.#values as V[];
  }

  #set(at: number, value: V | undefined): void {
    if (this.#given) this.#values = this.#values.slice();
    this.#given = false;
    this.#values[at] = value;
  }

  /** Place of a key, which may be gone since. */
  #find(key: string): number | undefined {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#keys[middle] ?? '') < key) low = middle + 1;
      else high = middle;
    }
    return this.#keys[low] === key ? low : undefined;
  }

  #merge(): void {
    const fresh = [...this.#fresh].sort(([a], [b]) => (a < b ? -1 : 1));
    const keys: string[] = [];
    const values: V[] = [];
    let next = 0;
    const takeBefore = (key: string | undefined): void => {
      for (let added = fresh[next]; added && (key === undefined || added[0] < key); added = fresh[++next]) {
        keys.push(added[0]);
        values.push(added[1]);
      }
    };
    for (const [at, key] of this.#keys.entries()) {
      takeBefore(key);
      if (this.#gone.has(key)) continue;
      keys.push(key);
      values.push(this.#values[at] as V);
    }
    takeBefore(undefined);
    this.#keys = keys;
    this.#values = values;
    this.#given = false;
    this.#fresh.clear();
    this.#gone.clear();
  }
}
