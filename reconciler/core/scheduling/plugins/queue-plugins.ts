/** Plugins that decide when and how a pod is looked at and bound, not where. */
import type { Plugin } from '../framework.ts';

/** Higher priority first, then who came first. */
export const prioritySort: Plugin = {
  name: 'PrioritySort',
  queueSort: (a, b) => b.shape.priority - a.shape.priority || a.since - b.since || (nameOf(a.pod) < nameOf(b.pod) ? -1 : 1),
};

function nameOf({ metadata }: { readonly metadata: { readonly namespace?: string | undefined; readonly name: string } }): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}

/** Pods with gates wait until all are lifted. Source: KEP-3521. */
export const schedulingGates: Plugin = {
  name: 'SchedulingGates',
  preEnqueue(pod) {
    const gates = pod.spec.schedulingGates ?? [];
    if (gates.length === 0) return undefined;
    return { reason: 'SchedulingGated', message: `Scheduling is blocked due to non-empty scheduling gates: ${gates.map(({ name }) => name).join(', ')}` };
  },
};

/** The binding: the pod with its node. */
export const defaultBinder: Plugin = {
  name: 'DefaultBinder',
  bind: (pod, nodeName) => [{ do: 'update', object: { ...pod, spec: { ...pod.spec, nodeName } } }],
};
