/**
 * How a pod is told that another takes its place. Source: Kubernetes documentation, "Pod disruption conditions"
 * (KEP-3329).
 */
import { findCondition, withCondition, type Pod, type StoredPod } from '../../../contracts/objects/index.ts';

const CONDITION = 'DisruptionTarget';
const REASON = 'PreemptionByScheduler';

/** The pod with the condition that says so; unchanged where it has it. */
export function preempted(pod: StoredPod, by: string, now: string): StoredPod {
  if (isPreempted(pod)) return pod;
  const told = {
    type: CONDITION,
    status: 'True',
    reason: REASON,
    message: `${by}: preempting to accommodate a higher priority pod`,
  } as const;
  return {
    ...pod,
    status: { phase: 'Running', ...pod.status, conditions: withCondition(pod.status?.conditions, told, now) },
  };
}

export function isPreempted(pod: Pod): boolean {
  const told = findCondition(pod.status?.conditions, CONDITION);
  return told?.status === 'True' && told.reason === REASON;
}
