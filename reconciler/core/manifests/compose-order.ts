/** Objects that depend on objects: what they name is there, and no order is asked for that cannot be. */
import { displayKey, isCustom, type AnyKey } from '../../../contracts/objects/index.ts';
import { DEPENDS_ON, dependsOn, hookOf, isReference, referenceTo, syncWave } from '../diff/sync-order.ts';
import { cyclesIn } from './compose-apps.ts';
import type { Tell } from './findings.ts';
import { positionOf } from './marks.ts';
import type { CustomState, DesiredCustom, DesiredObject, DesiredState, Position } from './types.ts';

type Desired = DesiredObject | DesiredCustom;

/** Of one object. */
const MOST = 256;
const FORM =
  'a reference is GROUP/namespaces/NAMESPACE/KIND/NAME, of what is in no namespace GROUP/KIND/NAME; the core group is empty: /namespaces/shop/ConfigMap/settings';

export function checkObjectOrder(state: DesiredState, custom: CustomState, tell: Tell): void {
  const all: readonly Desired[] = [...state.values(), ...custom.values()];
  const dependents = all.filter(({ object }) => dependsOn(object).length > 0);
  if (dependents.length === 0) return;
  const known = new Map(all.map((one) => [referenceTo(one.key, one.object), one]));
  const byKey = new Map(all.map((one) => [OBJECT + one.key, one]));
  const links = new Map<Desired, readonly Desired[]>();
  for (const one of dependents) {
    const at = placeOf(one);
    const refuse = (code: 'InvalidValue' | 'UnknownDependency', message: string, hint?: string): readonly Desired[] => {
      tell('error', code, at, `${DEPENDS_ON} ${message}`, hint);
      return [];
    };
    const references = dependsOn(one.object);
    if (hookOf(one.object)) refuse('InvalidValue', 'may not be on a hook', 'hooks are ordered by phase and wave');
    if (references.length > MOST) refuse('InvalidValue', `must name no more than ${MOST} objects`);
    const before = references.slice(0, MOST).flatMap((reference) => {
      if (!isReference(reference)) return refuse('InvalidValue', `has ${reference}, which is no reference`, FORM);
      const found = known.get(reference);
      if (!found) return refuse('UnknownDependency', `names ${reference}, which is in no manifest`, FORM);
      if (hookOf(found.object))
        return refuse('InvalidValue', `names ${reference}, which is a hook`, 'what follows hooks is said by waves');
      return found;
    });
    links.set(one, before);
  }
  for (const cycle of cyclesIn(graphOf(links, state))) {
    const names = cycle.flatMap(shown);
    const [one] = cycle.flatMap((node) => byKey.get(node) ?? []);
    if (one)
      tell(
        'error',
        'DependencyCycle',
        placeOf(one),
        `objects wait for each other: ${[...names, names[0] ?? ''].join(' -> ')}`,
        'Apps and waves order objects too; take one of them out',
      );
  }
}

function placeOf(one: Desired): Position {
  return positionOf(one, 'metadata', 'annotations', DEPENDS_ON);
}

const OBJECT = 'object ';
const APP = 'App ';

/** Who waits for whom: objects for those that they name, for the Apps that their own depends on, and for earlier waves. */
function graphOf(links: ReadonlyMap<Desired, readonly Desired[]>, state: DesiredState): Map<string, readonly string[]> {
  const graph = new Map<string, string[]>();
  const link = (from: string, to: string): void => {
    const known = graph.get(from);
    if (known) known.push(to);
    else graph.set(from, [to]);
  };
  const involved = new Set([...links.keys(), ...[...links.values()].flat()]);
  const waves = new Map<string, Map<number, Desired[]>>();
  for (const one of involved) {
    const ofApp = waves.get(one.app ?? '') ?? new Map<number, Desired[]>();
    waves.set(one.app ?? '', ofApp);
    const wave = syncWave(one.object);
    const inWave = ofApp.get(wave);
    if (inWave) inWave.push(one);
    else ofApp.set(wave, [one]);
  }
  for (const [one, before] of links) for (const other of before) link(OBJECT + one.key, OBJECT + other.key);
  for (const [app, ofApp] of waves) {
    const sorted = [...ofApp].sort(([a], [b]) => a - b);
    sorted.forEach(([wave, objects], i) => {
      const [earlier] = sorted[i - 1] ?? [];
      const node = `wave ${wave} of ${app}`;
      for (const one of objects) {
        link(node, OBJECT + one.key);
        if (app !== '') link(APP + app, OBJECT + one.key);
        if (earlier !== undefined) link(OBJECT + one.key, `wave ${earlier} of ${app}`);
        for (const other of appsBefore(app, state)) link(OBJECT + one.key, APP + other);
      }
      if (earlier !== undefined) link(node, `wave ${earlier} of ${app}`);
    });
  }
  // An App without such an object passes on what it waits for.
  for (const { object } of state.values())
    if (!isCustom(object) && object.kind === 'App')
      for (const { name } of object.spec.dependsOn ?? []) link(APP + object.metadata.name, APP + name);
  return graph;
}

function appsBefore(app: string, state: DesiredState): readonly string[] {
  const object = app === '' ? undefined : state.get(`apps.plumbline.dev//${app}`)?.object;
  return object?.kind === 'App' ? (object.spec.dependsOn ?? []).map(({ name }) => name) : [];
}

function shown(node: string): readonly string[] {
  if (node.startsWith(OBJECT)) return [displayKey(node.slice(OBJECT.length) as AnyKey)];
  return node.startsWith(APP) ? [node] : [];
}
