/**
 * All nodes as one shape of pod sees them: which pass the filters, and how good they are. Made once for a shape, then kept up to date
 * from the journal, so that the next pod of the shape costs a scan over arrays and every node is compared.
 *
 * What depends on a node alone is kept by node. What depends on pods elsewhere, and the normalising of scores, is worked out for each pod.
 */
import type { ClusterState, Placed } from './cluster-state.ts';
import type { Filtering, Follower, PreemptionView, Reason, Scoring } from './framework.ts';
import type { PodShape } from './pod-shape.ts';
import type { Profile } from './profile.ts';
import { Tournament } from './tournament.ts';

/** Why one node was not taken. */
export interface NodeVerdict {
  readonly node: string;
  /** Name of the plugin that refused: the first in the profile's order. */
  readonly plugin: string;
  readonly reasons: readonly Reason[];
}

export interface Tally {
  readonly plugins: ReadonlySet<string>;
  readonly reasons: ReadonlyMap<string, number>;
  /** Nodes that do not pass. */
  readonly refused: number;
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

interface Named<T> { readonly plugin: string; readonly ready: T }
interface Weighed extends Named<Scoring> { readonly weight: number }

const PASSES = 0;
const NO_NODE = 255;
const NOTHING = -1;

export class Candidates implements PreemptionView {
  readonly shape: PodShape;
  readonly #cluster: ClusterState;
  readonly #profile: Profile;
  #topology = -1;
  #position = -1;

  #here: Named<Filtering>[] = [];
  /** Those of them whose answer pods can change. */
  #hereByPods: Filtering[] = [];
  #across: Named<Filtering>[] = [];
  /** Scores of the node alone that are comparable as they are: summed in #base. */
  #plain: Weighed[] = [];
  /** Those that are normalised over the nodes that pass; the first #kept of them keep a column in #raw. */
  #relative: Weighed[] = [];
  #kept = 0;
  #followers: Follower[] = [];
  /** Those of them that pods of a shape concern. */
  #concerned = new WeakMap<PodShape, readonly Follower[]>();
  /** Those of the filters. */
  #filterFollowers: Follower[] = [];

  /** Node numbers that are looked at, where a plugin named the only ones; else entry i is node i. */
  #only: Int32Array | undefined;
  #restrictedBy: Named<Filtering> | undefined;
  /** PASSES, NO_NODE, or 1 + the number of the filter of #here that refuses. */
  #refusedBy = new Uint8Array(0);
  #base = new Float64Array(0);
  #raw: Float64Array[] = [];
  #passing = new Int32Array(0);
  /** Made for the second plain pick: many shapes have one pod only. */
  #tournament: Tournament | undefined;
  /** That its ties are broken by. */
  #tournamentSeed = 0;
  #plainPicks = 0;
  /** How many nodes were looked at in the last {@link pick}. */
  examined = 0;

  constructor(shape: PodShape, profile: Profile, cluster: ClusterState) {
    this.shape = shape;
    this.#profile = profile;
    this.#cluster = cluster;
  }

  /** Number of the best node for a pod of the shape, -1 when none passes. Of equal ones the seed chooses. */
  pick(seed: number, sampling?: Sampling): number {
    this.#refresh();
    if (!sampling && this.#across.every(isIdle) && this.#relative.every(isIdle)) return this.#pickPlain(seed);
    const passing = this.#pass(sampling);
    return this.#bestOf(passing, this.#scales(passing), seed);
  }

  /** Whether a pod of the shape passes all filters on the node now. */
  fits(node: number): boolean {
    this.#refresh();
    const entry = this.#entryOf(node);
    return entry !== NOTHING && this.#refusedBy[entry] === PASSES && this.#across.every(({ ready }) => ready.filter(node));
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

  /** Whether no node starts to pass because a pod came. */
  get onlyFills(): boolean {
    return this.local && this.#here.every(({ ready }) => ready.helpedByPods !== true);
  }

  /** Numbers of the nodes that refuse only for what pods there occupy: taking pods away could help. */
  preemptable(): number[] {
    this.#refresh();
    const numbers: number[] = [];
    for (let entry = 0; entry < this.#refusedBy.length; entry++) if (this.#preemptable(entry)) numbers.push(this.#nodeAt(entry));
    return numbers;
  }

  preemptableAt(node: number): boolean {
    this.#refresh();
    const entry = this.#entryOf(node);
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

  /** What {@link verdicts} come to, without keeping them: plugins that refused, and how many nodes gave each reason. */
  tally(): Tally {
    this.#refresh();
    const plugins = new Set<string>();
    const reasons = new Map<string, number>();
    let refused = 0;
    for (let node = 0; node < this.#cluster.length; node++) {
      const by = this.#cluster.has(node) ? this.#refusal(node) : undefined;
      if (!by) continue;
      refused++;
      plugins.add(by.plugin);
      for (const { reason } of by.ready.reasons(node)) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    }
    return { plugins, reasons, refused };
  }

  /** One per node that does not pass, by name. */
  verdicts(): NodeVerdict[] {
    this.#refresh();
    const verdicts: NodeVerdict[] = [];
    for (let node = 0; node < this.#cluster.length; node++) {
      if (!this.#cluster.has(node)) continue;
      const refused = this.#refusal(node);
      if (refused) verdicts.push({ node: this.#cluster.nodeName(node), plugin: refused.plugin, reasons: refused.ready.reasons(node) });
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
      const node = this.#nodeAt(entry);
      const plugins = [
        ...this.#plain.map(({ plugin, weight, ready }) => ({ plugin, weight, score: ready.score(node) })),
        ...scales.map(({ plugin, weight, scale, offset, raw }) => ({ plugin, weight, score: scale * (raw[at] ?? 0) + offset })),
      ];
      return { node: this.#cluster.nodeName(node), total: plugins.reduce((sum, p) => sum + p.weight * p.score, 0), tie: ties[node] ?? 0, plugins };
    });
    return scored.sort((a, b) => b.total - a.total || b.tie - a.tie || (a.node < b.node ? -1 : 1)).slice(0, limit).map(({ node, total, plugins }) => ({ node, total, plugins }));
  }

  // ---- keeping up ----

  #refresh(): void {
    const cluster = this.#cluster;
    if (cluster.topologyFor(this.shape) !== this.#topology) return this.#build();
    if (cluster.position === this.#position) return;
    const news = cluster.since(this.#position);
    if (!news || news.length > 2 * this.#refusedBy.length + 64) return this.#build();
    this.#position = cluster.position;
    for (const { shape, node, by } of news) {
      if (by === 0) continue;
      for (const follower of this.#concernedBy(shape)) follower.moved(shape, node, by);
      const entry = this.#entryOf(node);
      if (entry === NOTHING) continue;
      this.#look(entry, node);
      this.#tournament?.changed(entry);
    }
  }

  #build(): void {
    const cluster = this.#cluster;
    this.#topology = cluster.topologyFor(this.shape);
    const filterings = this.#profile.filters.flatMap((plugin): Named<Filtering>[] => {
      const ready = plugin.preFilter?.(this.shape, cluster);
      return ready ? [{ plugin: plugin.name, ready }] : [];
    });
    const scorings = this.#profile.scores.flatMap(({ plugin, weight }): Weighed[] => {
      const ready = plugin.preScore?.(this.shape, cluster);
      return ready ? [{ plugin: plugin.name, weight, ready }] : [];
    });
    // Plugins may have asked for new columns of the cluster, which moves nothing: the position is the same before and after.
    this.#position = cluster.position;
    this.#here = filterings.filter(({ ready }) => ready.scope === 'node');
    this.#hereByPods = this.#here.flatMap(({ ready }) => (ready.fixed ? [] : [ready]));
    this.#across = filterings.filter(({ ready }) => ready.scope === 'cluster');
    this.#plain = scorings.filter(({ ready }) => ready.scope === 'node' && !ready.normalize);
    const kept = scorings.filter(({ ready }) => ready.scope === 'node' && ready.normalize);
    this.#kept = kept.length;
    this.#relative = [...kept, ...scorings.filter(({ ready }) => ready.scope === 'cluster')];
    this.#filterFollowers = filterings.flatMap(following);
    this.#followers = [...this.#filterFollowers, ...scorings.flatMap(following)];
    this.#concerned = new WeakMap();

    this.#restrict(filterings);
    const entries = this.#only?.length ?? cluster.length;
    this.#refusedBy = new Uint8Array(entries);
    this.#base = new Float64Array(entries);
    this.#passing = new Int32Array(entries);
    this.#raw = this.#relative.map(() => new Float64Array(entries));
    this.#tournament = undefined;
    this.#plainPicks = 0;
    for (let entry = 0; entry < entries; entry++) this.#look(entry, this.#nodeAt(entry));
  }

  #concernedBy(shape: PodShape): readonly Follower[] {
    let concerned = this.#concerned.get(shape);
    if (!concerned) this.#concerned.set(shape, (concerned = this.#followers.filter((follower) => follower.concerns?.(shape) ?? true)));
    return concerned;
  }

  #restrict(filterings: readonly Named<Filtering>[]): void {
    this.#only = undefined;
    this.#restrictedBy = undefined;
    for (const named of filterings) {
      const { only } = named.ready;
      if (!only) continue;
      this.#only = Int32Array.from(this.#only ? only.filter((node) => this.#only?.includes(node)) : only);
      this.#restrictedBy ??= named;
    }
  }

  /** Works out anew what depends on the node alone. */
  #look(entry: number, node: number): void {
    if (!this.#cluster.has(node)) {
      this.#refusedBy[entry] = NO_NODE;
      return;
    }
    for (let at = 0; at < this.#here.length; at++) {
      if (this.#here[at]?.ready.filter(node) === false) {
        this.#refusedBy[entry] = at + 1;
        return;
      }
    }
    this.#refusedBy[entry] = PASSES;
    let base = 0;
    for (const { weight, ready } of this.#plain) base += weight * ready.score(node);
    this.#base[entry] = base;
    for (let at = 0; at < this.#kept; at++) {
      const column = this.#raw[at];
      if (column) column[entry] = this.#relative[at]?.ready.score(node) ?? 0;
    }
  }

  // ---- choosing ----

  #pickPlain(seed: number): number {
    if (this.#tournamentSeed !== seed) this.#tournament = undefined;
    if (!this.#tournament && this.#plainPicks++ === 0) return this.#scanPlain(seed);
    this.#tournament ??= this.#hold(this.#cluster.ties(seed));
    this.#tournamentSeed = seed;
    this.examined = this.#refusedBy.length;
    const { winner } = this.#tournament;
    return winner === NOTHING ? NOTHING : this.#nodeAt(winner);
  }

  #hold(ties: Uint32Array): Tournament {
    const base = this.#base;
    const beats = (a: number, b: number): boolean => {
      const [one, other] = [base[a] ?? 0, base[b] ?? 0];
      if (one !== other) return one > other;
      const [left, right] = [this.#nodeAt(a), this.#nodeAt(b)];
      return (ties[left] ?? 0) > (ties[right] ?? 0) || (ties[left] === ties[right] && !this.#namedAfter(left, right));
    };
    return new Tournament(base.length, (entry) => this.#refusedBy[entry] === PASSES, beats);
  }

  #scanPlain(seed: number): number {
    const refusedBy = this.#refusedBy;
    const base = this.#base;
    const only = this.#only;
    const ties = this.#cluster.ties(seed);
    let best = NOTHING;
    let most = -Infinity;
    let tieOfBest = 0;
    for (let entry = 0; entry < refusedBy.length; entry++) {
      if (refusedBy[entry] !== PASSES) continue;
      const score = base[entry] ?? 0;
      if (score < most) continue;
      const node = only ? (only[entry] ?? NOTHING) : entry;
      const tie = ties[node] ?? 0;
      if (score === most && (tie < tieOfBest || (tie === tieOfBest && this.#namedAfter(node, best)))) continue;
      most = score;
      best = node;
      tieOfBest = tie;
    }
    this.examined = refusedBy.length;
    return best;
  }

  /** Entries that pass every filter. The array is used again by the next call. */
  #pass(sampling: Sampling | undefined): Int32Array {
    if (sampling) return this.#passSome(sampling);
    const refusedBy = this.#refusedBy;
    const passing = this.#passing;
    let count = 0;
    for (let entry = 0; entry < refusedBy.length; entry++) if (refusedBy[entry] === PASSES) passing[count++] = entry;
    this.examined = refusedBy.length;
    const only = this.#only;
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
    let count = 0;
    let at = 0;
    for (; at < order.length && count < enough; at++) {
      const entry = this.#entryOf(order[(start + at) % order.length] ?? NOTHING);
      if (entry !== NOTHING && this.#refusedBy[entry] === PASSES && this.#passesAcross(this.#nodeAt(entry))) this.#passing[count++] = entry;
    }
    this.examined = at;
    return this.#passing.subarray(0, count);
  }

  #passesAcross(node: number): boolean {
    for (const { ready } of this.#across) if (!ready.filter(node)) return false;
    return true;
  }

  #preemptable(entry: number): boolean {
    const by = this.#refusedBy[entry] ?? NO_NODE;
    if (by === NO_NODE) return false;
    const node = this.#nodeAt(entry);
    const filters = by === PASSES ? this.#across : this.#here;
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
    const only = this.#only;
    return this.#relative.flatMap((named, at) => {
      if (isIdle(named)) return [];
      const { plugin, weight, ready } = named;
      const raw = this.#scratchFor(at, passing.length);
      const column = at < this.#kept ? this.#raw[at] : undefined;
      if (column) for (let i = 0; i < passing.length; i++) raw[i] = column[passing[i] ?? 0] ?? 0;
      else for (let i = 0; i < passing.length; i++) raw[i] = ready.score(only ? (only[passing[i] ?? 0] ?? NOTHING) : (passing[i] ?? 0));
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
      if (none) for (let i = 0; i < passing.length; i++) if (Number.isNaN(raw[i])) raw[i] = scale === 0 ? 0 : -offset / scale;
      return [{ plugin, weight, scale, offset, raw }];
    });
  }

  #scratch: Float64Array[] = [];
  #scratchFor(at: number, length: number): Float64Array {
    let scratch = this.#scratch[at];
    if (!scratch || scratch.length < length) this.#scratch[at] = scratch = new Float64Array(Math.max(length, this.#refusedBy.length));
    return scratch;
  }

  #bestOf(passing: Int32Array, scales: readonly { weight: number; scale: number; raw: Float64Array }[], seed: number): number {
    const total = this.#scratchFor(this.#relative.length, passing.length);
    const base = this.#base;
    for (let i = 0; i < passing.length; i++) total[i] = base[passing[i] ?? 0] ?? 0;
    for (const { weight, scale, raw } of scales) {
      // An equal share for all changes no order: offsets are left out.
      const factor = weight * scale;
      if (factor !== 0) for (let i = 0; i < passing.length; i++) total[i] = (total[i] ?? 0) + factor * (raw[i] ?? 0);
    }
    const only = this.#only;
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
  #nodeAt(entry: number): number {
    return this.#only ? (this.#only[entry] ?? NOTHING) : entry;
  }
  #entryOf(node: number): number {
    return this.#only ? this.#only.indexOf(node) : node < this.#refusedBy.length ? node : NOTHING;
  }
  #refusal(node: number): Named<Filtering> | undefined {
    const entry = this.#entryOf(node);
    if (entry === NOTHING) return this.#here.find(({ ready }) => !ready.filter(node)) ?? this.#restrictedBy;
    const by = this.#refusedBy[entry] ?? NO_NODE;
    return by === PASSES ? this.#across.find(({ ready }) => !ready.filter(node)) : this.#here[by - 1];
  }
}

function following({ ready }: Named<Filtering | Scoring>): Follower[] {
  return ready.moved ? [ready as Follower] : [];
}

function isIdle({ ready }: Named<Filtering | Scoring>): boolean {
  return ready.idle?.() === true;
}

/** What a pod without a node is told: `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint {gpu: true}.` */
export function messageOf({ reasons, refused }: Tally, nodeCount: number): string {
  if (nodeCount === 0) return 'no nodes available to schedule pods';
  const told = [...reasons].map(([reason, count]) => `${count} ${reason}`).sort((a, b) => (a < b ? -1 : 1)).join(', ');
  return `${nodeCount - refused}/${nodeCount} nodes are available: ${told}.`;
}

