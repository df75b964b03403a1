/**
 * Sets of a Job's indexes, or of ordinals, written as the status of a Job has them: `1,3-5`. Kept as intervals, as there
 * may be two billion. Source: Kubernetes, pkg/controller/job/indexed_job_utils.go.
 */

interface Interval {
  readonly first: number;
  readonly last: number;
}

/** Immutable; intervals are in order and touch nowhere. */
export class Indexes {
  static readonly none = new Indexes([]);
  readonly #intervals: readonly Interval[];

  private constructor(intervals: readonly Interval[]) {
    this.#intervals = intervals;
  }

  static of(indexes: Iterable<number>): Indexes {
    return new Indexes(merged([...indexes].map((index) => ({ first: index, last: index }))));
  }

  /** As {@link toString} writes it; what is no interval below `completions` is left out. */
  static parse(text: string | undefined, completions = Infinity): Indexes {
    const intervals = (text ?? '').split(',').flatMap((part): Interval[] => {
      const found = /^(\d{1,10})(?:-(\d{1,10}))?$/.exec(part);
      if (!found) return [];
      const first = Number(found[1]);
      const last = Math.min(Number(found[2] ?? first), completions - 1);
      return first <= last ? [{ first, last }] : [];
    });
    return new Indexes(merged(intervals));
  }

  get size(): number {
    return this.#intervals.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  }

  has(index: number): boolean {
    let [low, high] = [0, this.#intervals.length];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if ((this.#intervals[middle]?.last ?? Infinity) < index) low = middle + 1;
      else high = middle;
    }
    return (this.#intervals[low]?.first ?? Infinity) <= index;
  }

  with(others: Indexes): Indexes {
    return others.#intervals.length === 0 ? this : new Indexes(merged([...this.#intervals, ...others.#intervals]));
  }

  /** How many are in both. */
  common(others: Indexes): number {
    return this.size + others.size - this.with(others).size;
  }

  /** The `count` lowest below `completions` that are not in it. */
  firstMissing(count: number, completions: number): readonly number[] {
    const missing: number[] = [];
    let candidate = 0;
    for (const { first, last } of [...this.#intervals, { first: completions, last: completions }]) {
      for (; candidate < Math.min(first, completions) && missing.length < count; candidate++) missing.push(candidate);
      candidate = Math.max(candidate, last + 1);
    }
    return missing;
  }

  toString(): string {
    return this.#intervals
      .map(({ first, last }) =>
        first === last ? `${first}` : last === first + 1 ? `${first},${last}` : `${first}-${last}`,
      )
      .join(',');
  }
}

function merged(intervals: readonly Interval[]): readonly Interval[] {
  const result: { first: number; last: number }[] = [];
  for (const { first, last } of intervals.toSorted((a, b) => a.first - b.first)) {
    const before = result.at(-1);
    if (before && first <= before.last + 1) before.last = Math.max(before.last, last);
    else result.push({ first, last });
  }
  return result;
}

/** Why a text is no set of indexes below `completions`, in ascending order; undefined where it is one. */
export function badIndexes(text: string, completions: number): string | undefined {
  let before = -1;
  for (const part of text.split(',')) {
    const found = /^(\d{1,10})(?:-(\d{1,10}))?$/.exec(part);
    if (!found)
      return `must be indexes and intervals such as 1,3-5; cannot read ${part === '' ? 'an empty entry' : part}`;
    const [first, last] = [Number(found[1]), Number(found[2] ?? found[1])];
    if (found[2] !== undefined && last <= first) return `has an interval that ends before it begins: ${part}`;
    if (last >= completions) return `has an index that is not below completions (${completions}): ${last}`;
    if (first <= before) return `must be in ascending order, without an index twice: ${part}`;
    before = last;
  }
  return undefined;
}
