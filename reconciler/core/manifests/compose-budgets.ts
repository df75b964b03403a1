/** Disruption budgets against the workloads that they are over. */
import type { PodDisruptionBudget } from '../../../contracts/objects/index.ts';
import { replicasOf } from '../kinds/owners.ts';
import { podTemplateOf } from '../kinds/pod-template.ts';
import { healthyShare } from '../workloads/disruption-budget.ts';
import { covers } from '../workloads/disruption.ts';
import type { Tell } from './findings.ts';
import { positionOf } from './marks.ts';
import type { DesiredObject, DesiredState } from './types.ts';

type Budget = DesiredObject & { readonly object: PodDisruptionBudget };

/** Warns of a budget that no eviction of a pod would ever fit: the drain of a node would wait for it for ever. */
export function checkBudgets(state: DesiredState, tell: Tell): void {
  const all = [...state.values()];
  const workloads = all.flatMap(({ object }) => {
    const replicas = replicasOf(object);
    return replicas === undefined ? [] : [{ object, replicas, labels: podTemplateOf(object)?.labels }];
  });
  for (const budget of all.filter((desired): desired is Budget => desired.object.kind === 'PodDisruptionBudget')) {
    const over = workloads.filter(({ object: { metadata }, labels }) =>
      covers(budget.object, { metadata: { namespace: metadata.namespace, labels } }),
    );
    const replicas = over.reduce((sum, workload) => sum + workload.replicas, 0);
    if (replicas === 0) continue;
    const healthy = healthyShare(budget.object.spec, replicas);
    if (healthy < replicas) continue;
    const field = budget.object.spec.minAvailable === undefined ? 'maxUnavailable' : 'minAvailable';
    const names = over.map(({ object }) => `${object.kind} ${object.metadata.name}`).join(' and ');
    tell(
      'warning',
      'BudgetAllowsNothing',
      positionOf(budget, 'spec', field),
      `${healthy} of the ${replicas} pods of ${names} have to stay, so none may ever be evicted: \`plumb node drain\` would wait for them for ever`,
      'let at least one be missing, or have more replicas',
    );
  }
}
