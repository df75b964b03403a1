/** What a plan may not do. Checked before anything is carried out, so that a refused revision changes nothing. */
import type { Kind } from '../../../contracts/objects/index.ts';
import { descriptorOf } from '../kinds/index.ts';
import { byPosition, positionOf, type DesiredObject, type Diagnostic } from '../manifests/index.ts';
import type { PlanCode } from './codes.ts';
import type { Change } from './fixed-fields.ts';
import { liveObject, obstacleOf, planSync } from './plan-sync.ts';
import { overPruneLimit } from './prune-limit.ts';
import type { Plan, PlanInput } from './types.ts';

/** Why a revision may not be applied over what is live; empty when it may. All are errors, ordered by position. */
export function checkPlan(input: PlanInput, plan: Plan = planSync(input)): Diagnostic[] {
  const diagnostics: Diagnostic[] = [];
  const updates = new Map(plan.items.flatMap((item) => (item.action === 'update' ? [[item.key, item.object]] : [])));
  for (const desired of input.desired.values()) {
    const live = liveObject(input, desired.key);
    // What is on its way out is made anew when it is gone.
    if (!live || live.metadata.deletionTimestamp !== undefined) continue;
    const obstacle = obstacleOf(live, input.sourceName);
    if (obstacle?.owner === 'controller')
      diagnostics.push(
        refuse(
          'OwnedByController',
          desired,
          [],
          `${title(desired)} exists already and belongs to ${obstacle.name}`,
          'use another name',
        ),
      );
    else if (obstacle)
      diagnostics.push(
        refuse(
          'OwnedByOtherSource',
          desired,
          [],
          `${title(desired)} is applied by the source ${obstacle.name} already`,
          'keep it in one repository only',
        ),
      );
    else {
      const { object: wanted, key } = desired;
      const after = updates.get(key) ?? live;
      diagnostics.push(...fixedFields(desired, { live, after, wanted, applied: input.applied.get(key)?.object }));
    }
  }
  diagnostics.push(...pruneRefusals(input, plan));
  return diagnostics.sort(byPosition);
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
  const left = [...input.desired.keys()].filter((key) => input.live.has(key)).length;
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

function title({ object }: DesiredObject): string {
  const { namespace, name } = object.metadata;
  return `${object.kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`;
}

function refuse(
  code: PlanCode,
  desired: DesiredObject,
  path: readonly string[],
  message: string,
  hint: string,
): Diagnostic {
  const position = path.length > 0 ? positionOf(desired, ...path) : desired.position;
  return { severity: 'error', code, ...position, message, hint };
}
