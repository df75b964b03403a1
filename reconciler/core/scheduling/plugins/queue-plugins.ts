/** Plugins that decide when and how a pod is looked at and bound, not where. */
import { compareText } from '../../workloads/owners.ts';
import type { Plugin, QueuedPod } from '../framework.ts';

/** Higher priority first, then who came first. */
export function byPriority(a: QueuedPod, b: QueuedPod): number {
  return b.shape.priority - a.shape.priority || a.since - b.since || compareText(nameOf(a.pod), nameOf(b.pod));
}

export const prioritySort: Plugin = { name: 'PrioritySort', queueSort: byPriority };

function nameOf({
  metadata,
}: {
  readonly metadata: { readonly namespace?: string | undefined; readonly name: string };
}): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}

/** Pods with gates wait until all are lifted. Source: KEP-3521. */
export const schedulingGates: Plugin = {
  name: 'SchedulingGates',
  preEnqueue(pod) {
    const gates = pod.spec.schedulingGates ?? [];
    if (gates.length === 0) return undefined;
    return {
      reason: 'SchedulingGated',
      message: `Scheduling is blocked due to non-empty scheduling gates: ${gates.map(({ name }) => name).join(', ')}`,
    };
  },
};

/** The binding: the pod with its node. */
export const defaultBinder: Plugin = {
  name: 'DefaultBinder',
  bind: (pod, nodeName) => [{ do: 'update', object: { ...pod, spec: { ...pod.spec, nodeName } } }],
};
