/**
 * The condition of a pod that goes for the cluster's sake, and not for its own: written before the pod is deleted, so
 * that a Job can tell its failure from others. Source: Kubernetes documentation, "Pod disruption conditions" (KEP-3329).
 */
import { findCondition, withCondition, type Pod, type StoredPod } from '../../../contracts/objects/index.ts';
import type { Step } from '../step.ts';

const CONDITION = 'DisruptionTarget';

/** Why the pod goes, in the words of Kubernetes. */
export interface Disruption {
  readonly reason: string;
  readonly message: string;
}

/** Source: Kubernetes, pkg/registry/core/pod/storage/eviction.go. */
export const EVICTION: Disruption = { reason: 'EvictionByEvictionAPI', message: 'Eviction API: evicting' };
/** Source: Kubernetes, pkg/controller/tainteviction/taint_eviction.go. */
export const TAINT: Disruption = {
  reason: 'DeletionByTaintManager',
  message: 'Taint manager: deleting due to NoExecute taint',
};
/** Source: Kubernetes, pkg/controller/podgc/gc_controller.go. */
export const NODE_GONE: Disruption = { reason: 'DeletionByPodGC', message: 'PodGC: node no longer exists' };

/** The pod with the condition; the same object where it says so already. */
export function disrupted(pod: StoredPod, { reason, message }: Disruption, now: string): StoredPod {
  if (isDisrupted(pod, reason)) return pod;
  const told = { type: CONDITION, status: 'True', reason, message } as const;
  return {
    ...pod,
    status: { phase: 'Pending', ...pod.status, conditions: withCondition(pod.status?.conditions, told, now) },
  };
}

/** Writes the condition, where that is news. */
export function disruptionSteps(pod: StoredPod, disruption: Disruption, now: Date): readonly Step[] {
  const told = disrupted(pod, disruption, now.toISOString());
  return told === pod ? [] : [{ do: 'updateStatus', object: told }];
}

export function isDisrupted(pod: Pod, reason: string): boolean {
  const told = findCondition(pod.status?.conditions, CONDITION);
  return told?.status === 'True' && told.reason === reason;
}
