/** Whether a pod goes before others. Source: Kubernetes documentation, "Pod Priority and Preemption". */
import type { Pod, PriorityClasses } from '../../../contracts/objects/index.ts';

/** Whether the pod may take the place of others. The pod's own word goes before its class's. */
export function mayPreempt(pod: Pod, classes: PriorityClasses): boolean {
  const { priorityClassName, preemptionPolicy } = pod.spec;
  return (
    (preemptionPolicy ??
      (priorityClassName === undefined ? undefined : classes.get(priorityClassName)?.preemptionPolicy)) !== 'Never'
  );
}
