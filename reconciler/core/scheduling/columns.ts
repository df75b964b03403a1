/** Growing arrays of numbers with one entry per node number, what is kept in them, and counts. */

/** Amounts of one resource on every node: thousandths of a core for cpu, else bytes or pieces. */
export class ResourceColumn {
  allocatable: Float64Array;
  used: Float64Array;

  constructor(capacity: number) {
    this.allocatable = new Float64Array(capacity);
    this.used = new Float64Array(capacity);
  }

  grow(capacity: number): void {
    this.allocatable = grown(this.allocatable, capacity);
    this.used = grown(this.used, capacity);
  }
}

/** The value of one label on every node, as a small number: nodes with the same value are one topology domain. */
export class Domains {
  readonly key: string;
  /** Domain of each node; -1 where the node lacks the label. */
  ids: Int32Array;
  readonly #byValue = new Map<string, number>();
  readonly #values: string[] = [];

  constructor(key: string, capacity: number) {
    this.key = key;
    this.ids = new Int32Array(capacity).fill(-1);
  }

  /** How many values were ever seen; ids are below it. */
  get size(): number {
    return this.#values.length;
  }

  value(id: number): string {
    return this.#values[id] ?? '';
  }

  set(node: number, value: string | undefined): void {
    if (value === undefined) {
      this.ids[node] = -1;
      return;
    }
    let id = this.#byValue.get(value);
    if (id === undefined) {
      id = this.#values.push(value) - 1;
      this.#byValue.set(value, id);
    }
    this.ids[node] = id;
  }

  grow(capacity: number): void {
    const ids = new Int32Array(capacity).fill(-1);
    ids.set(this.ids);
    this.ids = ids;
  }
}

export function grown(column: Float64Array, capacity: number): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(capacity);
  larger.set(column);
  return larger;
}

/** Counts; what comes to 0 is left out. */
export function addTo<K>(counts: Map<K, number>, key: K, by: number): void {
  const next = (counts.get(key) ?? 0) + by;
  if (next === 0) counts.delete(key);
  else counts.set(key, next);
}
