/** The plan of a revision: what has to be created, updated and deleted so that the cluster is what Git says. */
import {
  fieldSemantics,
  displayKey,
  isCustom,
  isCustomKey,
  objectKey,
  parseKey,
  RESOURCE,
  type AnyKey,
  type AnyObject,
  type FieldSemantics,
} from '../../../contracts/objects/index.ts';
import { isTerminating } from '../admission/namespace-lifecycle.ts';
import { descriptorOf, DESCRIPTORS } from '../kinds/index.ts';
import type { Desired, Position } from '../manifests/types.ts';
import { finish, type Paced } from '../paced.ts';
import { diffObjects } from './diff-objects.ts';
import { equal, type JsonObject } from '../fields/json.ts';
import { othersFields } from '../fields/managed-fields.ts';
import { conflictsOf, withoutFields } from './conflicts.ts';
import { mergeObjects } from './merge-objects.ts';
import { asMade } from './pod-fields.ts';
import { plannedHooks } from './planned-hooks.ts';
import { pruneRule } from './prune-rules.ts';
import { hookOf } from './sync-order.ts';
import {
  ORIGIN_ANNOTATION,
  SOURCE_ANNOTATION,
  type AnyPlanItem,
  type CustomPlanInput,
  type CustomPlanItem,
  type Kept,
  type Plan,
  type PlanInput,
  type PlanItem,
} from './types.ts';

/**
 * Plans a sync. Guarantees: carrying the plan out and planning again gives no items; the order does not depend on the
 * order of the input; only objects that carry this source's annotation are deleted; objects that a controller made,
 * that another source owns, or that are being deleted are left alone ({@link checkPlan} says so for the first two).
 *
 * Hooks are neither made nor deleted with the rest: the plan names those that it runs.
 *
 * What an annotation keeps ({@link pruneRule}) is not deleted, nor the Namespace that it is in.
 *
 * In a Namespace that is being deleted nothing is created or deleted: its controller empties it, in order.
 *
 * A Job that is gone is made again only where its manifest has changed since it was applied: it has run. Not in a
 * Namespace that is made with it.
 *
 * A live object that is the very object in `applied` (an offline plan) counts as carrying the annotations.
 */
export function planSync(input: PlanInput): Plan {
  return finish(planningSync(input));
}

/** {@link planSync}, object by object. */
export function* planningSync(input: PlanInput): Paced<Plan> {
  const { sourceName, applied, desired, live, custom } = input;
  const isOpen = ({ metadata: { namespace } }: AnyObject): boolean => !isEndingNamespace(namespace, live);
  const isInNew = ({ metadata: { namespace } }: AnyObject): boolean => {
    const home = namespace === undefined ? undefined : objectKey('Namespace', undefined, namespace);
    return home !== undefined && desired.has(home) && !live.has(home);
  };
  const typed = yield* planList({
    sourceName,
    applied,
    desired,
    live,
    semanticsOf: ({ kind }) => fieldSemantics(kind),
    isOpen,
    isInNew,
  });
  const others = custom ? yield* planList({ ...customList(sourceName, custom), isOpen, isInNew }) : NOTHING_TO_DO;
  const kept = [...typed.kept, ...others.kept];
  const homes = new Map(kept.map((one) => [homeOf(one.key), one] as const));
  const isHome = ({ key }: AnyPlanItem): boolean => homes.has(key);
  for (const { key } of typed.deletions.filter(isHome))
    kept.push({ key, by: `${displayKey(homes.get(key)?.key ?? key)} is kept` });
  kept.sort((a, b) => compareKeys(a.key, b.key));
  // A list's items are of the kinds of its objects.
  const items = [...typed.changes, ...typed.deletions.filter((item) => !isHome(item))] as PlanItem[];
  const customItems = [...others.changes, ...others.deletions] as CustomPlanItem[];
  const all: readonly AnyPlanItem[] = [...items, ...customItems];
  const count = (action: AnyPlanItem['action']): number => all.filter((item) => item.action === action).length;
  return {
    items,
    custom: customItems,
    kept,
    hooks: plannedHooks(
      [...applied.values(), ...(custom?.applied.values() ?? [])],
      [...desired.values(), ...(custom?.desired.values() ?? [])],
    ),
    counts: { create: count('create'), update: count('update'), delete: count('delete') },
  };
}

/** The input of a plan from one revision to another. */
export function planInput(
  sourceName: string,
  applied: Desired,
  desired: Desired,
  live: PlanInput['live'],
  custom: CustomPlanInput['live'],
): PlanInput {
  return {
    sourceName,
    applied: applied.state,
    desired: desired.state,
    live,
    disposable: disposable(applied),
    custom: {
      applied: applied.custom,
      desired: desired.custom,
      live: custom,
      semanticsOf: (resource) => desired.kinds.semanticsOf(resource),
    },
  };
}

/** What Apps are and have that are there for a pull request. */
function disposable({ state, custom, previews }: Desired): ReadonlySet<AnyKey> {
  if (!previews) return new Set();
  const all: readonly (readonly [AnyKey, { readonly app?: string }])[] = [...state, ...custom];
  return new Set([
    ...all.flatMap(([key, { app }]) => (app !== undefined && previews.has(app) ? [key] : [])),
    ...[...previews].map((name) => objectKey('App', undefined, name)),
  ]);
}

/** All items in the order in which they are carried out. */
export function itemsInOrder({ items, custom }: Pick<Plan, 'items' | 'custom'>): readonly AnyPlanItem[] {
  const isDeletion = ({ action }: AnyPlanItem): boolean => action === 'delete';
  const first = items.findIndex(isDeletion);
  const changes = first < 0 ? items : items.slice(0, first);
  return [...changes, ...custom, ...items.slice(changes.length)];
}

interface AnyDesired {
  readonly key: AnyKey;
  readonly object: AnyObject;
  readonly written: JsonObject;
  readonly position: Position;
}

/** Objects that are planned by the same rules. */
export interface PlanList {
  readonly sourceName: string;
  readonly applied: ReadonlyMap<AnyKey, AnyDesired>;
  readonly desired: ReadonlyMap<AnyKey, AnyDesired>;
  readonly live: ReadonlyMap<AnyKey, AnyObject>;
  semanticsOf(object: AnyObject): FieldSemantics;
}

export function customList(sourceName: string, custom: CustomPlanInput): PlanList {
  const { applied, desired, live } = custom;
  return {
    sourceName,
    applied,
    desired,
    live,
    semanticsOf: (object) => (isCustom(object) ? custom.semanticsOf(object[RESOURCE]) : {}),
  };
}

interface Planned {
  readonly changes: readonly AnyPlanItem[];
  readonly deletions: readonly AnyPlanItem[];
  readonly kept: readonly Kept[];
}
const NOTHING_TO_DO: Planned = { changes: [], deletions: [], kept: [] };

interface OpenList extends PlanList {
  /** Whether something may be made or deleted where the object is, or would be. */
  isOpen(object: AnyObject): boolean;
  /** Whether its Namespace is yet to be made: nothing has run there. */
  isInNew(object: AnyObject): boolean;
}

function isEndingNamespace(name: string | undefined, live: PlanInput['live']): boolean {
  const home = name === undefined ? undefined : live.get(objectKey('Namespace', undefined, name));
  return home?.kind === 'Namespace' && isTerminating(home);
}

function* planList(list: OpenList): Paced<Planned> {
  const changes: AnyPlanItem[] = [];
  for (const desired of list.desired.values()) {
    yield;
    const item = hookOf(desired.object) ? undefined : planObject(list, desired);
    if (item) changes.push(item);
  }
  const deletions: AnyPlanItem[] = [];
  const kept: Kept[] = [];
  for (const key of list.live.keys()) {
    if (list.desired.has(key)) continue;
    yield;
    const object = liveObject(list, key);
    if (!object || !list.isOpen(object) || !isPrunable(object, list.sourceName, list.applied.has(key))) continue;
    const rule = pruneRule(object);
    if (rule?.rule === 'kept') kept.push({ key, by: rule.by });
    else deletions.push({ action: 'delete', key, object });
  }
  changes.sort((a, b) => waveOf(a.key) - waveOf(b.key) || compareKeys(a.key, b.key));
  deletions.sort((a, b) => waveOf(b.key) - waveOf(a.key) || compareKeys(a.key, b.key));
  return { changes, deletions, kept };
}

/** The Namespace that the object of a key is in. */
export function homeOf(key: AnyKey): AnyKey | undefined {
  const [, namespace = ''] = key.split('/');
  return namespace === '' ? undefined : objectKey('Namespace', undefined, namespace);
}

function planObject(list: OpenList, desired: AnyDesired): AnyPlanItem | undefined {
  const { sourceName } = list;
  const { key, position } = desired;
  const live = liveObject(list, key);
  const applied = list.applied.get(key);
  if (!live) {
    const hasRun = applied && equal(applied.written, desired.written) && runsOnce(key) && !list.isInNew(desired.object);
    return !list.isOpen(desired.object) || hasRun
      ? undefined
      : { action: 'create', key, object: marked(desired, sourceName), position };
  }
  if (
    obstacleOf(live, sourceName, applied !== undefined) !== undefined ||
    live.metadata.deletionTimestamp !== undefined
  )
    return undefined;
  const semantics = list.semanticsOf(live);
  const others = othersFields(live);
  const before = applied && others ? withoutFields(applied, others, semantics) : applied;
  const result = mergeObjects(before, asMadeLive(desired, applied, live), live, semantics);
  const isMarked = result.metadata.annotations?.[SOURCE_ANNOTATION] === sourceName;
  const merged = isMarked ? result : withAnnotations(result, { [SOURCE_ANNOTATION]: sourceName });
  // A manifest that only moved changes nothing; where it moved to is told when something else changes.
  if (merged === live) return undefined;
  const object = withAnnotations(merged, { [ORIGIN_ANNOTATION]: originOf(desired) });
  const reason = applied && equal(applied.written, desired.written) ? 'drift' : 'commit';
  const conflicts = conflictsOf(live, object, applied, desired, semantics);
  return {
    action: 'update',
    key,
    before: live,
    object,
    patch: diffObjects(live, object, semantics),
    reason,
    position,
    ...(conflicts.length > 0 && { conflicts }),
  };
}

function asMadeLive(desired: AnyDesired, applied: AnyDesired | undefined, live: AnyObject): AnyDesired {
  const { object } = desired;
  if (isCustom(object) || isCustom(live) || object.kind !== 'Pod' || live.kind !== 'Pod') return desired;
  const before = applied && !isCustom(applied.object) && applied.object.kind === 'Pod' ? applied.object : undefined;
  const made = asMade(object, before, live);
  return made === object ? desired : { ...desired, object: made };
}

/** Whether an object that is gone has had its time. */
function runsOnce(key: AnyKey): boolean {
  if (isCustomKey(key)) return false;
  const { podTemplate } = descriptorOf(parseKey(key).kind);
  return podTemplate !== 'none' && podTemplate.makes !== 'none' && podTemplate.makes.runsOnce === true;
}

/**
 * Why this source may not write a live object: somebody else does. `written`: it has written it before, and a controller
 * that took it over, as one does with pods that its selector matches, takes nothing away from it.
 */
export function obstacleOf(
  live: AnyObject,
  sourceName: string,
  written: boolean,
): { readonly owner: 'controller' | 'source'; readonly name: string } | undefined {
  const controller = live.metadata.ownerReferences?.find((o) => o.controller === true);
  const source = live.metadata.annotations?.[SOURCE_ANNOTATION];
  if (controller && !(written && source === sourceName))
    return { owner: 'controller', name: `${controller.kind} ${controller.name}` };
  return source !== undefined && source !== sourceName ? { owner: 'source', name: source } : undefined;
}

/**
 * The live object of a key. In an offline plan the applied object stands for it, with the annotations that applying
 * would have set.
 */
export function liveObject(
  { applied: before, live: objects, sourceName }: Pick<PlanList, 'applied' | 'live' | 'sourceName'>,
  key: AnyKey,
): AnyObject | undefined {
  const live = objects.get(key);
  const applied = before.get(key);
  return applied && applied.object === live ? marked(applied, sourceName) : live;
}

function isPrunable(object: AnyObject, sourceName: string, written: boolean): boolean {
  const { annotations, deletionTimestamp } = object.metadata;
  return (
    annotations?.[SOURCE_ANNOTATION] === sourceName &&
    deletionTimestamp === undefined &&
    obstacleOf(object, sourceName, written) === undefined
  );
}

/** The object of a manifest with what says that it is this source's. */
export function marked(desired: Pick<AnyDesired, 'object' | 'position'>, sourceName: string): AnyObject {
  return withAnnotations(desired.object, { [SOURCE_ANNOTATION]: sourceName, [ORIGIN_ANNOTATION]: originOf(desired) });
}

function originOf({ position }: Pick<AnyDesired, 'position'>): string {
  return `${position.file}:${position.line}`;
}

function withAnnotations(object: AnyObject, annotations: Readonly<Record<string, string>>): AnyObject {
  return {
    ...object,
    metadata: { ...object.metadata, annotations: { ...object.metadata.annotations, ...annotations } },
  };
}

/** Custom objects are in a list of their own. */
function waveOf(key: AnyKey): number {
  return isCustomKey(key) ? 0 : DESCRIPTORS[parseKey(key).kind].wave;
}

function compareKeys(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
