/** Apps against each other, and what an App says of all that it makes. */
import { isCustom, namesOf, objectKey, type App, type ObjectKey } from '../../../contracts/objects/index.ts';
import { PRUNE_ANNOTATION } from '../diff/prune-rules.ts';
import { isObject, type JsonObject } from '../fields/json.ts';
import type { Tell } from './findings.ts';
import { positionOf } from './marks.ts';
import type { Suggestions } from './suggest.ts';
import type { CustomState, DesiredCustom, DesiredObject, DesiredState, Position } from './types.ts';

/** Names in a message about a cycle. */
const SHOWN = 5;

/** Tells of Apps that depend on what is not there, and of cycles, with where two links of each are. */
export function checkAppOrder(
  state: DesiredState,
  declared: ReadonlySet<ObjectKey>,
  suggestions: Suggestions,
  tell: Tell,
): void {
  const names = namesOf('App', declared);
  const known = new Set(names);
  const places = new Map<string, Position>();
  const before = new Map<string, readonly string[]>();
  for (const desired of state.values()) {
    const app = appIn(desired);
    if (!app) continue;
    const { name } = app.metadata;
    const at = positionOf(desired, 'spec', 'dependsOn');
    const others = app.spec.dependsOn?.map((one) => one.name) ?? [];
    places.set(name, at);
    before.set(name, others);
    for (const other of others.filter((one) => !known.has(one))) {
      const close = suggestions.closest(other, () => names);
      tell(
        'error',
        'UnknownApp',
        at,
        `App ${name} depends on App ${other}, which is in no manifest`,
        close ? `did you mean ${close}?` : 'add it, or take it out of dependsOn',
      );
    }
  }
  for (const cycle of cyclesIn(before)) {
    const [first = '', second = first] = cycle;
    const [at, next] = [places.get(first), places.get(second)];
    if (!at || !next) continue;
    const way = [...cycle.slice(0, SHOWN), ...(cycle.length > SHOWN ? ['...'] : []), first].join(' -> ');
    const other = second === first ? '' : `; the next link is at ${next.file}:${next.line}`;
    tell(
      'error',
      'DependencyCycle',
      at,
      `Apps depend on each other: ${way}${other}`,
      'take one of them out of a dependsOn',
    );
  }
}

/** The cycles that a walk in depth meets, of each its first names. Time grows with the number of links. */
export function* cyclesIn(before: ReadonlyMap<string, readonly string[]>): Generator<readonly string[]> {
  const done = new Set<string>();
  for (const start of [...before.keys()].sort()) {
    if (done.has(start)) continue;
    const path: { readonly name: string; next: number }[] = [{ name: start, next: 0 }];
    const depths = new Map([[start, 0]]);
    for (let at = path.at(-1); at; at = path.at(-1)) {
      const other = before.get(at.name)?.[at.next++];
      const depth = other === undefined ? undefined : depths.get(other);
      if (other === undefined) {
        done.add(at.name);
        depths.delete(at.name);
        path.pop();
      } else if (depth !== undefined) yield path.slice(depth, depth + SHOWN + 1).map(({ name }) => name);
      else if (!done.has(other)) {
        depths.set(other, path.length);
        path.push({ name: other, next: 0 });
      }
    }
  }
}

function appIn({ object }: DesiredObject): App | undefined {
  return !isCustom(object) && object.kind === 'App' ? object : undefined;
}

interface Composed {
  readonly state: DesiredState;
  readonly custom: CustomState;
}

/**
 * What an App with `prune: false` makes carries the annotation that keeps it: the App and its manifest may be gone when
 * it matters.
 */
export function withAppPolicies(state: DesiredState, custom: CustomState): Composed {
  const keeping = new Set(
    namesOf('App', state.keys()).filter((name) => {
      const desired = state.get(objectKey('App', undefined, name));
      return desired && appIn(desired)?.spec.prune === false;
    }),
  );
  if (keeping.size === 0) return { state, custom };
  const kept = <D extends DesiredObject | DesiredCustom>(one: D): D =>
    one.app !== undefined && keeping.has(one.app) ? keptObject(one) : one;
  return {
    state: new Map([...state].map(([key, one]) => [key, kept(one)])),
    custom: new Map([...custom].map(([key, one]) => [key, kept(one)])),
  };
}

function keptObject<D extends DesiredObject | DesiredCustom>(desired: D): D {
  const annotations = { [PRUNE_ANNOTATION]: 'disabled', ...desired.object.metadata.annotations };
  const metadata = isObject(desired.written['metadata']) ? desired.written['metadata'] : {};
  const written: JsonObject = { ...desired.written, metadata: { ...metadata, annotations } };
  return { ...desired, object: { ...desired.object, metadata: { ...desired.object.metadata, annotations } }, written };
}
