/**
 * How many pods each PodDisruptionBudget lets go, as far as the scheduler knows. Source: Kubernetes documentation,
 * "Disruptions".
 */
import {
  readKey,
  selectorMatches,
  type LabelSelector,
  type StoredPod,
  type StoredPodDisruptionBudget,
} from '../../../contracts/objects/index.ts';
import { canonicalJson } from '../storage/canonical-json.ts';
import { isReady } from '../workloads/pod-state.ts';
import type { PodShape } from './pod-shape.ts';

/** One budget. */
export class Budget {
  readonly selector: LabelSelector | undefined;
  #object: StoredPodDisruptionBudget;
  /** Uids of the pods that began to terminate since the status was written. */
  readonly #spent = new Set<string>();

  constructor(object: StoredPodDisruptionBudget) {
    this.selector = object.spec.selector;
    this.#object = object;
  }

  /** Pods that may still go; nothing where the budget has no status yet. */
  get left(): number {
    return Math.max(0, (this.#object.status?.disruptionsAllowed ?? 0) - this.#spent.size);
  }

  /** Whether the pod's eviction is counted in the status already. */
  counts(pod: StoredPod): boolean {
    return readKey(this.#object.status?.disruptedPods, pod.metadata.name) !== undefined;
  }

  /**
   * Takes in a newer version, which knows what was spent before it. False when that may be another answer of {@link
   * counts}.
   */
  update(object: StoredPodDisruptionBudget): boolean {
    const before = this.#object;
    this.#object = object;
    if (object.metadata.resourceVersion !== before.metadata.resourceVersion) this.#spent.clear();
    return canonicalJson(before.status?.disruptedPods) === canonicalJson(object.status?.disruptedPods);
  }

  spend(pod: StoredPod): void {
    if (!this.counts(pod)) this.#spent.add(pod.metadata.uid);
  }
  giveBack(pod: StoredPod): void {
    this.#spent.delete(pod.metadata.uid);
  }
}

/**
 * All budgets. A ready pod that begins to terminate is deducted at once from those over it, until their next status,
 * which has counted it, or until the pod is gone. So the victims of one pass, whose deletion no status knows of yet,
 * are not forgotten by the next preemption.
 */
export class Budgets {
  readonly #byNamespace = new Map<string, ReadonlyMap<string, Budget>>();
  #ofShape = new WeakMap<PodShape, readonly Budget[]>();
  #selection = 0;
  #version = 0;

  /** Changes when the answer of {@link of} may. */
  get selection(): number {
    return this.#selection;
  }
  /** Changes when some budget has more or less left, or {@link selection} changed. */
  get version(): number {
    return this.#version;
  }

  *[Symbol.iterator](): Iterator<Budget> {
    for (const budgets of this.#byNamespace.values()) yield* budgets.values();
  }

  /**
   * Those over pods of the shape. An empty selector is over every pod of the namespace, an absent one over none
   * (policy/v1).
   */
  of(shape: PodShape): readonly Budget[] {
    let budgets = this.#ofShape.get(shape);
    if (!budgets) {
      budgets = [...(this.#byNamespace.get(shape.namespace)?.values() ?? [])].filter(
        ({ selector }) => selector && selectorMatches(selector, shape.labels),
      );
      this.#ofShape.set(shape, budgets);
    }
    return budgets;
  }

  /** Replaces the budgets of a namespace. */
  set(namespace: string, list: readonly StoredPodDisruptionBudget[]): void {
    const before = this.#byNamespace.get(namespace);
    let same = (before?.size ?? 0) === list.length;
    const after = list.map((object): [string, Budget] => {
      const known = before?.get(object.metadata.uid);
      const kept = known && canonicalJson(known.selector) === canonicalJson(object.spec.selector) ? known : undefined;
      if (!kept?.update(object)) same = false;
      return [object.metadata.uid, kept ?? new Budget(object)];
    });
    this.#byNamespace.set(namespace, new Map(after));
    this.#version++;
    if (same) return;
    this.#selection++;
    this.#ofShape = new WeakMap();
  }

  /** The pod began to terminate. One that is not ready takes nothing from a budget. */
  begins(shape: PodShape, pod: StoredPod): void {
    if (isReady(pod))
      this.#each(shape, (budget) => {
        budget.spend(pod);
      });
  }

  /** The pod is gone, or stays after all. */
  ended(shape: PodShape, pod: StoredPod): void {
    this.#each(shape, (budget) => {
      budget.giveBack(pod);
    });
  }

  #each(shape: PodShape, then: (budget: Budget) => void): void {
    const budgets = this.of(shape);
    if (budgets.length === 0) return;
    for (const budget of budgets) then(budget);
    this.#version++;
  }
}
