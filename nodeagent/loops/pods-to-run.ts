/** Pods that have, or will have, containers. */
import type { Pod } from '../../contracts/objects/index.ts';
import { priorityOf } from '../../contracts/objects/priority.ts';
import { identityOf } from '../core/pod/objects.ts';
import type { AssignmentStore } from './assignment-store.ts';
import type { StatusHub } from './status-hub.ts';

/** How important a pod is, by the classes that the node knows. */
export function priorityIn(assignment: AssignmentStore): (pod: Pod) => number {
  const classes = new Map(
    assignment
      .current()
      .list('PriorityClass')
      .map((one) => [one.metadata.name, one]),
  );
  return (pod) => priorityOf(pod, classes);
}

export function podsToRun(assignment: AssignmentStore, hub: Pick<StatusHub, 'statuses'>): readonly Pod[] {
  const statuses = hub.statuses();
  return assignment
    .current()
    .list('Pod')
    .filter((pod) => {
      const phase = (statuses.get(identityOf(pod).uid) ?? pod.status)?.phase;
      return pod.metadata.deletionTimestamp === undefined && phase !== 'Succeeded' && phase !== 'Failed';
    });
}
