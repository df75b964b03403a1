/**
 * Priorities of pods. Free of schemas: a node agent uses it. Source: Kubernetes documentation, "Pod Priority and
 * Preemption".
 */
import { readKey } from './own-key.ts';
import type { Pod } from './pod.ts';
import type { PriorityClass } from './scheduling.ts';
import { SYSTEM_PRIORITIES } from './well-known.ts';

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

/**
 * The lowest priority of pods that the system needs: no node gives one of them up. Source: Kubernetes
 * pkg/kubelet/types/pod_update.go (IsCriticalPod).
 */
export const CRITICAL_PRIORITY = SYSTEM_PRIORITIES['system-cluster-critical'] ?? 0;
