/**
 * The three-way merge behind apply: what Git says is set, what Git no longer says is removed, what Git never said is
 * left to whoever wrote it. Sources: Kubernetes, "Declarative Management of Kubernetes Objects Using Configuration
 * Files", how apply calculates differences; "Server-Side Apply", merge strategy.
 */
import { fieldSemantics, readKey, type FieldSemantics, type KubeObject } from '../../../contracts/objects/index.ts';
import { equal, isList, isObject, type JsonObject } from './json.ts';
import { keyLists, semanticsAt } from './list-keys.ts';

/**
 * The live object with `desired` put in force; the live object itself where that changes nothing. What a manifest never
 * has (uid, resourceVersion, owner references, status, ...) is kept. `applied` is what was put in force last; undefined
 * when nobody knows, then nothing is removed.
 */
export function mergeObjects(applied: KubeObject | undefined, desired: KubeObject, live: KubeObject): KubeObject {
  const merged = mergeValue(fieldSemantics(live.kind), applied, desired, live);
  return withoutUnusedNodePorts(merged as KubeObject);
}

const NO_FIELDS: JsonObject = {};

/** Undefined where there is no value. What is as in `live` is that very value. */
function mergeValue(semantics: FieldSemantics, applied: unknown, desired: unknown, live: unknown): unknown {
  if (desired === undefined) return remaining(semantics, applied, live);
  if (!semantics.atomic && isObject(desired) && isObject(live))
    return mergeFields(semantics, isObject(applied) ? applied : NO_FIELDS, desired, live);
  if (semantics.list && isList(desired) && isList(live)) {
    const merged = mergeList(semantics, isList(applied) ? applied : [], desired, live);
    if (merged) return merged;
  }
  return equal(desired, live) ? live : desired;
}

function mergeFields(
  semantics: FieldSemantics,
  applied: JsonObject,
  desired: JsonObject,
  live: JsonObject,
): JsonObject {
  const merged: Record<string, unknown> = {};
  const excluded = excludedMembers(semantics, desired, live);
  let changed = false;
  for (const [name, value] of Object.entries(live)) {
    const wanted = readKey(desired, name);
    let result: unknown;
    if (wanted !== undefined || !excluded?.includes(name))
      result =
        wanted === undefined && semantics.allocated?.includes(name)
          ? value
          : mergeValue(semanticsAt(semantics, name), readKey(applied, name), wanted, value);
    if (result !== undefined) merged[name] = result;
    changed ||= result !== value;
  }
  for (const [name, value] of Object.entries(desired)) {
    if (value === undefined || readKey(live, name) !== undefined) continue;
    merged[name] = value;
    changed = true;
  }
  return changed ? merged : live;
}

/** Members of a union that have no place beside what is desired; undefined where it says nothing about the union. */
function excludedMembers(
  { union }: FieldSemantics,
  desired: JsonObject,
  live: JsonObject,
): readonly string[] | undefined {
  if (!union) return undefined;
  const { members, discriminator } = union;
  const said =
    members.some((name) => readKey(desired, name) !== undefined) ||
    (discriminator !== undefined && readKey(desired, discriminator) !== readKey(live, discriminator));
  return said ? members : undefined;
}

/**
 * What stays of a live value that Git no longer says, or never said. Entries of a list that Git had go whole, other
 * fields in them too: what is left would be no entry.
 */
function remaining(semantics: FieldSemantics, applied: unknown, live: unknown): unknown {
  if (applied === undefined) return live;
  if (!semantics.atomic && isObject(applied) && isObject(live)) {
    const left = Object.entries(live).flatMap(([name, value]) => {
      const stays = remaining(semanticsAt(semantics, name), readKey(applied, name), value);
      return stays === undefined ? [] : [[name, stays] as const];
    });
    return left.length > 0 ? Object.fromEntries(left) : undefined;
  }
  if (semantics.list && isList(applied) && isList(live)) {
    const keys = keyLists(semantics, [applied, live]);
    const had = new Set(keys?.[0]);
    const left = keys ? live.filter((_, i) => !had.has(keys[1]?.[i] ?? '')) : [];
    return left.length > 0 ? left : undefined;
  }
  return undefined;
}

/**
 * In the order of the manifest; entries that only the live object has come last. Undefined where the entries cannot be
 * told apart: then the list is the manifest's.
 */
function mergeList(
  semantics: FieldSemantics,
  applied: readonly unknown[],
  desired: readonly unknown[],
  live: readonly unknown[],
): readonly unknown[] | undefined {
  const [keysDesired, keysLive] = keyLists(semantics, [desired, live]) ?? [];
  if (!keysDesired || !keysLive) return undefined;
  const [keysApplied = []] = keyLists(semantics, [applied]) ?? [];
  const appliedByKey = new Map(keysApplied.map((key, i) => [key, applied[i]]));
  const liveByKey = new Map(keysLive.map((key, i) => [key, live[i]]));
  const wanted = new Set(keysDesired);
  const entry = semanticsAt(semantics);
  const merged = [
    ...keysDesired.map((key, i) =>
      liveByKey.has(key) ? mergeValue(entry, appliedByKey.get(key), desired[i], liveByKey.get(key)) : desired[i],
    ),
    ...keysLive.flatMap((key, i) => (wanted.has(key) || appliedByKey.has(key) ? [] : [live[i]])),
  ];
  return merged.length === live.length && merged.every((value, i) => value === live[i]) ? live : merged;
}

/** A Service that stops being a NodePort gives its node ports back, as the Kubernetes API server does. */
function withoutUnusedNodePorts(merged: KubeObject): KubeObject {
  if (merged.kind !== 'Service' || merged.spec.type !== 'ClusterIP') return merged;
  if (merged.spec.ports.every(({ nodePort }) => nodePort === undefined)) return merged;
  const ports = merged.spec.ports.map(({ nodePort: _, ...port }) => port);
  return { ...merged, spec: { ...merged.spec, ports } };
}
