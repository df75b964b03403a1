/** Which hooks a revision runs: those of an App of which something changes. Plain manifests are together as one App. */
import type { AnyKey, AnyObject } from '../../../contracts/objects/index.ts';
import { equal, type JsonObject } from '../fields/json.ts';
import type { Position } from '../manifests/types.ts';
import { hookOf, type Phase } from './sync-order.ts';

/** What a manifest says, and whose it is. */
export interface WrittenObject {
  readonly key: AnyKey;
  readonly object: AnyObject;
  readonly written: JsonObject;
  readonly position: Position;
  readonly app?: string;
}

export interface PlannedHook {
  readonly desired: WrittenObject;
  readonly phase: Phase;
}

/** The App of an object; plain manifests have the empty one. */
export function appOf({ app }: Pick<WrittenObject, 'app'>): string {
  return app ?? '';
}

/**
 * The hooks that run on the way from `applied` to `desired`, by key and phase. What is live plays no part: drift that is
 * put back runs nothing.
 */
export function plannedHooks(
  applied: readonly WrittenObject[],
  desired: readonly WrittenObject[],
): readonly PlannedHook[] {
  const hooks = desired.flatMap((one) => {
    const hook = hookOf(one.object);
    return hook ? [{ one, hook }] : [];
  });
  if (hooks.length === 0) return [];
  const before = new Map(applied.map((one) => [one.key, one]));
  const installed = new Set(applied.map(appOf));
  const now = new Set(desired.map(({ key }) => key));
  const changed = new Set(
    [
      ...desired.filter(({ key, written }) => !equal(before.get(key)?.written, written)),
      ...applied.filter(({ key }) => !now.has(key)),
    ].map(appOf),
  );
  return hooks
    .filter(({ one, hook }) => {
      const isUpgrade = installed.has(appOf(one));
      return changed.has(appOf(one)) && (hook.on === 'any' || (hook.on === 'upgrade') === isUpgrade);
    })
    .flatMap(({ one, hook }) => hook.phases.map((phase): PlannedHook => ({ desired: one, phase })))
    .sort((a, b) => (a.desired.key < b.desired.key ? -1 : a.desired.key > b.desired.key ? 1 : 0));
}
