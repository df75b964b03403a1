/** How many pods may be evicted: by disruption budgets as they are now, and by the policy's own limits. */
import type { StoredPodDisruptionBudget } from '../../../../contracts/objects/index.ts';
import { disruptionsAllowed } from '../../workloads/disruption.ts';
import type { Running } from './simulation.ts';

export interface EvictionLimits {
  readonly maxNoOfPodsToEvictPerNode?: number | undefined;
  readonly maxNoOfPodsToEvictTotal?: number | undefined;
}

export class Allowance {
  readonly #limits: EvictionLimits;
  readonly #now: Date;
  #budgets: readonly StoredPodDisruptionBudget[];
  readonly #taken = new Set<string>();
  readonly #perNode = new Map<string, number>();

  constructor(limits: EvictionLimits, budgets: readonly StoredPodDisruptionBudget[], now: Date) {
    this.#limits = limits;
    this.#budgets = budgets;
    this.#now = now;
  }

  /** Why this pod may not be evicted besides those that were taken; undefined when it may, or was taken already. */
  whyNot({ pod, home }: Running): string | undefined {
    if (this.#taken.has(pod.metadata.uid)) return undefined;
    const { maxNoOfPodsToEvictTotal: total = Infinity, maxNoOfPodsToEvictPerNode: perNode = Infinity } = this.#limits;
    if (this.#taken.size >= total) return `maxNoOfPodsToEvictTotal is ${total}`;
    if ((this.#perNode.get(home) ?? 0) >= perNode) return `maxNoOfPodsToEvictPerNode is ${perNode}`;
    const verdict = disruptionsAllowed(pod, this.#budgets, this.#now);
    return verdict.allowed ? undefined : verdict.message;
  }

  take({ pod, home }: Running): void {
    if (this.#taken.has(pod.metadata.uid)) return;
    this.#taken.add(pod.metadata.uid);
    this.#perNode.set(home, (this.#perNode.get(home) ?? 0) + 1);
    const verdict = disruptionsAllowed(pod, this.#budgets, this.#now);
    if (!verdict.allowed || !verdict.claim) return;
    const { claim } = verdict;
    this.#budgets = this.#budgets.map((budget) => (budget.metadata.uid === claim.metadata.uid ? claim : budget));
  }
}
