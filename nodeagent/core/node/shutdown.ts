/**
 * In which order pods end when their machine goes down, how long each may take, and which of them are over by that.
 * Source: Kubernetes, KEP-2000, "Graceful Node Shutdown". A kubelet does so only where it is told how long; these are the
 * usual times.
 */
import type { Pod } from '../../../contracts/objects/index.ts';
import type { PodOver } from '../pod/plan.ts';
import { restarts } from '../pod/restart.ts';
import { isCritical } from './eviction.ts';

/** Seconds. The agent's own end has to fit into its unit's TimeoutStopSec with both. */
const GRACE = { others: 20, critical: 10 } as const;

export interface ShutdownPhase {
  /** Of each pod that ends in it, by uid: what it has for itself, at most the phase's own. */
  readonly graceSeconds: ReadonlyMap<string, number>;
  /** When the next phase begins, whether or not all have ended. */
  readonly seconds: number;
}

/** Of a pod that its machine's end ends for good. Source: Kubernetes, pkg/kubelet/nodeshutdown. */
export const TERMINATED = {
  phase: 'Failed',
  reason: 'Terminated',
  message: 'Pod was terminated in response to imminent node shutdown.',
  cause: 'NodeShutdown',
} as const satisfies PodOver;

/** As of a program that does not handle SIGTERM. */
const TOLD_TO_END = 128 + 15;

/**
 * Whether something of the pod would be started again when the machine is back. One of which nothing would, as of a Job,
 * is over: what it was to do was cut off, and that was not its own failure. (A kubelet fails every pod.)
 */
export function goesOn(pod: Pod): boolean {
  return pod.spec.containers.some((spec) => restarts(pod, { spec, role: 'app' }, TOLD_TO_END));
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
