/** What a plan may not do. Checked before anything is carried out, so that a refused revision changes nothing. */
import {
  displayKey,
  isCustom,
  isCustomKey,
  objectKey,
  type AnyKey,
  type AnyObject,
  type Kind,
} from '../../../contracts/objects/index.ts';
import { descriptorOf } from '../kinds/index.ts';
import {
  byPosition,
  positionOf,
  type DesiredCustom,
  type DesiredObject,
  type Diagnostic,
  type Position,
} from '../manifests/index.ts';
import { finish, type Paced } from '../paced.ts';
import { acknowledgeObject, trailerFor, type Refusal } from './acknowledge.ts';
import type { PlanCode } from './codes.ts';
import type { Change } from './fixed-fields.ts';
import { customList, liveObject, obstacleOf, planSync, type PlanList } from './plan-sync.ts';
import { overPruneLimit } from './prune-limit.ts';
import { pruneRule } from './prune-rules.ts';
import { hookOf } from './sync-order.ts';
import { ORIGIN_ANNOTATION, type AnyPlanItem, type Plan, type PlanInput } from './types.ts';

type AnyDesired = DesiredObject | DesiredCustom;

/** Why a revision may not be applied over what is live; empty when it may. All are errors, ordered by position. */
export function checkPlan(input: PlanInput, plan: Plan = planSync(input)): Refusal[] {
  return finish(checkingPlan(input, plan));
}

/** {@link checkPlan}, object by object. */
export function* checkingPlan(input: PlanInput, plan: Plan): Paced<Refusal[]> {
  const diagnostics: Refusal[] = [];
  const updates = new Map(plan.items.flatMap((item) => (item.action === 'update' ? [[item.key, item.object]] : [])));
  for (const desired of input.desired.values()) {
    yield;
    const live = liveObject(input, desired.key);
    // What is on its way out is made anew when it is gone.
    if (!live || live.metadata.deletionTimestamp !== undefined || hookOf(desired.object)) continue;
    const refusal = obstacleRefusal(desired, live, input);
    if (refusal) diagnostics.push(refusal);
    else if (!isCustom(live)) {
      const { object: wanted, key } = desired;
      const after = updates.get(key) ?? live;
      diagnostics.push(...fixedFields(desired, { live, after, wanted, applied: input.applied.get(key)?.object }));
    }
  }
  const custom = input.custom && customList(input.sourceName, input.custom);
  for (const desired of input.custom?.desired.values() ?? []) {
    yield;
    const live = custom && liveObject(custom, desired.key);
    if (!live || live.metadata.deletionTimestamp !== undefined || hookOf(desired.object)) continue;
    const refusal = obstacleRefusal(desired, live, custom);
    if (refusal) diagnostics.push(refusal);
  }
  diagnostics.push(...pruneRefusals(input, plan), ...protectedPrunes(input, plan));
  return diagnostics.sort(byPosition);
}

/** Why an object that somebody else writes is not written. */
function obstacleRefusal(
  desired: AnyDesired,
  live: AnyObject,
  { sourceName, applied }: Pick<PlanList, 'sourceName' | 'applied'>,
): Diagnostic | undefined {
  const obstacle = obstacleOf(live, sourceName, applied.has(desired.key));
  switch (obstacle?.owner) {
    case 'controller':
      return refuse(
        'OwnedByController',
        desired,
        [],
        `${title(desired)} exists already and belongs to ${obstacle.name}`,
        'use another name',
      );
    case 'source':
      return refuse(
        'OwnedByOtherSource',
        desired,
        [],
        `${title(desired)} is applied by the source ${obstacle.name} already`,
        'keep it in one repository only',
      );
    case undefined:
      return undefined;
  }
}

function fixedFields(desired: DesiredObject, change: Change<Kind>): Diagnostic[] {
  return descriptorOf(desired.object.kind).fixed.flatMap((field) => {
    const what = field.broken(change);
    return what === undefined
      ? []
      : refuse('ImmutableField', desired, field.path, `${title(desired)}: ${what}`, field.hint);
  });
}

/** The limits of Cluster.spec.sync, of the objects that this source has live; what is {@link PlanInput.disposable} does not count. */
function pruneRefusals(input: PlanInput, plan: Plan): Refusal[] {
  const cluster = [...input.desired.values()].find((d) => d.object.kind === 'Cluster');
  if (cluster?.object.kind !== 'Cluster') return [];
  const { desired, live, custom } = input;
  const left =
    [...desired.keys()].filter((key) => live.has(key)).length +
    [...(custom?.desired.keys() ?? [])].filter((key) => custom?.live.has(key)).length;
  const deleted = deletedOf(plan, input.disposable);
  const over = overPruneLimit(cluster.object.spec.sync, deleted, left);
  return over ? [pruneLimit(positionOf(cluster, 'spec', 'sync', over.field), over.message, deleted)] : [];
}

/** How many objects the plan deletes that somebody may miss. */
export function deletedOf({ items, custom }: Plan, disposable: PlanInput['disposable'] = new Set()): number {
  return [...items, ...custom].filter(({ action, key }) => action === 'delete' && !disposable.has(key)).length;
}

/** The refusal of a plan that deletes too much at once. */
export function pruneLimit(position: Position, message: string, deleted: number): Refusal {
  const acknowledge = String(deleted);
  return {
    severity: 'error',
    code: 'PruneLimit',
    ...position,
    message,
    hint: `if that is meant, say so in the commit's message: ${trailerFor(acknowledge)}; or delete in steps`,
    acknowledge,
  };
}

/** What may only go where the commit says that it is meant. What is in a Namespace goes with that. */
function protectedPrunes(input: PlanInput, plan: Plan): Refusal[] {
  const deletions = [...plan.items, ...plan.custom].filter(({ action }) => action === 'delete');
  const going = new Set<AnyKey>(deletions.map(({ key }) => key));
  const isMissed = ({ key, object }: AnyPlanItem): boolean =>
    input.disposable?.has(key) !== true || (object.kind === 'Namespace' && isShared(object.metadata.name, input));
  return deletions.flatMap((item) => {
    const { key, object } = item;
    const { namespace } = object.metadata;
    const rule = pruneRule(object);
    if (rule?.rule !== 'confirmed' || (rule.isOfKind && !isMissed(item))) return [];
    if (namespace !== undefined && going.has(objectKey('Namespace', undefined, namespace))) return [];
    const acknowledge = acknowledgeObject(key);
    return [
      {
        severity: 'error',
        code: 'PruneUnacknowledged' satisfies PlanCode,
        ...placeOf(input, key, object),
        message: `this would delete ${displayKey(key)}: ${rule.by}`,
        hint: `if that is meant, say so in the commit's message: ${trailerFor(acknowledge)}`,
        acknowledge,
      },
    ];
  });
}

/** Whether something is in the namespace that is not for a pull request. */
function isShared(name: string, { live, custom, disposable }: PlanInput): boolean {
  const all: Iterable<readonly [AnyKey, AnyObject]> = [...live, ...(custom?.live ?? [])];
  return [...all].some(([key, { metadata }]) => metadata.namespace === name && !disposable?.has(key));
}

/** Where the manifest of what is deleted was. */
function placeOf(input: PlanInput, key: AnyPlanItem['key'], object: AnyObject): Position {
  const applied = isCustomKey(key) ? input.custom?.applied.get(key) : input.applied.get(key);
  if (applied) return applied.position;
  const [, file, line] = /^(.*):(\d+)$/.exec(object.metadata.annotations?.[ORIGIN_ANNOTATION] ?? '') ?? [];
  return { file: file ?? '.', line: Number(line ?? 1), column: 1 };
}

function title({ object }: AnyDesired): string {
  const { namespace, name } = object.metadata;
  return `${object.kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`;
}

function refuse(
  code: PlanCode,
  desired: AnyDesired,
  path: readonly string[],
  message: string,
  hint: string,
): Diagnostic {
  const position = path.length > 0 ? positionOf(desired, ...path) : desired.position;
  return { severity: 'error', code, ...position, message, hint };
}
