/**
 * All nodes as one shape of pod sees them: which pass the filters, and how good they are. Made once for a shape, then
 * kept up to date from the journal, so that the next pod of the shape costs a scan over arrays and every node is
 * compared.
 *
 * What depends on a node alone is in a {@link NodeTable}. What depends on pods elsewhere, and the normalising of
 * scores, is worked out for each pod.
 */
import type { ClusterState, Placed } from './cluster-state.ts';
import type { Filtering, Follower, PreemptionView, Reason, Scoring } from './framework.ts';
import {
  NO_NODE,
  NodeTable,
  NodeTables,
  NOTHING,
  PASSES,
  type Named,
  type NodeParts,
  type Weighed,
} from './node-table.ts';
import type { PodShape } from './pod-shape.ts';
import type { Profile } from './profile.ts';
import { ReasonTally, type Tally } from './reason-tally.ts';

/** Why one node was not taken. */
export interface NodeVerdict {
  readonly node: string;
  /** Name of the plugin that refused: the first in the profile's order. */
  readonly plugin: string;
  readonly reasons: readonly Reason[];
}

/** How good one node is. */
export interface NodeScore {
  readonly node: string;
  /** Sum over plugins of weight times score. */
  readonly total: number;
  /** By plugin: 0..100 after normalising, and its weight. */
  readonly plugins: readonly { readonly plugin: string; readonly score: number; readonly weight: number }[];
}

/** Some of the nodes, in turn (percentageOfNodesToScore). */
export interface Sampling {
  /** Node numbers in the order in which they are looked at. */
  readonly order: readonly number[];
  /** Where in it to start. */
  readonly start: number;
  /** Enough nodes that pass. */
  readonly enough: number;
}

export class Candidates implements PreemptionView {
  readonly shape: PodShape;
  readonly #cluster: ClusterState;
  readonly #profile: Profile;
  readonly #tables: NodeTables;
  #topology = -1;
  #position = -1;

  #table: NodeTable;
  /** What looks at a node alone. */
  #here: NodeParts = { filters: [], plain: [], relative: [] };
  /** Those of its filters whose answer pods can change. */
  #hereByPods: readonly Filtering[] = [];
  /** What looks beyond the node. */
  #across: readonly Named<Filtering>[] = [];
  /**
   * Scores that are normalised over the nodes that pass: first those of #here, then those that look beyond the node.
   */
  #relative: readonly Weighed[] = [];
  #followers: readonly Follower[] = [];
  /** Those of them that pods of a shape concern. */
  #concerned = new WeakMap<PodShape, readonly Follower[]>();
  /** Those of the filters. */
  #filterFollowers: readonly Follower[] = [];
  #passing = new Int32Array(0);
  #nodes = new Int32Array(0);
  /** The last {@link tally}, and when it was true. */
  #tallied:
    | { readonly tally: ReasonTally; readonly local: boolean; readonly topology: number; readonly position: number }
    | undefined;
  /** How many nodes were looked at in the last {@link pick}. */
  examined = 0;

  /** Candidates that are given the same tables share them where they can. */
  constructor(shape: PodShape, profile: Profile, cluster: ClusterState, tables = new NodeTables()) {
    this.shape = shape;
    this.#profile = profile;
    this.#cluster = cluster;
    this.#tables = tables;
    this.#table = new NodeTable(cluster);
  }

  /** Number of the best node for a pod of the shape, -1 when none passes. Of equal ones the seed chooses. */
  pick(seed: number, sampling?: Sampling): number {
    this.#refresh();
    const winner =
      !sampling && this.#across.every(isIdle) && this.#relative.every(isIdle) ? this.#table.best(seed) : undefined;
    if (winner !== undefined) {
      this.examined = this.#table.refusedBy.length;
      return winner;
    }
    const passing = this.#pass(sampling);
    return this.#bestOf(passing, this.#scales(passing), seed);
  }

  /** Whether a pod of the shape passes all filters on the node now. */
  fits(node: number): boolean {
    this.#refresh();
    const { refusedBy } = this.#table;
    const entry = this.#table.entryOf(node);
    return entry !== NOTHING && refusedBy[entry] === PASSES && this.#across.every(({ ready }) => ready.filter(node));
  }

  /** Whether the pod passes all filters on its node without the room that is kept for it there. */
  fitsInRoomOf(kept: Placed): boolean {
    this.#refresh();
    if (kept.node < 0 || !(this.fits(kept.node) || this.preemptableAt(kept.node))) return false;
    this.lift(kept);
    const fits = this.passes(kept.node);
    this.putBack(kept);
    return fits;
  }

  /** Whether every filter looks at one node alone. */
  get local(): boolean {
    this.#refresh();
    return this.#across.every(isIdle);
  }

  /** Numbers of the nodes that refuse only for what pods there occupy: taking pods away could help. */
  preemptable(): number[] {
    this.#refresh();
    const table = this.#table;
    const numbers: number[] = [];
    for (let entry = 0; entry < table.refusedBy.length; entry++)
      if (this.#preemptable(entry)) numbers.push(table.nodeAt(entry));
    return numbers;
  }

  preemptableAt(node: number): boolean {
    this.#refresh();
    const entry = this.#table.entryOf(node);
    return entry !== NOTHING && this.#preemptable(entry);
  }

  lift(placed: Placed): void {
    this.#cluster.lift(placed);
    for (const follower of this.#filterFollowers) follower.moved(placed.shape, placed.node, -1);
  }
  putBack(placed: Placed): void {
    this.#cluster.putBack(placed);
    for (const follower of this.#filterFollowers) follower.moved(placed.shape, placed.node, 1);
  }

  passes(node: number): boolean {
    for (const filtering of this.#hereByPods) if (!filtering.filter(node)) return false;
    return this.#passesAcross(node);
  }

  /**
   * What {@link verdicts} come to, without keeping them. Where every filter looks at one node alone, only what changed
   * is looked at.
   */
  tally(): Tally {
    this.#refresh();
    const cluster = this.#cluster;
    const { position } = cluster;
    const { local } = this;
    const before = this.#tallied?.topology === this.#topology ? this.#tallied : undefined;
    const news =
      before && (before.position === position || (before.local && local)) ? cluster.since(before.position) : undefined;
    const tally = before && news ? before.tally : new ReasonTally();
    const count = (node: number): void => {
      const by = cluster.has(node) ? this.#refusal(node) : undefined;
      tally.set(node, by && { plugin: by.plugin, reasons: by.ready.reasons(node) });
    };
    if (news) for (const node of new Set(news.map((entry) => entry.node))) count(node);
    else for (let node = 0; node < cluster.length; node++) count(node);
    this.#tallied = { tally, local, topology: this.#topology, position };
    return tally.now;
  }

  /** One per node that does not pass, by name. */
  verdicts(): NodeVerdict[] {
    this.#refresh();
    const verdicts: NodeVerdict[] = [];
    for (let node = 0; node < this.#cluster.length; node++) {
      if (!this.#cluster.has(node)) continue;
      const refused = this.#refusal(node);
      if (refused)
        verdicts.push({
          node: this.#cluster.nodeName(node),
          plugin: refused.plugin,
          reasons: refused.ready.reasons(node),
        });
    }
    return verdicts.sort((a, b) => (a.node < b.node ? -1 : 1));
  }

  /** The nodes that pass, best first, at most `limit`, with the score of each plugin. */
  ranking(seed: number, limit: number): NodeScore[] {
    this.#refresh();
    const passing = this.#pass(undefined).slice();
    const scales = this.#scales(passing);
    const ties = this.#cluster.ties(seed);
    const scored = Array.from(passing, (entry, at) => {
      const node = this.#table.nodeAt(entry);
      const plugins = [
        ...this.#here.plain.map(({ plugin, weight, ready }) => ({ plugin, weight, score: ready.score(node) })),
        ...scales.map(({ plugin, weight, scale, offset, raw }) => ({
          plugin,
          weight,
          score: scale * (raw[at] ?? 0) + offset,
        })),
      ];
      return {
        node: this.#cluster.nodeName(node),
        total: plugins.reduce((sum, p) => sum + p.weight * p.score, 0),
        tie: ties[node] ?? 0,
        plugins,
      };
    });
    return scored
      .sort((a, b) => b.total - a.total || b.tie - a.tie || (a.node < b.node ? -1 : 1))
      .slice(0, limit)
      .map(({ node, total, plugins }) => ({ node, total, plugins }));
  }

  // ---- keeping up ----

  #refresh(): void {
    const cluster = this.#cluster;
    const topology = cluster.topologyFor(this.shape);
    const news = topology === this.#topology ? cluster.since(this.#position) : undefined;
    this.#topology = topology;
    this.#position = cluster.position;
    if (!news || news.length > 2 * cluster.length + 64) this.#build();
    else
      for (const { shape, node, by } of news)
        if (by !== 0) for (const follower of this.#concernedBy(shape)) follower.moved(shape, node, by);
    this.#table.refresh(this.#here, topology);
  }

  /** Plugins may ask for new columns of the cluster, which moves nothing: the position is the same before and after. */
  #build(): void {
    const cluster = this.#cluster;
    const { filters, scores } = this.#profile;
    const filterings = filters.flatMap((plugin): Named<Filtering>[] => {
      const ready = plugin.preFilter?.(this.shape, cluster);
      return ready ? [{ plugin: plugin.name, ready }] : [];
    });
    const scorings = scores.flatMap(({ plugin, weight }): Weighed[] => {
      const ready = plugin.preScore?.(this.shape, cluster);
      return ready ? [{ plugin: plugin.name, weight, ready }] : [];
    });
    const [filtersHere, across] = byScope(filterings);
    const [scoresHere, scoresAcross] = byScope(scorings);
    const relative = scoresHere.filter(({ ready }) => ready.normalize);
    this.#here = { filters: filtersHere, plain: scoresHere.filter(({ ready }) => !ready.normalize), relative };
    this.#hereByPods = filtersHere.flatMap(({ ready }) => (ready.fixed ? [] : [ready]));
    this.#across = across;
    this.#relative = [...relative, ...scoresAcross];
    this.#filterFollowers = across.flatMap(following);
    this.#followers = [...this.#filterFollowers, ...scoresAcross.flatMap(following)];
    this.#concerned = new WeakMap();
    const isApart = [...filters, ...scores.map(({ plugin }) => plugin)].some((plugin) =>
      plugin.tellsApart?.(this.shape, cluster),
    );
    this.#table = this.#tables.of(isApart ? this.shape.key : this.shape.asks, cluster);
  }

  #concernedBy(shape: PodShape): readonly Follower[] {
    let concerned = this.#concerned.get(shape);
    if (!concerned)
      this.#concerned.set(
        shape,
        (concerned = this.#followers.filter((follower) => follower.concerns?.(shape) ?? true)),
      );
    return concerned;
  }

  // ---- choosing ----

  /** Entries that pass every filter. The array is used again by the next call. */
  #pass(sampling: Sampling | undefined): Int32Array {
    if (sampling) return this.#passSome(sampling);
    const { refusedBy, only } = this.#table;
    const passing = this.#room();
    let count = 0;
    for (let entry = 0; entry < refusedBy.length; entry++) if (refusedBy[entry] === PASSES) passing[count++] = entry;
    this.examined = refusedBy.length;
    for (const { ready } of this.#across) {
      if (ready.idle?.()) continue;
      let left = 0;
      for (let i = 0; i < count; i++) {
        const entry = passing[i] ?? 0;
        if (ready.filter(only ? (only[entry] ?? NOTHING) : entry)) passing[left++] = entry;
      }
      count = left;
    }
    return passing.subarray(0, count);
  }

  #passSome({ order, start, enough }: Sampling): Int32Array {
    const table = this.#table;
    const passing = this.#room();
    let count = 0;
    let at = 0;
    for (; at < order.length && count < enough; at++) {
      const entry = table.entryOf(order[(start + at) % order.length] ?? NOTHING);
      if (entry !== NOTHING && table.refusedBy[entry] === PASSES && this.#passesAcross(table.nodeAt(entry)))
        passing[count++] = entry;
    }
    this.examined = at;
    return passing.subarray(0, count);
  }

  /** For as many entries as there are. */
  #room(): Int32Array {
    const { length } = this.#table.refusedBy;
    if (this.#passing.length < length) this.#passing = new Int32Array(length);
    return this.#passing;
  }

  /** Numbers of the nodes of the entries, one after another from the start. */
  #nodesOf(passing: Int32Array): Int32Array {
    const { only } = this.#table;
    if (!only) return passing;
    if (this.#nodes.length < passing.length) this.#nodes = new Int32Array(passing.length);
    for (let i = 0; i < passing.length; i++) this.#nodes[i] = only[passing[i] ?? 0] ?? NOTHING;
    return this.#nodes;
  }

  #passesAcross(node: number): boolean {
    for (const { ready } of this.#across) if (!ready.filter(node)) return false;
    return true;
  }

  #preemptable(entry: number): boolean {
    const by = this.#table.refusedBy[entry] ?? NO_NODE;
    if (by === NO_NODE) return false;
    const node = this.#table.nodeAt(entry);
    const filters = by === PASSES ? this.#across : this.#here.filters;
    let refused = false;
    for (let at = by === PASSES ? 0 : by - 1; at < filters.length; at++) {
      const ready = filters[at]?.ready;
      if (!ready || ready.filter(node)) continue;
      if (!ready.preemptable(node)) return false;
      refused = true;
    }
    return refused;
  }

  /** How each relative score is normalised over the entries; its raw scores are in the order of `passing`. */
  #scales(passing: Int32Array): { plugin: string; weight: number; scale: number; offset: number; raw: Float64Array }[] {
    const { only, raw: columns } = this.#table;
    return this.#relative.flatMap((named, at) => {
      if (isIdle(named)) return [];
      const { plugin, weight, ready } = named;
      if (ready.among) ready.among(this.#nodesOf(passing), passing.length);
      const raw = this.#scratchFor(at, passing.length);
      const column = columns[at];
      if (column) for (let i = 0; i < passing.length; i++) raw[i] = column[passing[i] ?? 0] ?? 0;
      else
        for (let i = 0; i < passing.length; i++)
          raw[i] = ready.score(only ? (only[passing[i] ?? 0] ?? NOTHING) : (passing[i] ?? 0));
      let min = Infinity;
      let max = -Infinity;
      let none = false;
      for (let i = 0; i < passing.length; i++) {
        const score = raw[i] ?? 0;
        if (score < min) min = score;
        if (score > max) max = score;
        if (score !== score) none = true;
      }
      const { scale, offset } = min > max || !ready.normalize ? { scale: 1, offset: 0 } : ready.normalize(min, max);
      if (none)
        for (let i = 0; i < passing.length; i++) if (Number.isNaN(raw[i])) raw[i] = scale === 0 ? 0 : -offset / scale;
      return [{ plugin, weight, scale, offset, raw }];
    });
  }

  #scratch: Float64Array[] = [];
  #scratchFor(at: number, length: number): Float64Array {
    let scratch = this.#scratch[at];
    if (!scratch || scratch.length < length)
      this.#scratch[at] = scratch = new Float64Array(Math.max(length, this.#table.refusedBy.length));
    return scratch;
  }

  #bestOf(
    passing: Int32Array,
    scales: readonly { weight: number; scale: number; raw: Float64Array }[],
    seed: number,
  ): number {
    const total = this.#scratchFor(this.#relative.length, passing.length);
    const { base, only } = this.#table;
    for (let i = 0; i < passing.length; i++) total[i] = base[passing[i] ?? 0] ?? 0;
    for (const { weight, scale, raw } of scales) {
      // An equal share for all changes no order: offsets are left out.
      const factor = weight * scale;
      if (factor !== 0) for (let i = 0; i < passing.length; i++) total[i] = (total[i] ?? 0) + factor * (raw[i] ?? 0);
    }
    const ties = this.#cluster.ties(seed);
    let best = NOTHING;
    let most = -Infinity;
    let tieOfBest = 0;
    for (let i = 0; i < passing.length; i++) {
      const score = total[i] ?? 0;
      if (score < most) continue;
      const entry = passing[i] ?? 0;
      const node = only ? (only[entry] ?? NOTHING) : entry;
      const tie = ties[node] ?? 0;
      if (score === most && (tie < tieOfBest || (tie === tieOfBest && this.#namedAfter(node, best)))) continue;
      most = score;
      best = node;
      tieOfBest = tie;
    }
    return best;
  }

  // ---- small things ----

  #namedAfter(node: number, other: number): boolean {
    return other !== NOTHING && this.#cluster.nodeName(node) > this.#cluster.nodeName(other);
  }
  #refusal(node: number): Named<Filtering> | undefined {
    const { filters } = this.#here;
    const entry = this.#table.entryOf(node);
    if (entry === NOTHING) return filters.find(({ ready }) => !ready.filter(node)) ?? filters[this.#table.restrictedBy];
    const by = this.#table.refusedBy[entry] ?? NO_NODE;
    return by === PASSES ? this.#across.find(({ ready }) => !ready.filter(node)) : filters[by - 1];
  }
}

/** Parts that look at one node alone, and those that look beyond it. */
function byScope<T extends Named<Filtering | Scoring>>(parts: readonly T[]): [T[], T[]] {
  return [parts.filter(({ ready }) => ready.scope === 'node'), parts.filter(({ ready }) => ready.scope === 'cluster')];
}

function following({ ready }: Named<Filtering | Scoring>): Follower[] {
  return ready.moved ? [ready as Follower] : [];
}

function isIdle({ ready }: Named<Filtering | Scoring>): boolean {
  return ready.idle?.() === true;
}
