/** The plan of a revision against the live state: the same one whether it is shown or executed. */
import {
  DEFAULT_NAMESPACE,
  isCustom,
  keyOf,
  type AnyStored,
  type CustomKey,
  type ObjectKey,
  type Stored,
  type StoredUnstructured,
} from '../../../contracts/objects/index.ts';
import { andMore } from '../../core/and-more.ts';
import { changedFields, configChange } from '../../core/diff/field-changes.ts';
import { checkPlan, itemsInOrder, planInput, planSync, type AnyPlanItem, type Plan } from '../../core/diff/index.ts';
import type { Desired, Diagnostic } from '../../core/manifests/index.ts';
import { pruneGuard } from '../../core/revisions/prune-guard.ts';
import { customSourceObjects, sourceObjects } from '../../core/revisions/health.ts';
import type { AnyStep } from '../../core/step.ts';
import type { StoreView } from '../runtime/controller.ts';

export interface LivePlan {
  readonly plan: Plan;
  /** Why it may not be executed; empty when it may. */
  readonly refusals: readonly Diagnostic[];
}

/** Plans `desired` against the view. Reads nothing else. */
export function planLive(view: StoreView, sourceName: string, applied: Desired, desired: Desired): LivePlan {
  const live = new Map<ObjectKey, Stored>();
  for (const object of sourceObjects(view, sourceName)) live.set(keyOf(object), object);
  for (const key of desired.state.keys()) {
    const object: Stored | undefined = view.get(key);
    if (object) live.set(key, object);
  }
  const custom = new Map<CustomKey, StoredUnstructured>();
  for (const object of customSourceObjects(view.custom, sourceName)) custom.set(keyOf(object), object);
  for (const key of desired.custom.keys()) {
    const object = view.custom.get(key);
    if (object) custom.set(key, object);
  }
  const input = planInput(sourceName, applied, desired, live, custom);
  const plan = planSync(input);
  return {
    plan,
    refusals: [
      ...checkPlan(input, plan),
      ...pruneGuard(view.list('Cluster')[0], desired, live.size + custom.size, plan),
    ],
  };
}

function stepOf(item: AnyPlanItem): AnyStep {
  switch (item.action) {
    case 'create':
      return { do: 'create', object: item.object };
    case 'update':
      return { do: 'update', object: item.object as AnyStored };
    case 'delete':
      return { do: 'delete', key: item.key, uid: item.object.metadata.uid ?? '' };
  }
}

/**
 * The plan's items as steps, in the plan's order. What is in a Namespace that the plan deletes is left to the Namespace's
 * controller, which deletes pods first.
 */
export function stepsOf(plan: Plan): AnyStep[] {
  const going = new Set(plan.items.flatMap((item) => endingNamespace(item) ?? []));
  return itemsInOrder(plan)
    .filter(({ action, object }) => action !== 'delete' || !going.has(object.metadata.namespace ?? ''))
    .map(stepOf);
}

function endingNamespace({ action, object }: AnyPlanItem): string | undefined {
  const { name } = object.metadata;
  return action === 'delete' && object.kind === 'Namespace' && !isCustom(object) && name !== DEFAULT_NAMESPACE
    ? name
    : undefined;
}

const SHOWN_PATHS = 5;

/** What was put back, one sentence for each object that somebody changed; empty for a plan without drift. */
export function driftSentences(plan: Plan): { readonly item: AnyPlanItem; readonly message: string }[] {
  return itemsInOrder(plan).flatMap((item): { readonly item: AnyPlanItem; readonly message: string }[] => {
    if (onlyTakesHash(item)) return [];
    switch (item.action) {
      case 'create':
        return [{ item, message: 'was deleted outside Git; made again' }];
      case 'delete':
        return [{ item, message: 'is in no manifest any more; deleted' }];
      case 'update':
        return [
          {
            item,
            message: `was changed outside Git; put back: ${andMore(
              item.patch.map((p) => p.path),
              SHOWN_PATHS,
            )}`,
          },
        ];
    }
  });
}

/** Nobody changed a template that is of before there were hashes of its config. */
function onlyTakesHash(item: AnyPlanItem): boolean {
  if (item.action !== 'update') return false;
  const changes = changedFields(item);
  return changes.length > 0 && changes.every((change) => configChange(change) === 'noted');
}
