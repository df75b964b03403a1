/**
 * Which part of a plan may be carried out now, and what the rest waits for: waves, hooks, and Apps and
 * objects that depend on others.
 * Level-triggered: it is asked anew after every change, and remembers nothing; which hooks have run is read from the
 * hooks themselves.
 */
import { displayKey, isCustom, type AnyKey, type AnyObject } from '../../../contracts/objects/index.ts';
import { andMore } from '../and-more.ts';
import type { Health } from '../health/health.ts';
import type { AnyStep } from '../step.ts';
import { itemsInOrder, marked, obstacleOf } from './plan-sync.ts';
import { appOf, type PlannedHook, type WrittenObject } from './planned-hooks.ts';
import { dependsOn, HOOK_RUN, hookOf, PHASES, type Phase, referenceTo, syncWave } from './sync-order.ts';
import { SOURCE_ANNOTATION, type AnyPlanItem, type Plan } from './types.ts';

export interface OrderInput {
  readonly plan: Plan;
  readonly sourceName: string;
  /** The commit: a hook that ran for another one runs again. */
  readonly revision: string;
  readonly applied: readonly WrittenObject[];
  readonly desired: readonly WrittenObject[];
  live(key: AnyKey): AnyObject | undefined;
  /** Of a live object. */
  health(object: AnyObject): Health;
}

export interface Ordered {
  /** Part of the plan, in its order. */
  readonly items: readonly AnyPlanItem[];
  /** Of hooks: they are made, or make room. */
  readonly hooks: readonly AnyStep[];
  /** Deletions that others wait for: their dependents go first. */
  readonly foreground: ReadonlySet<AnyKey>;
  /** A sentence for each thing that is waited for; empty where nothing is left to do after these steps. */
  readonly waiting: readonly string[];
  /** Why what waits will not come by itself; absent where it may. */
  readonly failed?: string;
}

/** What an App, or the plain manifests, are to the order. */
interface Scope {
  readonly name: string;
  readonly groups: readonly Group[];
  readonly dependsOn: readonly string[];
}

interface Group {
  readonly phase: (typeof PHASES)[number];
  readonly wave: number;
  readonly objects: readonly WrittenObject[];
  readonly items: readonly AnyPlanItem[];
  readonly hooks: readonly PlannedHook[];
}

type HookState =
  | { readonly is: 'done' }
  | { readonly is: 'next'; readonly step: AnyStep }
  | { readonly is: 'running' | 'failed'; readonly message: string };

const SHOWN = 3;

/** Whether anything but the order of kinds is said: what it costs to look closer is paid by those who do. */
function saysNothing({ plan, applied, desired }: OrderInput): boolean {
  const isOrdered = ({ object }: WrittenObject): boolean =>
    syncWave(object) !== 0 || dependenciesOf(object).length > 0 || dependsOn(object).length > 0;
  return plan.hooks.length === 0 && !desired.some(isOrdered) && !(plan.counts.delete > 0 && applied.some(isOrdered));
}

/**
 * Guarantees: nothing of a phase or a wave before all that comes before it, in the same App, is made and healthy; nothing
 * of an App before all Apps that it depends on are; no object before all objects that it depends on are; deletions of an App after its changes, the highest wave first, and
 * before those of the Apps and of the objects that it depended on. What nothing waits for is not looked at.
 */
export function orderPlan(input: OrderInput): Ordered {
  const everything = itemsInOrder(input.plan);
  if (saysNothing(input)) return { items: everything, hooks: [], foreground: new Set(), waiting: [] };
  const changes = new Changes(input);
  const now = new Set<AnyKey>(changes.now);
  const foreground = new Set<AnyKey>();
  const waiting = [...changes.waiting];
  for (const { key, waits } of deletionsInOrder(input, changes)) {
    if (waits === undefined) now.add(key);
    else {
      waiting.push(`${displayKey(key)} is deleted after ${andMore(waits.map(displayKey), SHOWN)}`);
      for (const first of waits) foreground.add(first);
    }
  }
  return {
    items: everything.filter(({ key }) => now.has(key)),
    hooks: changes.hooks,
    foreground,
    waiting,
    ...(changes.failed !== undefined && { failed: changes.failed }),
  };
}

/** What is made and changed, App by App. */
class Changes {
  readonly now = new Set<AnyKey>();
  readonly hooks: AnyStep[] = [];
  readonly waiting: string[] = [];
  failed: string | undefined;
  readonly #input: OrderInput;
  readonly #scopes: ReadonlyMap<string, Scope>;
  /** Why what comes after a scope waits; undefined where it need not. Set before the scope's own, against a cycle. */
  readonly #ends = new Map<string, string | undefined>();
  /** Scopes with changes or hooks that are not done. */
  readonly #busy = new Set<string>();

  constructor(input: OrderInput) {
    this.#input = input;
    this.#scopes = scopesOf(input);
    for (const scope of this.#scopes.values()) this.#walk(scope);
    this.#holdBack();
  }

  isBusy(scope: string): boolean {
    return this.#busy.has(scope);
  }

  /** Why what depends on the scope waits. */
  #end(name: string): string | undefined {
    const scope = this.#scopes.get(name);
    if (!scope) return undefined;
    this.#walk(scope);
    const blocked = this.#ends.get(name);
    if (blocked !== undefined) return blocked;
    for (const group of scope.groups) {
      const unready = this.#unready(group);
      if (unready !== undefined) return unready;
    }
    return undefined;
  }

  #walk(scope: Scope): void {
    if (this.#ends.has(scope.name)) return;
    this.#ends.set(scope.name, undefined);
    let blocked: string | undefined;
    let earlier: Group[] = [];
    let isFirst = true;
    for (const group of scope.groups) {
      const left = group.hooks.flatMap((hook) => {
        const state = this.#hookState(hook);
        return state.is === 'done' ? [] : [{ hook, state }];
      });
      if (group.items.length + left.length === 0) {
        earlier.push(group);
        continue;
      }
      this.#busy.add(scope.name);
      if (isFirst) blocked = this.#dependencies(scope);
      isFirst = false;
      for (const before of blocked === undefined ? earlier : []) blocked ??= this.#unready(before);
      earlier = [group];
      if (blocked !== undefined) {
        const names = [...group.items.map(({ key }) => key), ...left.map(({ hook }) => hook.desired.key)];
        this.waiting.push(`${andMore(names.map(displayKey), SHOWN)}: waits for ${blocked}`);
        continue;
      }
      for (const { key } of group.items) this.now.add(key);
      for (const { state } of left) {
        if (state.is === 'next') this.hooks.push(state.step);
        else {
          this.waiting.push(state.message);
          if (state.is === 'failed') this.#fail(scope, state.message);
        }
      }
      blocked = group.phase === 'Sync' ? `wave ${group.wave}` : `${group.phase} hooks`;
    }
    this.#ends.set(scope.name, blocked);
  }

  #dependencies({ dependsOn }: Scope): string | undefined {
    for (const name of dependsOn) {
      const why = this.#end(name);
      if (why !== undefined) return `App ${name}: ${why}`;
    }
    return undefined;
  }

  /** Takes back what depends on objects that are not made, or not healthy. */
  #holdBack(): void {
    const { plan, desired } = this.#input;
    const dependents = desired.filter(({ key, object }) => this.now.has(key) && dependsOn(object).length > 0);
    if (dependents.length === 0) return;
    const known = byReference(desired);
    const changing = new Set(itemsInOrder(plan).flatMap(({ action, key }) => (action === 'delete' ? [] : [key])));
    for (const { key, object } of dependents) {
      const before = dependsOn(object).flatMap((reference) => known.get(reference) ?? []);
      const [first] = before.filter((one) => changing.has(one.key));
      const why = first ? `${displayKey(first.key)}, which is changed first` : this.#unready({ objects: before });
      if (why === undefined) continue;
      this.now.delete(key);
      this.waiting.push(`${displayKey(key)}: waits for ${why}`);
    }
  }

  /** The first of these objects, which something waits for, that is not healthy. */
  #unready({ objects }: Pick<Group, 'objects'>): string | undefined {
    for (const { key } of objects) {
      const object = this.#input.live(key);
      if (!object) return `${displayKey(key)}, which is not there yet`;
      const { status, message, gaveUp } = this.#input.health(object);
      if (status === 'Healthy') continue;
      const sentence = `${displayKey(key)}: ${message}`;
      if (gaveUp) this.failed ??= `what comes after it waits for ${sentence}`;
      return sentence;
    }
    return undefined;
  }

  #fail(scope: Scope, why: string): void {
    this.failed ??= why;
    for (const hook of this.#input.plan.hooks) {
      if (hook.phase !== 'SyncFail' || appOf(hook.desired) !== scope.name) continue;
      const state = this.#hookState(hook);
      if (state.is === 'next') this.hooks.push(state.step);
    }
  }

  #hookState({ desired, phase }: PlannedHook): HookState {
    const { sourceName, revision } = this.#input;
    const { key } = desired;
    const shown = displayKey(key);
    const live = this.#input.live(key);
    if (!live) return { is: 'next', step: { do: 'create', object: hookObject(desired, sourceName, revision, phase) } };
    const { annotations, deletionTimestamp, uid = '' } = live.metadata;
    const [run, ranIn] = (annotations?.[HOOK_RUN] ?? '').split('/');
    if (run === revision && isLater(ranIn, phase)) return { is: 'done' };
    if (deletionTimestamp !== undefined)
      return { is: 'running', message: `hook ${shown} waits for the one before to be gone` };
    if (run !== revision || ranIn !== phase) {
      const obstacle = obstacleOf(live, sourceName, false);
      const isOurs = annotations?.[SOURCE_ANNOTATION] === sourceName && obstacle === undefined;
      return isOurs
        ? { is: 'next', step: { do: 'delete', key, uid } }
        : { is: 'failed', message: `hook ${shown} cannot run: there is an object of its name that is not ours` };
    }
    return this.#outcome(live, `hook ${shown}`);
  }

  #outcome(live: AnyObject, name: string): HookState {
    const { status, message, gaveUp } = this.#input.health(live);
    const pod = !isCustom(live) && live.kind === 'Pod' ? live : undefined;
    if (pod?.status?.phase === 'Failed' || gaveUp) return { is: 'failed', message: `${name} has failed: ${message}` };
    const hasEnded = pod ? pod.status?.phase === 'Succeeded' : status === 'Healthy';
    return hasEnded ? { is: 'done' } : { is: 'running', message: `${name} runs: ${message}` };
  }
}

function isLater(ranIn: string | undefined, phase: Phase): boolean {
  const order: readonly string[] = [...PHASES, 'SyncFail'];
  return order.indexOf(ranIn ?? '') > order.indexOf(phase);
}

function hookObject(desired: WrittenObject, sourceName: string, revision: string, phase: Phase): AnyObject {
  const object = marked(desired, sourceName);
  const annotations = { ...object.metadata.annotations, [HOOK_RUN]: `${revision}/${phase}` };
  return { ...object, metadata: { ...object.metadata, annotations } };
}

function scopesOf({ plan, desired }: OrderInput): ReadonlyMap<string, Scope> {
  const items = new Map<AnyKey, AnyPlanItem>();
  for (const item of itemsInOrder(plan)) if (item.action !== 'delete') items.set(item.key, item);
  const hooks = plan.hooks.filter(({ phase }) => phase !== 'SyncFail');
  const groups = new Map<string, Map<string, { phase: Group['phase']; wave: number } & Filled>>();
  const groupOf = (one: WrittenObject, phase: Group['phase']): Filled => {
    const scope = groups.get(appOf(one)) ?? new Map<string, { phase: Group['phase']; wave: number } & Filled>();
    groups.set(appOf(one), scope);
    const wave = syncWave(one.object);
    const group = scope.get(`${phase} ${wave}`) ?? { phase, wave, objects: [], items: [], hooks: [] };
    scope.set(`${phase} ${wave}`, group);
    return group;
  };
  for (const one of desired) {
    if (hookOf(one.object)) continue;
    const group = groupOf(one, 'Sync');
    group.objects.push(one);
    const item = items.get(one.key);
    if (item) group.items.push(item);
  }
  for (const hook of hooks) groupOf(hook.desired, hook.phase as Group['phase']).hooks.push(hook);
  const apps = appsOf(desired);
  return new Map(
    [...groups].map(([name, found]) => [
      name,
      {
        name,
        dependsOn: apps.get(name) ?? [],
        groups: [...found.values()].sort(
          (a, b) => PHASES.indexOf(a.phase) - PHASES.indexOf(b.phase) || a.wave - b.wave,
        ),
      },
    ]),
  );
}

interface Filled {
  readonly objects: WrittenObject[];
  readonly items: AnyPlanItem[];
  readonly hooks: PlannedHook[];
}

/** Names of the Apps that each App depends on. */
function appsOf(objects: readonly WrittenObject[]): ReadonlyMap<string, readonly string[]> {
  return new Map(
    objects.flatMap(({ object }): [string, readonly string[]][] => {
      const before = dependenciesOf(object);
      return before.length > 0 ? [[object.metadata.name, before]] : [];
    }),
  );
}

function byReference(objects: readonly WrittenObject[]): ReadonlyMap<string, WrittenObject> {
  return new Map(objects.map((one) => [referenceTo(one.key, one.object), one]));
}

function dependenciesOf(object: AnyObject): readonly string[] {
  if (isCustom(object) || object.kind !== 'App') return [];
  return object.spec.dependsOn?.map(({ name }) => name) ?? [];
}

interface Deletion {
  readonly key: AnyKey;
  /** What has to be gone before; absent where it may go. */
  readonly waits?: readonly AnyKey[];
}

/** The plan's deletions, each with what it waits for: what is of a higher wave, and what depends on it or its App. */
function deletionsInOrder(input: OrderInput, changes: Changes): readonly Deletion[] {
  const { plan, applied, desired } = input;
  const was = new Map(applied.map((one) => [one.key, one]));
  const stays = new Set(desired.map(({ key }) => key));
  const going = new Map<string, { key: AnyKey; wave: number }[]>();
  const add = (key: AnyKey, object: AnyObject): void => {
    const scope = appOf(was.get(key) ?? {});
    going.set(scope, [...(going.get(scope) ?? []), { key, wave: syncWave(object) }]);
  };
  const items = itemsInOrder(plan).filter(({ action }) => action === 'delete');
  for (const { key, object } of items) add(key, object);
  for (const { key } of applied) {
    const object = stays.has(key) ? undefined : input.live(key);
    if (object?.metadata.deletionTimestamp !== undefined) add(key, object);
  }
  const dependents = new Map<string, string[]>();
  for (const [name, before] of appsOf(applied))
    for (const one of before) dependents.set(one, [...(dependents.get(one) ?? []), name]);
  const goes = new Set([...going.values()].flat().map((one) => one.key));
  const users = new Map<AnyKey, AnyKey[]>();
  const using = applied.filter(({ key, object }) => goes.has(key) && dependsOn(object).length > 0);
  const known = using.length > 0 ? byReference(applied) : new Map<string, WrittenObject>();
  for (const one of using)
    for (const before of dependsOn(one.object).flatMap((reference) => known.get(reference) ?? []))
      users.set(before.key, [...(users.get(before.key) ?? []), one.key]);
  return items.flatMap(({ key, object }): readonly Deletion[] => {
    const scope = appOf(was.get(key) ?? {});
    if (changes.isBusy(scope)) return [];
    const first = [
      ...(going.get(scope) ?? []).filter(({ wave }) => wave > syncWave(object)),
      ...(dependents.get(scope) ?? []).filter((name) => name !== scope).flatMap((name) => going.get(name) ?? []),
    ].map((one) => one.key);
    first.push(...(users.get(key) ?? []).filter((one) => !first.includes(one)));
    return [first.length > 0 ? { key, waits: first } : { key }];
  });
}
