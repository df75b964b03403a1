/** The plan of a revision against the live state: the same one whether it is shown or executed. */
import { keyOf, type ObjectKey, type Stored } from '../../../contracts/objects/index.ts';
import { andMore } from '../../core/and-more.ts';
import { checkPlan, planSync, type Plan, type PlanInput, type PlanItem } from '../../core/diff/index.ts';
import type { DesiredState, Diagnostic } from '../../core/manifests/index.ts';
import { pruneGuard } from '../../core/revisions/prune-guard.ts';
import { sourceObjects } from '../../core/revisions/health.ts';
import type { Step } from '../../core/step.ts';
import type { StoreView } from '../runtime/controller.ts';

export interface LivePlan {
  readonly plan: Plan;
  /** Why it may not be executed; empty when it may. */
  readonly refusals: readonly Diagnostic[];
}

/** Plans `desired` against the view. Reads nothing else. */
export function planLive(view: StoreView, sourceName: string, applied: DesiredState, desired: DesiredState): LivePlan {
  const live = new Map<ObjectKey, Stored>();
  for (const object of sourceObjects(view, sourceName)) live.set(keyOf(object), object);
  for (const key of desired.keys()) {
    const object: Stored | undefined = view.get(key);
    if (object) live.set(key, object);
  }
  const input: PlanInput = { sourceName, applied, desired, live };
  const plan = planSync(input);
  return {
    plan,
    refusals: [...checkPlan(input, plan), ...pruneGuard(view.list('Cluster')[0], desired, live.size, plan)],
  };
}

function stepOf(item: PlanItem): Step {
  switch (item.action) {
    case 'create':
      return { do: 'create', object: item.object };
    case 'update':
      return { do: 'update', object: item.object as Stored };
    case 'delete':
      return { do: 'delete', key: item.key, uid: item.object.metadata.uid ?? '' };
  }
}

/** The plan's items as steps, in the plan's order: creates and updates by wave, then deletes. */
export function stepsOf(plan: Plan): Step[] {
  return plan.items.map(stepOf);
}

const SHOWN_PATHS = 5;

/** What was put back, one sentence for each object that somebody changed; empty for a plan without drift. */
export function driftSentences(plan: Plan): { readonly item: PlanItem; readonly message: string }[] {
  return plan.items.map((item) => {
    switch (item.action) {
      case 'create':
        return { item, message: 'was deleted outside Git; made again' };
      case 'delete':
        return { item, message: 'is in no manifest any more; deleted' };
      case 'update':
        return {
          item,
          message: `was changed outside Git; put back: ${andMore(
            item.patch.map((p) => p.path),
            SHOWN_PATHS,
          )}`,
        };
    }
  });
}
