/** What is known of each autoscaler beside the store, by uid: what was measured last, and what it did before. */
import type { AutoscalerMemory, Round } from '../../core/workloads/horizontal-pod-autoscaler.ts';

/**
 * As long as one control plane has the autoscalers, as in Kubernetes: whoever takes over begins with the number of pods that
 * there is as the first recommendation, so that none goes before a whole window has passed.
 */
export class Rounds {
  readonly #rounds = new Map<string, Round>();
  readonly #memories = new Map<string, AutoscalerMemory>();
  #count = 0;

  of(uid: string): Round | undefined {
    return this.#rounds.get(uid);
  }

  /** Takes the place of the one before. */
  begin(uid: string, round: Omit<Round, 'number'>): void {
    this.#count += 1;
    this.#rounds.set(uid, { ...round, number: this.#count });
  }

  memoryOf(uid: string): AutoscalerMemory | undefined {
    return this.#memories.get(uid);
  }

  remember(uid: string, memory: AutoscalerMemory | undefined): void {
    if (memory) this.#memories.set(uid, memory);
  }

  /** Forgets all others. */
  keep(uids: ReadonlySet<string>): void {
    for (const known of [this.#rounds, this.#memories])
      for (const uid of known.keys()) if (!uids.has(uid)) known.delete(uid);
  }
}
