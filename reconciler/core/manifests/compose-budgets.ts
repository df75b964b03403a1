/** Disruption budgets against the workloads that they are over. */
import type { KubeObject, PodDisruptionBudget } from '../../../contracts/objects/index.ts';
import { replicasOf } from '../kinds/owners.ts';
import { podTemplateOf } from '../kinds/pod-template.ts';
import { healthyShare } from '../workloads/disruption-budget.ts';
import { covers } from '../workloads/disruption.ts';
import { andMore } from '../and-more.ts';
import type { Tell } from './findings.ts';
import { LabelIndex } from './label-index.ts';
import { positionOf } from './marks.ts';
import type { DesiredObject, DesiredState } from './types.ts';

type Budget = DesiredObject & { readonly object: PodDisruptionBudget };

interface Workload {
  readonly object: KubeObject;
  readonly replicas: number;
  readonly namespace: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
}

/** Warns of a budget that no eviction of a pod would ever fit: the drain of a node would wait for it for ever. */
export function checkBudgets(state: DesiredState, tell: Tell): void {
  const all = [...state.values()];
  const workloads = new LabelIndex(all.flatMap(workloadOf));
  for (const budget of all.filter((desired): desired is Budget => desired.object.kind === 'PodDisruptionBudget')) {
    const { metadata, spec } = budget.object;
    const over = workloads
      .candidates(metadata.namespace, spec.selector?.matchLabels)
      .filter(({ namespace, labels }) => covers(budget.object, { metadata: { namespace, labels } }));
    const replicas = over.reduce((sum, workload) => sum + workload.replicas, 0);
    if (replicas === 0) continue;
    const healthy = healthyShare(spec, replicas);
    if (healthy < replicas) continue;
    const field = spec.minAvailable === undefined ? 'maxUnavailable' : 'minAvailable';
    const names = over.map(({ object }) => `${object.kind} ${object.metadata.name}`);
    tell(
      'warning',
      'BudgetAllowsNothing',
      positionOf(budget, 'spec', field),
      `${healthy} of the ${replicas} pods of ${andMore(names, 3, ' and ')} have to stay, so none may ever be evicted: \`plumb node drain\` would wait for them for ever`,
      'let at least one be missing, or have more replicas',
    );
  }
}

function workloadOf({ object }: DesiredObject): Workload[] {
  const replicas = replicasOf(object);
  return replicas === undefined
    ? []
    : [{ object, replicas, namespace: object.metadata.namespace, labels: podTemplateOf(object)?.labels ?? {} }];
}
