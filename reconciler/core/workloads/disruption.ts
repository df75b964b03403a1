/**
 * May a pod be evicted now, as far as the disruption budgets over it go? One rule for draining, preemption and
 * descheduling; and the eviction. Source: Kubernetes, pkg/registry/core/pod/storage/eviction.go, and "Specifying a Disruption Budget for
 * your Application".
 */
import {
  keyOf,
  readKey,
  selectorMatches,
  type Pod,
  type PodDisruptionBudget,
  type StoredPod,
  type StoredPodDisruptionBudget,
} from '../../../contracts/objects/index.ts';
import type { Step } from '../step.ts';
import { disruptionSteps, type Disruption } from './disruption-target.ts';
import { isFinished, isReady, isTerminating } from './pod-state.ts';

/** An allowed eviction that did not happen after this long does not count any more. */
const CLAIM_MS = 120_000;

export type EvictionVerdict =
  /**
   * `claim`: the budget with the eviction booked in its status. It must be written first, compare-and-set
   * (`updateStatus`), and the pod deleted only once that write is in: whoever loses the race decides anew. Absent where
   * nothing has to be booked, or it is already.
   */
  | { readonly allowed: true; readonly claim?: StoredPodDisruptionBudget }
  /** `message` as the Kubernetes API server has it. */
  | { readonly allowed: false; readonly budgets: readonly string[]; readonly message: string };

/** Whether the budget is over the pod, or over pods with that metadata. */
export function covers(
  budget: PodDisruptionBudget,
  pod: { readonly metadata: Pick<Pod['metadata'], 'namespace' | 'labels'> },
): boolean {
  return (
    budget.metadata.namespace === pod.metadata.namespace &&
    budget.spec.selector !== undefined &&
    selectorMatches(budget.spec.selector, pod.metadata.labels)
  );
}

/** Whether the pod's eviction is booked in the budget, and may still be on its way. */
export function isClaimed(budget: PodDisruptionBudget, pod: StoredPod, now: Date): boolean {
  return claimEndsInMs(budget, pod, now) > 0;
}

/** Milliseconds for which a booked eviction counts; 0 or less: it is not booked, or not any more. */
export function claimEndsInMs(budget: PodDisruptionBudget, pod: StoredPod, now: Date): number {
  const at = readKey(budget.status?.disruptedPods, pod.metadata.name);
  // Another pod may have had the name when it was booked.
  if (at === undefined || Date.parse(at) < Date.parse(pod.metadata.creationTimestamp)) return 0;
  return Date.parse(at) + CLAIM_MS - now.getTime();
}

/**
 * The verdict on one pod. `budgets`: all of the namespace, or more. To ask for several pods at a time, replace the
 * budget by the claim between two questions: what one takes the other does not get.
 */
export function disruptionsAllowed(
  pod: StoredPod,
  budgets: readonly StoredPodDisruptionBudget[],
  now: Date,
): EvictionVerdict {
  // Nobody relies on a pod that does not run yet, has ended, or is going already.
  if (isFinished(pod) || isTerminating(pod) || (pod.status?.phase ?? 'Pending') === 'Pending') return { allowed: true };
  const [budget, ...more] = budgets.filter((b) => covers(b, pod));
  if (!budget) return { allowed: true };
  if (more.length > 0) {
    return {
      allowed: false,
      budgets: [budget, ...more].map((b) => b.metadata.name),
      message: 'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
    };
  }
  if (isClaimed(budget, pod, now)) return { allowed: true };
  const { status, spec, metadata } = budget;
  const refused = (why: string): EvictionVerdict => ({
    allowed: false,
    budgets: [metadata.name],
    message: `Cannot evict pod as it would violate the pod's disruption budget. The disruption budget ${metadata.name} ${why}`,
  });
  // A pod that is not ready counts for nothing, so that it takes nothing from the budget.
  if (!isReady(pod) && spec.unhealthyPodEvictionPolicy === 'AlwaysAllow') return { allowed: true };
  if (!status) return refused('is still being processed by the server.');
  if (!isReady(pod)) {
    if (status.currentHealthy >= status.desiredHealthy && status.desiredHealthy > 0) return { allowed: true };
  }
  if ((status.observedGeneration ?? 0) < metadata.generation) return refused('is still being processed by the server.');
  if (status.disruptionsAllowed <= 0)
    return refused(`needs ${status.desiredHealthy} healthy pods and has ${status.currentHealthy} currently`);
  const disruptedPods = { ...status.disruptedPods, [pod.metadata.name]: now.toISOString() };
  return {
    allowed: true,
    claim: { ...budget, status: { ...status, disruptionsAllowed: status.disruptionsAllowed - 1, disruptedPods } },
  };
}

export interface Eviction {
  readonly pod: StoredPod;
  /** Of its condition `DisruptionTarget`. */
  readonly disruption: Disruption;
  /** Of the event on it. */
  readonly reason: string;
  readonly message: string;
}

/**
 * Tells each pod why it goes and deletes it, with an event on it. All are told before the first is deleted: that is two
 * round trips to the store, however many they are. A pod that changed in between is not deleted either.
 */
export function evictionSteps(evictions: readonly Eviction[], now: Date): Step[] {
  return [
    ...evictions.flatMap(({ pod, disruption }) => disruptionSteps(pod, disruption, now)),
    ...evictions.flatMap(({ pod, reason, message }): Step[] => [
      { do: 'delete', key: keyOf(pod), uid: pod.metadata.uid },
      { do: 'event', regarding: pod, type: 'Normal', reason, message },
    ]),
  ];
}
