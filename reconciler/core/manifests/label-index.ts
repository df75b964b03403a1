/** What labels select, without a look at everything for each selector. */
import { groupBy } from '../group-by.ts';

type Labels = Readonly<Record<string, string>>;

/** Items of one or more namespaces, by each pair of their labels. */
export class LabelIndex<T extends { readonly namespace: string | undefined; readonly labels: Labels }> {
  readonly #byNamespace: ReadonlyMap<string | undefined, readonly T[]>;
  readonly #byPair: ReadonlyMap<string, readonly T[]>;

  constructor(items: readonly T[]) {
    this.#byNamespace = groupBy(items, ({ namespace }) => namespace);
    const pairs = items.flatMap((item) =>
      Object.entries(item.labels).map((pair) => ({ item, place: placeOf(item.namespace, pair) })),
    );
    const byPair = groupBy(pairs, ({ place }) => place);
    this.#byPair = new Map([...byPair].map(([place, entries]) => [place, entries.map(({ item }) => item)]));
  }

  /**
   * All that may have these labels, and others: what has the rarest of the pairs, or everything of the namespace where
   * there is no pair.
   */
  candidates(namespace: string | undefined, wanted: Labels = {}): readonly T[] {
    return Object.entries(wanted)
      .map((pair) => this.#byPair.get(placeOf(namespace, pair)) ?? [])
      .reduce((few, some) => (some.length < few.length ? some : few), this.#byNamespace.get(namespace) ?? []);
  }
}

/** None of the three has a space in it. */
function placeOf(namespace: string | undefined, [name, value]: readonly [string, string]): string {
  return `${namespace ?? ''} ${name} ${value}`;
}
