/** A DeschedulerPolicy with an interval: the control plane moves pods by itself. */
import { keyOf, type ObjectKey } from '../../../contracts/objects/index.ts';
import { planRebalance } from '../../core/scheduling/rebalance.ts';
import { policyRound } from '../../core/scheduling/rebalance/eviction-round.ts';
import { rebalancePolicy } from '../../core/scheduling/rebalance/policy.ts';
import type { Paced } from '../../core/paced.ts';
import type { Decision } from '../../core/step.ts';
import type { Controller, PassContext } from '../runtime/controller.ts';
import { clusterOf } from './cluster-snapshot.ts';
import { problemText } from './rebalance.ts';

/** Component of its events. */
export const DESCHEDULER_NAME = 'descheduler';

function decide(key: ObjectKey, { view, now }: PassContext): Decision | Paced<Decision> {
  // A repository has one at most; of more the first counts, whoever wrote them.
  const [object] = view.list('DeschedulerPolicy');
  if (!object || keyOf(object) !== key) return { steps: [] };
  const { policy, problems } = rebalancePolicy(object);
  return policyRound({
    object,
    now,
    budgets: () => view.list('PodDisruptionBudget'),
    problem: problems.length === 0 ? undefined : problems.map(problemText).join('; '),
    plan: () => planRebalance({ ...clusterOf(view), policy, now }),
  });
}

export const deschedulerController: Controller = {
  name: DESCHEDULER_NAME,
  kind: 'DeschedulerPolicy',
  actsByTheClock: true,
  watches: {
    /** An eviction that was booked may be carried out. */
    PodDisruptionBudget: (budget, view) =>
      budget.status?.disruptedPods ? view.list('DeschedulerPolicy').map(keyOf) : [],
  },
  decide,
};
