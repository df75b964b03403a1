/**
 * What a pod of one shape would cost on each node if it took the place of others there, in columns: comparing all nodes
 * is one scan over arrays. A row holds as long as the node's pods, the node, and what the budgets over its pods have
 * left are the same.
 */
import type { Budget } from './budgets.ts';
import type { ClusterState } from './cluster-state.ts';
import type { PreemptionView } from './framework.ts';
import type { PodShape } from './pod-shape.ts';
import { VictimSearch } from './victims.ts';

const NO_ROOM = -1;
const NOTHING = -1;
/**
 * Added to each priority, so that more victims are a greater sum even where priorities are negative. Source:
 * kube-scheduler.
 */
const SUM_OFFSET = 2 ** 31;

export class PreemptionTable {
  readonly search: VictimSearch;
  readonly #cluster: ClusterState;
  readonly #view: PreemptionView;

  #topology = -1;
  #position = -1;
  #selection = -1;
  #budgets = -1;
  /** What each budget had left when the rows were right. */
  #left = new Map<Budget, number>();
  /** Most pods of a node that were looked at as victims. */
  #mostConsidered = 0;

  /** NO_ROOM, or victims whose eviction violates a budget. */
  #violations = new Int32Array(0);
  #highest = new Float64Array(0);
  #sum = new Float64Array(0);
  #count = new Int32Array(0);
  #start = new Float64Array(0);
  #waits = new Uint8Array(0);
  #displaced = new Int32Array(0);

  constructor(shape: PodShape, cluster: ClusterState, view: PreemptionView) {
    this.#cluster = cluster;
    this.#view = view;
    this.search = new VictimSearch(shape, cluster, view);
  }

  /**
   * Number of the best of all nodes, -1 when none will do; {@link search} has its victims. Only for a view that is
   * local.
   */
  best(): number {
    this.#refresh();
    return this.#take();
  }

  /**
   * The same for any view: each node is tried anew, in the order given and from `start` on, until `enough` were found
   * that will do.
   */
  bestOfSome(order: readonly number[], start: number, enough: number): number {
    this.#clear();
    let found = 0;
    let withoutViolation = false;
    for (let at = 0; at < order.length && !(found >= enough && withoutViolation); at++) {
      const node = order[(start + at) % order.length] ?? NOTHING;
      this.#look(node);
      const violations = this.#violations[node] ?? NO_ROOM;
      if (violations === NO_ROOM) continue;
      found++;
      if (violations === 0) withoutViolation = true;
    }
    return this.#take();
  }

  // ---- keeping up ----

  #refresh(): void {
    const cluster = this.#cluster;
    const news =
      cluster.topology === this.#topology && cluster.budgets.selection === this.#selection
        ? cluster.since(this.#position)
        : undefined;
    if (!news || news.length > cluster.length + 64) return this.#build();
    const stale = new Set<number>();
    for (const { node } of news) stale.add(node);
    this.#position = cluster.position;
    this.#compareBudgets(stale);
    for (const node of stale) this.#look(node);
  }

  #build(): void {
    const cluster = this.#cluster;
    this.#clear();
    for (let node = 0; node < cluster.length; node++) this.#look(node);
    this.#topology = cluster.topology;
    this.#position = cluster.position;
    this.#selection = cluster.budgets.selection;
    this.#budgets = cluster.budgets.version;
    this.#left = new Map([...cluster.budgets].map((budget) => [budget, budget.left]));
  }

  /** Forgets all rows. */
  #clear(): void {
    const { length } = this.#cluster;
    this.#topology = -1;
    this.#mostConsidered = 0;
    if (this.#violations.length === length) {
      this.#violations.fill(NO_ROOM);
      return;
    }
    this.#violations = new Int32Array(length).fill(NO_ROOM);
    this.#highest = new Float64Array(length);
    this.#sum = new Float64Array(length);
    this.#count = new Int32Array(length);
    this.#start = new Float64Array(length);
    this.#waits = new Uint8Array(length);
    this.#displaced = new Int32Array(length);
  }

  /** Adds the nodes with pods under a budget that has more or less left, where that can matter to a node. */
  #compareBudgets(stale: Set<number>): void {
    const { budgets } = this.#cluster;
    if (budgets.version === this.#budgets) return;
    this.#budgets = budgets.version;
    const changed = new Set<Budget>();
    for (const budget of budgets) {
      const { left } = budget;
      if (Math.min(left, this.#mostConsidered) !== Math.min(this.#left.get(budget) ?? 0, this.#mostConsidered))
        changed.add(budget);
      this.#left.set(budget, left);
    }
    if (changed.size === 0) return;
    for (const [shape, nodes] of this.#cluster.liveShapes()) {
      if (budgets.of(shape).some((budget) => changed.has(budget))) for (const node of nodes.keys()) stale.add(node);
    }
  }

  #look(node: number): void {
    const { search } = this;
    const found = this.#view.preemptableAt(node) && search.on(node);
    this.#violations[node] = found ? search.violations : NO_ROOM;
    if (!found) return;
    const { victims } = search;
    this.#mostConsidered = Math.max(this.#mostConsidered, search.considered);
    const highest = victims[0]?.shape.priority ?? -Infinity;
    let sum = 0;
    let start = Infinity;
    for (const victim of victims) {
      sum += victim.shape.priority + SUM_OFFSET;
      if (victim.shape.priority === highest) start = Math.min(start, victim.start);
    }
    this.#highest[node] = highest;
    this.#sum[node] = sum;
    this.#count[node] = victims.length;
    this.#start[node] = start;
    this.#waits[node] = search.waits ? 1 : 0;
    this.#displaced[node] = search.displaced.length;
  }

  // ---- choosing ----

  /** The best row, with its victims worked out. */
  #take(): number {
    const best = this.#scan();
    return best !== NOTHING && this.search.on(best) ? best : NOTHING;
  }

  /**
   * Of two nodes with as many violations: the lowest highest priority, the least sum of priorities, the fewest victims,
   * the latest start of the victims with the highest priority; then where nothing has to be waited for, where fewer
   * lose room that is kept for them, by tie, by name. Starts that are both unknown differ by NaN, which decides
   * nothing.
   */
  #scan(): number {
    const violations = this.#violations;
    const [highest, sum, count, start, waits, displaced] = [
      this.#highest,
      this.#sum,
      this.#count,
      this.#start,
      this.#waits,
      this.#displaced,
    ];
    const ties = this.#cluster.ties(0);
    let best = NOTHING;
    let fewest = Infinity;
    for (let node = 0; node < violations.length; node++) {
      const violated = violations[node] ?? NO_ROOM;
      if (violated === NO_ROOM || violated > fewest) continue;
      if (violated === fewest) {
        const difference =
          at(highest, node, best) ||
          at(sum, node, best) ||
          at(count, node, best) ||
          at(start, best, node) ||
          at(waits, node, best) ||
          at(displaced, node, best) ||
          at(ties, best, node);
        if (difference > 0 || (!difference && this.#cluster.nodeName(node) > this.#cluster.nodeName(best))) continue;
      }
      fewest = violated;
      best = node;
    }
    return best;
  }
}

function at(column: Float64Array | Int32Array | Uint32Array | Uint8Array, a: number, b: number): number {
  return (column[a] ?? 0) - (column[b] ?? 0);
}
