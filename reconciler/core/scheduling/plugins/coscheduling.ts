/**
 * Gangs: pods with the label `scheduling.x-k8s.io/pod-group` are placed when `minMember` of their PodGroup have a
 * place, and not before. Source: kubernetes-sigs/scheduler-plugins, coscheduling; KEP-4671. Here a whole group is tried
 * in one step, so two groups never hold places while each waits for the other.
 */
import { POD_GROUP_LABEL } from '../../../../contracts/objects/index.ts';
import type { Plugin } from '../framework.ts';

export const coscheduling: Plugin = {
  name: 'Coscheduling',
  permit(pod, cluster) {
    const name = pod.metadata.labels?.[POD_GROUP_LABEL];
    if (name === undefined) return undefined;
    const group = `${pod.metadata.namespace ?? ''}/${name}`;
    const spec = cluster.podGroups.get(group);
    if (!spec) return { reason: 'Unschedulable', message: `PodGroup ${group} does not exist` };
    return { group, needed: spec.minMember };
  },
  // A pod of the group that comes is tried, and the others with it.
  hint: (event, shape) =>
    event.type === 'Other' ? event.kind === 'PodGroup' : event.type === 'PodAdd' && event.shape.group === shape.group,
};
