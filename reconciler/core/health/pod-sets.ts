/** Health of what is said of pods that others keep: disruption budgets and gangs. */
import { findCondition, type PodDisruptionBudget, type PodGroup } from '../../../contracts/objects/index.ts';
import { DISRUPTION_ALLOWED } from '../workloads/disruption-budget.ts';
import { degraded, healthy, progressing, type Health } from './health.ts';

/** A budget that allows nothing now does what it is there for. */
export function disruptionBudgetHealth({ status, metadata }: PodDisruptionBudget): Health {
  if (!status || (status.observedGeneration ?? 0) < (metadata.generation ?? 0))
    return progressing('its pods have not been counted yet');
  const allowed = findCondition(status.conditions, DISRUPTION_ALLOWED);
  if (allowed?.reason === 'SyncFailed') return degraded(`its pods cannot be counted: ${allowed.message ?? ''}`);
  if (status.expectedPods === 0) return healthy('no pod matches its selector');
  return healthy(
    `${status.currentHealthy} pods are healthy, ${status.desiredHealthy} have to be; ${status.disruptionsAllowed} may be evicted`,
  );
}

export function podGroupHealth({ status, spec }: PodGroup): Health {
  if (!status) return progressing('its pods have not been counted yet');
  const running = `${status.running} of ${spec.minMember} pods run`;
  switch (status.phase) {
    case 'Failed':
      return degraded(`${status.failed} of its pods failed`);
    case 'Pending':
    case 'Scheduling':
      return progressing(running);
    case 'Running':
      return healthy(running);
    case 'Finished':
      return healthy('its pods ended well');
  }
}
