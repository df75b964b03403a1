/** The plan of a revision against the live state: the same one whether it is shown or executed. */
import {
  STANDING_NAMESPACES,
  isCustom,
  isCustomKey,
  keyOf,
  parseKey,
  type AnyKey,
  type AnyStored,
  type CustomKey,
  type Kind,
  type ObjectKey,
  type Stored,
  type StoredUnstructured,
} from '../../../contracts/objects/index.ts';
import { andMore } from '../../core/and-more.ts';
import { changedFields, configChange } from '../../core/diff/field-changes.ts';
import {
  checkingPlan,
  homeOf,
  itemsInOrder,
  orderPlan,
  planInput,
  planningSync,
  SOURCE_ANNOTATION,
  type AnyPlanItem,
  type Ordered,
  type Plan,
  type PlanInput,
  type Refusal,
} from '../../core/diff/index.ts';
import { HOOK_RUN, hookOf } from '../../core/diff/sync-order.ts';
import type { Desired, DesiredCustom, DesiredObject } from '../../core/manifests/index.ts';
import type { Paced } from '../../core/paced.ts';
import { pruneGuard } from '../../core/revisions/prune-guard.ts';
import type { Health } from '../../core/health/health.ts';
import { objectAt } from '../../core/kinds/custom.ts';
import { customSourceObjects, reportHealth, sourceObjects } from '../../core/revisions/health.ts';
import type { AnyStep } from '../../core/step.ts';
import type { StoreView } from '../runtime/controller.ts';

export interface LivePlan {
  readonly plan: Plan;
  /** Why it may not be executed; empty when it may. */
  readonly refusals: readonly Refusal[];
}

/** Plans `desired` against the view as it is at the first step. Reads nothing else. */
export function* planLive(view: StoreView, sourceName: string, applied: Desired, desired: Desired): Paced<LivePlan> {
  const input = wholeInput(view, sourceName, applied, desired);
  const plan = yield* planningSync(input);
  const { live, custom, disposable } = input;
  return {
    plan,
    refusals: [
      ...(yield* checkingPlan(input, plan)),
      ...pruneGuard(view.list('Cluster')[0], desired, live.size + (custom?.live.size ?? 0), plan, disposable),
    ],
  };
}

/** What of the revision in force is to be put back: of all that is there, or of the named objects alone. */
export function planDrift(
  view: StoreView,
  sourceName: string,
  applied: Desired,
  desired: Desired,
  of: 'all' | 'named',
): Paced<Plan> {
  return planningSync(
    of === 'all'
      ? wholeInput(view, sourceName, applied, desired)
      : planInput(sourceName, applied, desired, namedIn(view, desired), customNamedIn(view, desired)),
  );
}

/** Kinds of objects that others go and come with. */
const OTHERS_GO_WITH: readonly Kind[] = ['Namespace', 'CustomResourceDefinition'];

/** Whether the objects of these keys can be looked at alone: the revision has each of them, and nothing hangs on it. */
export function standAlone(keys: ReadonlySet<AnyKey>, { state, custom }: Desired): boolean {
  return [...keys].every((key) =>
    isCustomKey(key) ? custom.has(key) : state.has(key) && !OTHERS_GO_WITH.includes(parseKey(key).kind),
  );
}

/** What a revision says of these objects and of the Namespaces that they are in. */
export function partOf(desired: Desired, keys: ReadonlySet<AnyKey>): Desired {
  const state = new Map<ObjectKey, DesiredObject>();
  const custom = new Map<CustomKey, DesiredCustom>();
  for (const key of [...keys].flatMap((one) => [homeOf(one), one])) {
    if (key === undefined) continue;
    if (isCustomKey(key)) {
      const one = desired.custom.get(key);
      if (one) custom.set(key, one);
    } else {
      const one = desired.state.get(key);
      if (one) state.set(key, one);
    }
  }
  return { ...desired, state, custom };
}

function wholeInput(view: StoreView, sourceName: string, applied: Desired, desired: Desired): PlanInput {
  const live = namedIn(view, desired);
  for (const object of sourceObjects(view, sourceName)) live.set(keyOf(object), object);
  const custom = customNamedIn(view, desired);
  for (const object of customSourceObjects(view.custom, sourceName)) custom.set(keyOf(object), object);
  return planInput(sourceName, applied, desired, live, custom);
}

function namedIn(view: StoreView, { state }: Desired): Map<ObjectKey, Stored> {
  const live = new Map<ObjectKey, Stored>();
  for (const key of state.keys()) {
    const object: Stored | undefined = view.get(key);
    if (object) live.set(key, object);
  }
  return live;
}

function customNamedIn(view: StoreView, { custom }: Desired): Map<CustomKey, StoredUnstructured> {
  const live = new Map<CustomKey, StoredUnstructured>();
  for (const key of custom.keys()) {
    const object = view.custom.get(key);
    if (object) live.set(key, object);
  }
  return live;
}

function stepOf(item: AnyPlanItem, foreground: Ordered['foreground']): AnyStep {
  switch (item.action) {
    case 'create':
      return { do: 'create', object: item.object };
    case 'update':
      return { do: 'update', object: item.object as AnyStored };
    case 'delete':
      return {
        do: 'delete',
        key: item.key,
        uid: item.object.metadata.uid ?? '',
        ...(foreground.has(item.key) && { propagation: 'Foreground' }),
      };
  }
}

/**
 * Items of the plan as steps, in the plan's order, after the hooks; the whole plan where no order is given. What is in a Namespace that the plan deletes is left
 * to the Namespace's controller, which deletes pods first.
 */
export function stepsOf(plan: Plan, order?: Pick<Ordered, 'items' | 'hooks' | 'foreground'>): AnyStep[] {
  const { items, hooks, foreground } = order ?? { items: itemsInOrder(plan), hooks: [], foreground: new Set<AnyKey>() };
  const going = new Set(plan.items.flatMap((item) => endingNamespace(item) ?? []));
  return [
    ...hooks,
    ...items
      .filter(({ action, object }) => action !== 'delete' || !going.has(object.metadata.namespace ?? ''))
      .map((item) => stepOf(item, foreground)),
  ];
}

/** Which part of a plan may be carried out now: see `core/diff/order-plan.ts`. */
export function orderLive(
  view: StoreView,
  sourceName: string,
  revision: string,
  plan: Plan,
  applied: Desired,
  desired: Desired,
): Ordered {
  return orderPlan({
    plan,
    sourceName,
    revision,
    applied: [...applied.state.values(), ...applied.custom.values()],
    desired: [...desired.state.values(), ...desired.custom.values()],
    live: (key) => objectAt(view, key),
    health: (object) => healthOf(object as AnyStored, view),
  });
}

/** Hooks of the revision in force that have ended, and are to go then. */
export function endedHooks(view: StoreView, sourceName: string, { state, custom }: Desired): readonly AnyStep[] {
  return [...state.values(), ...custom.values()].flatMap(({ key, object }): readonly AnyStep[] => {
    const hook = hookOf(object);
    if (!hook || !(hook.goes.succeeded || hook.goes.failed)) return [];
    const live: AnyStored | undefined = objectAt(view, key);
    const { annotations, deletionTimestamp, uid } = live?.metadata ?? {};
    const isOurs = annotations?.[SOURCE_ANNOTATION] === sourceName && annotations[HOOK_RUN] !== undefined;
    if (!live || uid === undefined || !isOurs || deletionTimestamp !== undefined) return [];
    const { status, gaveUp } = healthOf(live, view);
    const goes = gaveUp ? hook.goes.failed : status === 'Healthy' && hook.goes.succeeded;
    return goes ? [{ do: 'delete', key, uid }] : [];
  });
}

function healthOf(object: AnyStored, view: StoreView): Health {
  const { health: status, message, gaveUp } = reportHealth(object, view);
  return { status, message, ...(gaveUp && { gaveUp }) };
}

function endingNamespace({ action, object }: AnyPlanItem): string | undefined {
  const { name } = object.metadata;
  return action === 'delete' && object.kind === 'Namespace' && !isCustom(object) && !STANDING_NAMESPACES.includes(name)
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
