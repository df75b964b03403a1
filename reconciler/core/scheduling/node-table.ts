/**
 * What plugins that look at one node alone say of all nodes, in columns: made once, then asked anew for nodes whose
 * pods changed, from the journal. Where no other plugin has a say the best node is the winner of a tournament. Shapes
 * that ask the same of a node share one table.
 */
import type { ClusterState } from './cluster-state.ts';
import type { Filtering, Scoring } from './framework.ts';
import { Tournament } from './tournament.ts';

export interface Named<T> {
  readonly plugin: string;
  readonly ready: T;
}
export interface Weighed extends Named<Scoring> {
  readonly weight: number;
}

/** Parts of plugins with the scope `node`, ready for a shape. */
export interface NodeParts {
  /** In the profile's order. */
  readonly filters: readonly Named<Filtering>[];
  /** Scores that are comparable as they are. */
  readonly plain: readonly Weighed[];
  /** Scores that are normalised over the nodes that pass. */
  readonly relative: readonly Weighed[];
}

export const PASSES = 0;
export const NO_NODE = 255;
export const NOTHING = -1;

const NO_PARTS: NodeParts = { filters: [], plain: [], relative: [] };

export class NodeTable {
  /** Node numbers that are looked at, where a filter named the only ones; else entry i is node i. */
  only: Int32Array | undefined;
  /** Number in {@link NodeParts.filters} of the first that named them. */
  restrictedBy = NOTHING;
  /** By entry: PASSES, NO_NODE, or 1 + the number of the filter that refuses. */
  refusedBy = new Uint8Array(0);
  /** By entry: sum of the plain scores times their weights. */
  base = new Float64Array(0);
  /** By relative score and entry: as it is, without its weight. */
  raw: readonly Float64Array[] = [];

  readonly #cluster: ClusterState;
  #parts = NO_PARTS;
  #topology = -1;
  #position = -1;
  /** Made for the second plain pick: many shapes have one pod only. */
  #tournament: Tournament | undefined;
  /** That its ties are broken by. */
  #seed = 0;
  #picks = 0;

  constructor(cluster: ClusterState) {
    this.#cluster = cluster;
  }

  /**
   * Takes in what is new. `topology` is {@link ClusterState.topologyFor} the shape of the parts, which are used when
   * the table is made anew.
   */
  refresh(parts: NodeParts, topology: number): void {
    const cluster = this.#cluster;
    if (topology === this.#topology && cluster.position === this.#position) return;
    const news = topology === this.#topology ? cluster.since(this.#position) : undefined;
    this.#topology = topology;
    this.#position = cluster.position;
    if (!news || news.length > 2 * this.refusedBy.length + 64) return this.#build(parts);
    for (const { node, by } of news) {
      const entry = by === 0 ? NOTHING : this.entryOf(node);
      if (entry === NOTHING) continue;
      this.#look(entry, node);
      this.#tournament?.changed(entry);
    }
  }

  nodeAt(entry: number): number {
    return this.only ? (this.only[entry] ?? NOTHING) : entry;
  }
  entryOf(node: number): number {
    return this.only ? this.only.indexOf(node) : node < this.refusedBy.length ? node : NOTHING;
  }

  /**
   * Number of the node with the greatest base of those that pass, NOTHING when none does. Of equal ones the seed
   * chooses. Undefined the first time after the table was made: to scan it once costs less than a tournament.
   */
  best(seed: number): number | undefined {
    if (this.#seed !== seed) this.#tournament = undefined;
    if (!this.#tournament && this.#picks++ === 0) return undefined;
    this.#tournament ??= this.#hold(this.#cluster.ties(seed));
    this.#seed = seed;
    const { winner } = this.#tournament;
    return winner === NOTHING ? NOTHING : this.nodeAt(winner);
  }

  #build(parts: NodeParts): void {
    this.#parts = parts;
    this.#restrict(parts.filters);
    const entries = this.only?.length ?? this.#cluster.length;
    this.refusedBy = new Uint8Array(entries);
    this.base = new Float64Array(entries);
    this.raw = parts.relative.map(() => new Float64Array(entries));
    this.#tournament = undefined;
    this.#picks = 0;
    for (let entry = 0; entry < entries; entry++) this.#look(entry, this.nodeAt(entry));
  }

  #restrict(filters: readonly Named<Filtering>[]): void {
    const [first, ...others] = filters.flatMap(({ ready: { only } }) => (only ? [only] : []));
    this.only = first && Int32Array.from(first.filter((node) => others.every((other) => other.includes(node))));
    this.restrictedBy = filters.findIndex(({ ready }) => ready.only !== undefined);
  }

  #look(entry: number, node: number): void {
    if (!this.#cluster.has(node)) {
      this.refusedBy[entry] = NO_NODE;
      return;
    }
    const { filters, plain, relative } = this.#parts;
    for (let at = 0; at < filters.length; at++) {
      if (filters[at]?.ready.filter(node) === false) {
        this.refusedBy[entry] = at + 1;
        return;
      }
    }
    this.refusedBy[entry] = PASSES;
    let base = 0;
    for (const { weight, ready } of plain) base += weight * ready.score(node);
    this.base[entry] = base;
    for (let at = 0; at < relative.length; at++) {
      const column = this.raw[at];
      if (column) column[entry] = relative[at]?.ready.score(node) ?? 0;
    }
  }

  #hold(ties: Uint32Array): Tournament {
    const { base, refusedBy } = this;
    const beats = (a: number, b: number): boolean => {
      const [one, other] = [base[a] ?? 0, base[b] ?? 0];
      if (one !== other) return one > other;
      const [left, right] = [this.nodeAt(a), this.nodeAt(b)];
      return (
        (ties[left] ?? 0) > (ties[right] ?? 0) ||
        (ties[left] === ties[right] && this.#cluster.nodeName(left) < this.#cluster.nodeName(right))
      );
    };
    return new Tournament(base.length, (entry) => refusedBy[entry] === PASSES, beats);
  }
}

/** Tables of one profile that are kept, by what shapes ask of a node. */
const KEPT = 512;

export class NodeTables {
  readonly #byKey = new Map<string, NodeTable>();

  of(key: string, cluster: ClusterState): NodeTable {
    const table = this.#byKey.get(key) ?? new NodeTable(cluster);
    this.#byKey.delete(key);
    this.#byKey.set(key, table);
    if (this.#byKey.size > KEPT)
      for (const oldest of this.#byKey.keys()) {
        this.#byKey.delete(oldest);
        break;
      }
    return table;
  }
}
