/**
 * The three-way merge behind apply: what Git says is set, what Git no longer says is removed or gets its default again,
 * what Git never said is left to whoever wrote it. Sources: Kubernetes, "Declarative Management of Kubernetes Objects
 * Using Configuration Files", how apply calculates differences; "Server-Side Apply", merge strategy.
 */
import {
  isCustom,
  mayHaveNodePorts,
  needsHealthCheck,
  readKey,
  RESOURCE,
  type AnyObject,
  type FieldSemantics,
  type KubeObject,
} from '../../../contracts/objects/index.ts';
import { equal, isList, isObject, type JsonObject } from '../fields/json.ts';
import { keyLists, semanticsAt } from '../fields/list-keys.ts';

/** What a commit says of an object, and the object with the defaults that make it whole. */
export interface Manifest {
  readonly object: AnyObject;
  readonly written: JsonObject;
}

/**
 * The live object with `desired` put in force; the live object itself where that changes nothing. What a manifest never
 * has (uid, resourceVersion, owner references, status, ...) is kept. `applied` is what was put in force last; undefined
 * when nobody knows, then nothing is removed.
 *
 * Defaults are not what Git says. A field that is not written has its default where it is made; after that the default
 * follows the manifest (`requests` follow `limits`) for as long as the field is as Git left it, and what somebody else
 * made of it stays.
 */
export function mergeObjects<T extends AnyObject>(
  applied: Manifest | undefined,
  desired: Manifest,
  live: T,
  semantics: FieldSemantics,
): T {
  const was = applied ? { written: applied.written, whole: applied.object } : NOTHING;
  const merged = mergeValue(semantics, was, { written: desired.written, whole: desired.object }, live) as T;
  if (!isCustom(live)) return withoutUnusedPorts(merged as KubeObject) as T;
  // Its resource is no field, so it is not merged.
  return merged === live ? live : { ...merged, [RESOURCE]: live[RESOURCE] };
}

/** What Git says at one place, and the same with defaults. */
interface Said {
  readonly written: unknown;
  readonly whole: unknown;
}
const NOTHING: Said = { written: undefined, whole: undefined };

/** Undefined where there is no value. What is as in `live` is that very value. */
function mergeValue(semantics: FieldSemantics, was: Said, now: Said, live: unknown): unknown {
  if (now.whole === undefined) return remaining(semantics, was, live);
  if (live === undefined) return isMissing(was, now) ? now.whole : undefined;
  if (!semantics.atomic && isObject(now.whole) && isObject(live)) return mergeFields(semantics, was, now, live);
  if (semantics.list && isList(now.whole) && isList(live)) {
    const merged = mergeList(semantics, was, now, live);
    if (merged) return merged;
  }
  return equal(now.whole, live) || isOthers(was, now, live) ? live : now.whole;
}

/** Whether a value that is not there has to be: it is written, or it is a default that was not there before. */
function isMissing(was: Said, now: Said): boolean {
  return now.written !== undefined || was.whole === undefined || !equal(was.whole, now.whole);
}

/** Whether Git says nothing of the value, before and now, and it is not the default that was given. */
function isOthers(was: Said, now: Said, live: unknown): boolean {
  return now.written === undefined && was.written === undefined && !equal(was.whole, live);
}

function mergeFields(semantics: FieldSemantics, was: Said, now: Said, live: JsonObject): JsonObject {
  const whole = isObject(now.whole) ? now.whole : {};
  const merged: Record<string, unknown> = {};
  const union = unionIn(semantics, was, now, live);
  let changed = false;
  for (const [name, value] of Object.entries(live)) {
    if (value !== undefined && readKey(whole, name) === value) {
      merged[name] = value;
      continue;
    }
    const wanted = union.isDecided(name) ? asWritten(field(now, name)) : field(now, name);
    let result: unknown;
    if (wanted.whole !== undefined) result = mergeValue(semanticsAt(semantics, name), field(was, name), wanted, value);
    else if (semantics.allocated?.includes(name)) result = value;
    else if (!union.isExcluded(name)) result = remaining(semanticsAt(semantics, name), field(was, name), value);
    if (result !== undefined) merged[name] = result;
    changed ||= result !== value;
  }
  for (const name of Object.keys(whole)) {
    if (readKey(live, name) !== undefined) continue;
    const wanted = field(now, name);
    if (wanted.whole === undefined || union.isLeft(name)) continue;
    if (!union.isExcluded(name) && !isMissing(field(was, name), wanted)) continue;
    merged[name] = wanted.whole;
    changed = true;
  }
  return changed ? merged : live;
}

function field({ written, whole }: Said, name: string): Said {
  if (whole === undefined) return NOTHING;
  return {
    written: isObject(written) ? readKey(written, name) : undefined,
    whole: isObject(whole) ? readKey(whole, name) : undefined,
  };
}

/** As if all of it were written. */
function asWritten({ whole }: Said): Said {
  return { written: whole, whole };
}

interface UnionState {
  /** Whether the field follows from the member that Git writes. */
  readonly isDecided: (name: string) => boolean;
  /** Whether the field is there exactly where Git has it. */
  readonly isExcluded: (name: string) => boolean;
  /** Whether the field's default has no place beside what somebody else chose. */
  readonly isLeft: (name: string) => boolean;
}
const no = (): boolean => false;
const NO_UNION: UnionState = { isDecided: no, isExcluded: no, isLeft: no };

/**
 * Of an object with fields that exclude each other. Who writes one of them chooses between all; where nobody does, the
 * default is chosen. What Git itself chose before, and no longer does, is nobody's.
 */
function unionIn(semantics: FieldSemantics, was: Said, now: Said, live: JsonObject): UnionState {
  if (!semantics.union) return NO_UNION;
  const { members, discriminator } = semantics.union;
  const isMember = (name: string): boolean => members.includes(name);
  const byGit = chooses(semantics, now.written);
  const isChosen = (name: string): boolean => {
    const value = readKey(live, name);
    const [before, wanted] = [field(was, name), field(now, name)];
    return value !== undefined && isOthers(before, wanted, value) && !equal(wanted.whole, value);
  };
  if (!byGit && unionFields(semantics).some(isChosen)) return { isDecided: no, isExcluded: no, isLeft: isMember };
  return { isDecided: (name) => byGit && name === discriminator, isExcluded: isMember, isLeft: no };
}

/** Whether what is written of an object decides between fields that exclude each other. */
function chooses(semantics: FieldSemantics, written: unknown): boolean {
  return isObject(written) && unionFields(semantics).some((name) => readKey(written, name) !== undefined);
}

function unionFields({ union }: FieldSemantics): readonly string[] {
  if (!union) return [];
  return union.discriminator === undefined ? union.members : [union.discriminator, ...union.members];
}

/**
 * What stays of a live value that Git no longer says, or never said: what is neither Git's nor a default that came with
 * it. Entries of a list that Git had go whole, other fields in them too: what is left would be no entry. So does a form
 * that Git chose, whatever others made of it.
 */
function remaining(semantics: FieldSemantics, before: Said, live: unknown): unknown {
  if (before.whole === undefined) return live;
  const was = before.written === undefined ? before : asWritten(before);
  if (!semantics.atomic && isObject(was.whole) && isObject(live)) {
    const gone = chooses(semantics, was.written) ? unionFields(semantics) : [];
    const left = Object.entries(live).flatMap(([name, value]) => {
      if (gone.includes(name)) return [];
      const stays = remaining(semanticsAt(semantics, name), field(was, name), value);
      return stays === undefined ? [] : [[name, stays] as const];
    });
    return left.length > 0 ? Object.fromEntries(left) : undefined;
  }
  if (semantics.list && isList(was.whole) && isList(live)) {
    const had = entriesOf(semantics, was);
    const there = had && entriesOf(semantics, { written: undefined, whole: live });
    const left = there ? [...there].flatMap(([key, { whole }]) => (had.has(key) ? [] : [whole])) : [];
    return left.length > 0 ? left : undefined;
  }
  return was.written === undefined && !equal(was.whole, live) ? live : undefined;
}

/**
 * In the order of the manifest; entries that only the live object has come last. Undefined where the entries cannot be
 * told apart: then the list is the manifest's.
 */
function mergeList(
  semantics: FieldSemantics,
  was: Said,
  now: Said,
  live: readonly unknown[],
): readonly unknown[] | undefined {
  const wanted = entriesOf(semantics, now);
  const there = entriesOf(semantics, { written: undefined, whole: live });
  if (!wanted || !there) return undefined;
  const before = entriesOf(semantics, was) ?? NO_ENTRIES;
  const entry = semanticsAt(semantics);
  const merged = [
    ...[...wanted].flatMap(([key, said]) => {
      const value = mergeValue(entry, before.get(key) ?? NOTHING, said, there.get(key)?.whole);
      return value === undefined ? [] : [value];
    }),
    ...[...there].flatMap(([key, { whole }]) => (wanted.has(key) || before.has(key) ? [] : [whole])),
  ];
  return merged.length === live.length && merged.every((value, i) => value === live[i]) ? live : merged;
}

const NO_ENTRIES: ReadonlyMap<string, Said> = new Map();

/** The entries of a list by their keys, in order. The written ones stand first in the whole list. */
function entriesOf(semantics: FieldSemantics, { written, whole }: Said): ReadonlyMap<string, Said> | undefined {
  if (!isList(whole)) return undefined;
  const [keys] = keyLists(semantics, [whole]) ?? [];
  if (!keys) return undefined;
  return new Map(keys.map((key, i) => [key, { written: isList(written) ? written[i] : undefined, whole: whole[i] }]));
}

/** A Service that stops to need node ports, or one to tell its health at, gives them back, as the Kubernetes API server does. */
function withoutUnusedPorts(merged: KubeObject): KubeObject {
  if (merged.kind !== 'Service') return merged;
  const { healthCheckNodePort, ...rest } = merged.spec;
  const spec = healthCheckNodePort === undefined || needsHealthCheck(rest) ? merged.spec : rest;
  const ports =
    mayHaveNodePorts(spec) || spec.ports.every(({ nodePort }) => nodePort === undefined)
      ? spec.ports
      : spec.ports.map(({ nodePort: _, ...port }) => port);
  return spec === merged.spec && ports === spec.ports ? merged : { ...merged, spec: { ...spec, ports } };
}
