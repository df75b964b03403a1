/**
 * In which order pods end when their machine goes down, and how long each may take. Source: Kubernetes, KEP-2000,
 * "Graceful Node Shutdown". A kubelet does so only where it is told how long; these are the usual times.
 */
import { isCritical } from './eviction.ts';

/** Seconds. The agent's own end has to fit into its unit's TimeoutStopSec with both. */
const GRACE = { others: 20, critical: 10 } as const;

export interface ShutdownPhase {
  /** Of each pod that ends in it, by uid: what it has for itself, at most the phase's own. */
  readonly graceSeconds: ReadonlyMap<string, number>;
  /** When the next phase begins, whether or not all have ended. */
  readonly seconds: number;
}

/** What the system needs ends last: others may need it to end well. */
export function shutdownPhases(
  pods: readonly { readonly uid: string; readonly priority: number; readonly graceSeconds: number }[],
): readonly ShutdownPhase[] {
  return (['others', 'critical'] as const).flatMap((which) => {
    const ending = pods.filter(({ priority }) => isCritical(priority) === (which === 'critical'));
    const seconds = GRACE[which];
    return ending.length === 0
      ? []
      : { seconds, graceSeconds: new Map(ending.map((pod) => [pod.uid, Math.min(pod.graceSeconds, seconds)])) };
  });
}
