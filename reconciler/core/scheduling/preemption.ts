/** How a pod is told that another takes its place. Source: Kubernetes, pkg/scheduler/framework/preemption/preemption.go. */
import type { Pod, StoredPod } from '../../../contracts/objects/index.ts';
import { disrupted, isDisrupted, type Disruption } from '../workloads/disruption-target.ts';

const REASON = 'PreemptionByScheduler';

/** `by`: name of the scheduler. */
export function preemption(by: string): Disruption {
  return { reason: REASON, message: `${by}: preempting to accommodate a higher priority pod` };
}

/** A victim as it will be when all that is decided is written: told so, and being deleted. */
export function asPreempted(pod: StoredPod, by: string): StoredPod {
  const { metadata } = pod;
  const going = { ...pod, metadata: { ...metadata, deletionTimestamp: metadata.creationTimestamp } };
  return disrupted(going, preemption(by), metadata.creationTimestamp);
}

export function isPreempted(pod: Pod): boolean {
  return isDisrupted(pod, REASON);
}
