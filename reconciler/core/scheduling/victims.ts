/**
 * Whose place a pod would take on one node. Source: kube-scheduler, DefaultPreemption (SelectVictimsOnNode); Kubernetes
 * documentation, "Pod Priority and Preemption".
 *
 * Every pod that may go is taken away, and as many as possible are put back: first those whose eviction would violate a
 * PodDisruptionBudget, then the others, each the most important first. Pods that terminate are going anyway, whatever
 * their priority. Room that is kept for a pod of lower priority is nobody's place yet: it is given back last, and
 * taking it away makes no victim.
 */
import type { Budget } from './budgets.ts';
import type { ClusterState, Placed } from './cluster-state.ts';
import type { PreemptionView } from './framework.ts';
import type { PodShape } from './pod-shape.ts';

/** Higher priority first, then who was started first, then by name. Source: kube-scheduler, MoreImportantPod. */
export function byImportance(a: Placed, b: Placed): number {
  // Two starts that are not known differ by NaN, which decides nothing.
  return b.shape.priority - a.shape.priority || a.start - b.start || (nameOf(a) < nameOf(b) ? -1 : 1);
}

function nameOf({ pod: { metadata } }: Placed): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}

/** Works out one node after another. What it found holds until the next question. */
export class VictimSearch {
  /** Pods to delete, the most important first. */
  readonly victims: Placed[] = [];
  /** Pods without a place that lose the room that was kept for them, the most important first. */
  readonly displaced: Placed[] = [];
  /** Victims whose eviction violates a budget. */
  violations = 0;
  /** Whether room comes only when pods that terminate already, or victims, are gone. */
  waits = false;
  /** Pods that were looked at as victims: what a budget has left beyond that makes no difference. */
  considered = 0;

  readonly #shape: PodShape;
  readonly #cluster: ClusterState;
  readonly #view: PreemptionView;
  /** Pods that terminate. */
  readonly #going: Placed[] = [];
  /** Pods of lower priority for which room is kept. */
  readonly #expected: Placed[] = [];
  /** Pods of lower priority that are there. */
  readonly #lower: Placed[] = [];
  readonly #lifted: Placed[] = [];

  constructor(shape: PodShape, cluster: ClusterState, view: PreemptionView) {
    this.#shape = shape;
    this.#cluster = cluster;
    this.#view = view;
  }

  /**
   * Whether room can be made on the node, which is one of {@link PreemptionView.preemptable}. Leaves everything as it
   * was.
   */
  on(node: number): boolean {
    this.#find(node);
    if (this.#lower.length + this.#expected.length + this.#going.length === 0) return false;
    try {
      for (const placed of this.#going) this.#lift(placed);
      for (const placed of this.#expected) this.#lift(placed);
      for (const placed of this.#lower) this.#lift(placed);
      if (!this.#view.passes(node)) return false;
      this.#reprieve(node);
      return true;
    } finally {
      for (const placed of this.#lifted) this.#view.putBack(placed);
      this.#lifted.length = 0;
    }
  }

  #find(node: number): void {
    this.#going.length = this.#expected.length = this.#lower.length = this.victims.length = this.displaced.length = 0;
    this.violations = 0;
    const { priority } = this.#shape;
    for (const placed of this.#cluster.podsOn(node)) {
      if (placed.shape.terminating) this.#going.push(placed);
      else if (placed.shape.priority < priority) (placed.nominated ? this.#expected : this.#lower).push(placed);
    }
    this.considered = this.#lower.length;
  }

  #reprieve(node: number): void {
    this.#lower.sort(byImportance);
    const violating = this.#violating();
    if (violating) {
      for (const placed of this.#lower)
        if (violating.has(placed) && !this.#spared(placed, node)) this.victims.push(placed);
      this.violations = this.victims.length;
    }
    for (const placed of this.#lower)
      if (!violating?.has(placed) && !this.#spared(placed, node)) this.victims.push(placed);
    if (this.violations > 0) this.victims.sort(byImportance);

    this.#expected.sort(byImportance);
    for (const placed of this.#expected) if (!this.#spared(placed, node)) this.displaced.push(placed);

    this.waits = this.victims.length > 0;
    if (this.waits || this.#going.length === 0) return;
    for (const placed of this.#going) this.#putBack(placed);
    this.waits = !this.#view.passes(node);
  }

  /** Those that the budgets would not let go, were all to go in the order of their importance; undefined: none. */
  #violating(): Set<Placed> | undefined {
    let violating: Set<Placed> | undefined;
    let taken: Map<Budget, number> | undefined;
    for (const placed of this.#lower) {
      for (const budget of this.#cluster.budgets.of(placed.shape)) {
        if (budget.counts(placed.pod)) continue;
        taken ??= new Map();
        const count = (taken.get(budget) ?? 0) + 1;
        taken.set(budget, count);
        if (count > budget.left) (violating ??= new Set()).add(placed);
      }
    }
    return violating;
  }

  #spared(placed: Placed, node: number): boolean {
    this.#putBack(placed);
    if (this.#view.passes(node)) return true;
    this.#lift(placed);
    return false;
  }

  #lift(placed: Placed): void {
    this.#view.lift(placed);
    this.#lifted.push(placed);
  }
  /** The order among the lifted does not matter. */
  #putBack(placed: Placed): void {
    const last = this.#lifted.pop();
    if (last && last !== placed) this.#lifted[this.#lifted.indexOf(placed)] = last;
    this.#view.putBack(placed);
  }
}
