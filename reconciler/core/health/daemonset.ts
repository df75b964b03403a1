/** Health of a DaemonSet: how many of its nodes have the pod that they should have. */
import type { DaemonSet } from '../../../contracts/objects/index.ts';
import { healthy, progressing, type Health, type HealthView } from './health.ts';
import { podTrouble } from './workloads.ts';

/** Of one that is updated on deletion, nodes with an earlier template are told of, and waited for no longer. */
export function daemonSetHealth({ spec, status, metadata }: DaemonSet, view: HealthView): Health {
  if (!status || (status.observedGeneration ?? 0) < (metadata.generation ?? 0))
    return progressing('its newest form has not been looked at yet');
  const desired = status.desiredNumberScheduled;
  const trouble = (): string => podTrouble([metadata.uid ?? ''], view);
  if (status.currentNumberScheduled < desired)
    return progressing(`${status.currentNumberScheduled} of ${nodes(desired)} have a pod${trouble()}`);
  const behind = desired - status.updatedNumberScheduled;
  const isRolling = spec.updateStrategy.type === 'RollingUpdate';
  if (behind > 0 && isRolling)
    return progressing(
      `${status.updatedNumberScheduled} of ${nodes(desired)} have a pod of the new template${trouble()}`,
    );
  if (status.numberAvailable < desired)
    return progressing(`${status.numberAvailable} of ${nodes(desired)} have an available pod${trouble()}`);
  if (desired === 0) return healthy('no node should have a pod of it');
  const old = behind > 0 ? `; on ${behind} it has an earlier template until it is deleted` : '';
  return healthy(`${status.numberAvailable} of ${nodes(desired)} have an available pod${old}`);
}

function nodes(count: number): string {
  return count === 1 ? '1 node' : `${count} nodes`;
}
