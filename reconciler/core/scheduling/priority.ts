/** Priorities of pods. Source: Kubernetes documentation, "Pod Priority and Preemption". */
import { readKey, SYSTEM_PRIORITIES, type Pod, type PriorityClass } from '../../../contracts/objects/index.ts';

/** Classes by name. */
export type PriorityClasses = ReadonlyMap<string, PriorityClass>;

/** The value of the pod's class, of the global default where it names none, else 0. */
export function priorityOf(pod: Pod, classes: PriorityClasses): number {
  const { priorityClassName } = pod.spec;
  if (priorityClassName !== undefined)
    return readKey(SYSTEM_PRIORITIES, priorityClassName) ?? classes.get(priorityClassName)?.value ?? 0;
  for (const { globalDefault, value } of classes.values()) if (globalDefault) return value;
  return 0;
}

/** Whether the pod may take the place of others. The pod's own word goes before its class's. */
export function mayPreempt(pod: Pod, classes: PriorityClasses): boolean {
  const { priorityClassName, preemptionPolicy } = pod.spec;
  return (
    (preemptionPolicy ??
      (priorityClassName === undefined ? undefined : classes.get(priorityClassName)?.preemptionPolicy)) !== 'Never'
  );
}
