/** The plan of a revision: what has to be created, updated and deleted so that the cluster is what Git says. */
import { fieldSemantics, parseKey, type KubeObject, type ObjectKey } from '../../../contracts/objects/index.ts';
import { DESCRIPTORS } from '../kinds/index.ts';
import type { DesiredObject } from '../manifests/types.ts';
import { diffObjects } from './diff-objects.ts';
import { equal } from '../fields/json.ts';
import { othersFields } from '../fields/managed-fields.ts';
import { conflictsOf, withoutFields } from './conflicts.ts';
import { mergeObjects } from './merge-objects.ts';
import { ORIGIN_ANNOTATION, SOURCE_ANNOTATION, type Plan, type PlanInput, type PlanItem } from './types.ts';

/**
 * Plans a sync. Guarantees: carrying the plan out and planning again gives no items; the order does not depend on the
 * order of the input; only objects that carry this source's annotation are deleted; objects that a controller owns,
 * that another source owns, or that are being deleted are left alone ({@link checkPlan} says so for the first two).
 *
 * A live object that is the very object in `applied` (an offline plan) counts as carrying the annotations.
 */
export function planSync(input: PlanInput): Plan {
  const changes: PlanItem[] = [];
  for (const desired of input.desired.values()) {
    const item = planObject(input, desired);
    if (item) changes.push(item);
  }
  const deletions: PlanItem[] = [];
  for (const key of input.live.keys()) {
    if (input.desired.has(key)) continue;
    const object = liveObject(input, key);
    if (object && isPrunable(object, input.sourceName)) deletions.push({ action: 'delete', key, object });
  }
  changes.sort((a, b) => waveOf(a.key) - waveOf(b.key) || compareKeys(a.key, b.key));
  deletions.sort((a, b) => waveOf(b.key) - waveOf(a.key) || compareKeys(a.key, b.key));
  const items = [...changes, ...deletions];
  const count = (action: PlanItem['action']): number => items.filter((item) => item.action === action).length;
  return { items, counts: { create: count('create'), update: count('update'), delete: count('delete') } };
}

function planObject(input: PlanInput, desired: DesiredObject): PlanItem | undefined {
  const { sourceName } = input;
  const { key, position } = desired;
  const live = liveObject(input, key);
  if (!live) return { action: 'create', key, object: marked(desired, sourceName), position };
  if (obstacleOf(live, sourceName) !== undefined || live.metadata.deletionTimestamp !== undefined) return undefined;
  const applied = input.applied.get(key);
  const others = othersFields(live);
  const result = mergeObjects(applied && others ? withoutFields(applied, others) : applied, desired, live);
  const isMarked = result.metadata.annotations?.[SOURCE_ANNOTATION] === sourceName;
  const merged = isMarked ? result : withAnnotations(result, { [SOURCE_ANNOTATION]: sourceName });
  // A manifest that only moved changes nothing; where it moved to is told when something else changes.
  if (merged === live) return undefined;
  const object = withAnnotations(merged, { [ORIGIN_ANNOTATION]: originOf(desired) });
  const reason = applied && equal(applied.written, desired.written) ? 'drift' : 'commit';
  const conflicts = conflictsOf(live, object, applied, desired);
  return {
    action: 'update',
    key,
    before: live,
    object,
    patch: diffObjects(live, object, fieldSemantics(object.kind)),
    reason,
    position,
    ...(conflicts.length > 0 && { conflicts }),
  };
}

/** Why this source may not write a live object: somebody else does. */
export function obstacleOf(
  live: KubeObject,
  sourceName: string,
): { readonly owner: 'controller' | 'source'; readonly name: string } | undefined {
  const controller = live.metadata.ownerReferences?.find((o) => o.controller === true);
  if (controller) return { owner: 'controller', name: `${controller.kind} ${controller.name}` };
  const source = live.metadata.annotations?.[SOURCE_ANNOTATION];
  return source !== undefined && source !== sourceName ? { owner: 'source', name: source } : undefined;
}

/**
 * The live object of a key. In an offline plan the applied object stands for it, with the annotations that applying
 * would have set.
 */
export function liveObject(input: PlanInput, key: ObjectKey): KubeObject | undefined {
  const live = input.live.get(key);
  const applied = input.applied.get(key);
  return applied && applied.object === live ? marked(applied, input.sourceName) : live;
}

function isPrunable(object: KubeObject, sourceName: string): boolean {
  const { annotations, deletionTimestamp } = object.metadata;
  return (
    annotations?.[SOURCE_ANNOTATION] === sourceName &&
    deletionTimestamp === undefined &&
    obstacleOf(object, sourceName) === undefined
  );
}

function marked(desired: DesiredObject, sourceName: string): KubeObject {
  return withAnnotations(desired.object, { [SOURCE_ANNOTATION]: sourceName, [ORIGIN_ANNOTATION]: originOf(desired) });
}

function originOf({ position }: DesiredObject): string {
  return `${position.file}:${position.line}`;
}

function withAnnotations(object: KubeObject, annotations: Readonly<Record<string, string>>): KubeObject {
  return {
    ...object,
    metadata: { ...object.metadata, annotations: { ...object.metadata.annotations, ...annotations } },
  };
}

function waveOf(key: ObjectKey): number {
  return DESCRIPTORS[parseKey(key).kind].wave;
}

function compareKeys(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
