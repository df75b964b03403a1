/** What a plan may not do. Checked before anything is carried out, so that a refused revision changes nothing. */
import { isCustom, type AnyObject, type Kind } from '../../../contracts/objects/index.ts';
import { descriptorOf } from '../kinds/index.ts';
import { byPosition, positionOf, type DesiredCustom, type DesiredObject, type Diagnostic } from '../manifests/index.ts';
import type { PlanCode } from './codes.ts';
import type { Change } from './fixed-fields.ts';
import { customList, liveObject, obstacleOf, planSync, type PlanList } from './plan-sync.ts';
import { overPruneLimit } from './prune-limit.ts';
import type { Plan, PlanInput } from './types.ts';

type AnyDesired = DesiredObject | DesiredCustom;

/** Why a revision may not be applied over what is live; empty when it may. All are errors, ordered by position. */
export function checkPlan(input: PlanInput, plan: Plan = planSync(input)): Diagnostic[] {
  const diagnostics: Diagnostic[] = [];
  const updates = new Map(plan.items.flatMap((item) => (item.action === 'update' ? [[item.key, item.object]] : [])));
  for (const desired of input.desired.values()) {
    const live = liveObject(input, desired.key);
    // What is on its way out is made anew when it is gone.
    if (!live || live.metadata.deletionTimestamp !== undefined) continue;
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
    const live = custom && liveObject(custom, desired.key);
    if (!live || live.metadata.deletionTimestamp !== undefined) continue;
    const refusal = obstacleRefusal(desired, live, custom);
    if (refusal) diagnostics.push(refusal);
  }
  diagnostics.push(...pruneRefusals(input, plan));
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

/** Cluster.spec.sync.maxPrunePercent, of the objects that this source has live. */
function pruneRefusals(input: PlanInput, plan: Plan): Diagnostic[] {
  const cluster = [...input.desired.values()].find((d) => d.object.kind === 'Cluster');
  if (cluster?.object.kind !== 'Cluster') return [];
  const { desired, live, custom } = input;
  const left =
    [...desired.keys()].filter((key) => live.has(key)).length +
    [...(custom?.desired.keys() ?? [])].filter((key) => custom?.live.has(key)).length;
  const message = overPruneLimit(cluster.object.spec.sync.maxPrunePercent, plan.counts.delete, left);
  if (message === undefined) return [];
  return [
    refuse(
      'PruneLimit',
      cluster,
      ['spec', 'sync', 'maxPrunePercent'],
      message,
      'if that is meant, set spec.sync.maxPrunePercent to 100 in the same commit, or delete in steps',
    ),
  ];
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
