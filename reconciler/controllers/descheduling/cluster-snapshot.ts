/** What a plan to rebalance is made from, as the store has it. */
import { DEFAULT_SCHEDULER_NAME } from '../../../contracts/objects/index.ts';
import type { RebalanceInput } from '../../core/scheduling/rebalance.ts';
import { ClaimPlacement } from '../../core/volumes/placement.ts';
import type { StoreView } from '../runtime/controller.ts';
import { volumesView } from '../scheduling/cluster-feed.ts';
import { profilesOf } from '../scheduling/profiles.ts';

/**
 * Pods are placed as the scheduler's lane places them: the same profiles, and the same choice between nodes that are
 * equally good.
 */
export function clusterOf(view: StoreView): Pick<RebalanceInput, 'cluster' | 'budgets'> {
  const { profiles } = profilesOf(view);
  return {
    cluster: {
      nodes: view.list('Node'),
      pods: view.list('Pod'),
      services: view.list('Service'),
      namespaces: view.list('Namespace'),
      priorityClasses: view.list('PriorityClass'),
      volumes: new ClaimPlacement(volumesView(view)),
      profiles,
      seed: DEFAULT_SCHEDULER_NAME,
    },
    budgets: view.list('PodDisruptionBudget'),
  };
}
