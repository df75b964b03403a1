/**
 * Sets of fields of an object, in the form FieldsV1 of Kubernetes' managedFields: a tree with a field as `f:NAME`, an
 * entry of a list-map as `k:{KEYS}`, a value of a set as `v:VALUE`. An empty node stands for its whole value. Source:
 * structured-merge-diff, fieldpath/serialize-pe.go.
 */
import { readKey, type FieldSemantics } from '../../../contracts/objects/index.ts';
import { equal, isList, isObject } from './json.ts';
import { keyLists, semanticsAt } from './list-keys.ts';

export interface FieldSet {
  readonly [element: string]: FieldSet;
}
/** The whole value. */
export const ALL: FieldSet = {};

interface Child {
  readonly element: string;
  /** How people write it behind its parent. */
  readonly label: string;
  readonly value: unknown;
  readonly semantics: FieldSemantics;
}

/** The parts of a value that may have owners of their own; undefined where it has one. */
function childrenOf(semantics: FieldSemantics, value: unknown): ReadonlyMap<string, Child> | undefined {
  if (semantics.atomic) return undefined;
  const children = new Map<string, Child>();
  if (isObject(value)) {
    for (const [name, child] of Object.entries(value)) {
      if (child === undefined) continue;
      const label = /^[A-Za-z_][\w-]*$/.test(name) ? `.${name}` : `[${name}]`;
      children.set(`f:${name}`, { element: `f:${name}`, label, value: child, semantics: semanticsAt(semantics, name) });
    }
    return children;
  }
  const { keys = [], keyDefaults, list } = semantics;
  if (list === undefined || !isList(value) || !keyLists(semantics, [value])) return undefined;
  for (const entry of value) {
    if (list === 'set') {
      const element = `v:${JSON.stringify(entry)}`;
      children.set(element, { element, label: `[${String(entry)}]`, value: entry, semantics: semanticsAt(semantics) });
      continue;
    }
    if (!isObject(entry)) return undefined;
    const named = keys.map((key) => [key, readKey(entry, key) ?? readKey(keyDefaults, key)] as const);
    const element = `k:${JSON.stringify(Object.fromEntries([...named].sort(([a], [b]) => (a < b ? -1 : 1))))}`;
    const label = `[${named.map(([, part]) => String(part)).join('/')}]`;
    children.set(element, { element, label, value: entry, semantics: semanticsAt(semantics) });
  }
  return children;
}

/** What is another value in `after` than in `before`, also what is there in one of them alone; undefined where nothing is. */
export function changedSet(semantics: FieldSemantics, before: unknown, after: unknown): FieldSet | undefined {
  if (equal(before, after)) return undefined;
  if (before === undefined || after === undefined) return partsOf(semantics, before ?? after);
  const [was, is] = [childrenOf(semantics, before), childrenOf(semantics, after)];
  if (!was || !is || isList(before) !== isList(after)) return ALL;
  const set: [string, FieldSet][] = [];
  for (const element of new Set([...was.keys(), ...is.keys()])) {
    const child = is.get(element) ?? was.get(element);
    const changed = child && changedSet(child.semantics, was.get(element)?.value, is.get(element)?.value);
    if (changed) set.push([element, changed]);
  }
  // Entries that changed places alone.
  return set.length > 0 ? Object.fromEntries(set) : ALL;
}

/** A new value, or one that goes: who adds the first value of a set does not own those that others add to it. */
function partsOf(semantics: FieldSemantics, value: unknown): FieldSet {
  const parts = semantics.list === 'set' ? [...(childrenOf(semantics, value)?.keys() ?? [])] : [];
  return Object.fromEntries(parts.map((element) => [element, ALL]));
}

/** What of the set is there in `value`. */
export function present(semantics: FieldSemantics, set: FieldSet, value: unknown): FieldSet | undefined {
  if (value === undefined) return undefined;
  const children = childrenOf(semantics, value);
  if (isAll(set) || !children) return set;
  return collected(set, (element, below) => {
    const child = children.get(element);
    return child && present(child.semantics, below, child.value);
  });
}

export function unionOf(a: FieldSet, b: FieldSet): FieldSet {
  if (isAll(a) || isAll(b)) return ALL;
  const elements = [...new Set([...Object.keys(a), ...Object.keys(b)])];
  return Object.fromEntries(
    elements.map((element) => {
      const [one, other] = [readKey(a, element), readKey(b, element)];
      return [element, one && other ? unionOf(one, other) : (one ?? other ?? ALL)];
    }),
  );
}

/** What of `a` is not in `b`; of a whole value in `a` of which `b` has a part, nothing is left. */
export function difference(a: FieldSet, b: FieldSet): FieldSet | undefined {
  if (isAll(a) || isAll(b)) return undefined;
  return collected(a, (element, below) => {
    const taken = readKey(b, element);
    return taken ? difference(below, taken) : below;
  });
}

/** The value without what is in the set; undefined where nothing is left. */
export function without(semantics: FieldSemantics, value: unknown, set: FieldSet): unknown {
  const children = childrenOf(semantics, value);
  if (isAll(set) || !children) return undefined;
  const left = (element: string, child: unknown): unknown => {
    const taken = readKey(set, element);
    const below = children.get(element)?.semantics;
    return taken && below ? without(below, child, taken) : child;
  };
  if (isObject(value))
    return Object.fromEntries(
      Object.entries(value).flatMap(([name, child]) => {
        const stays = left(`f:${name}`, child);
        return stays === undefined ? [] : [[name, stays]];
      }),
    );
  return [...children.values()].flatMap(({ element, value: child }) => left(element, child) ?? []);
}

/** One field of a set, and what it is in several objects. */
export interface FieldAt {
  /** `spec.template.spec.containers[web].image`. */
  readonly path: string;
  readonly values: readonly unknown[];
}

/** The fields of the set, with their values in each of `objects`. */
export function fieldsIn(
  semantics: FieldSemantics,
  set: FieldSet,
  objects: readonly unknown[],
  path = '',
): readonly FieldAt[] {
  if (isAll(set)) return [{ path, values: objects }];
  const children = objects.map((object) => childrenOf(semantics, object));
  return Object.entries(set).flatMap(([element, below]) => {
    const child = children.map((one) => one?.get(element)).find((one) => one !== undefined);
    if (!child) return [];
    const values = children.map((one) => one?.get(element)?.value);
    return fieldsIn(child.semantics, below, values, path === '' ? child.label.slice(1) : path + child.label);
  });
}

/** As many fields at most: where there are more, whole objects stand for what is in them. */
export function bounded(set: FieldSet, most: number): FieldSet {
  let depth = MAX_DEPTH;
  let result = cut(set, depth);
  while (sizeOf(result) > most && depth > 1) result = cut(set, --depth);
  return sizeOf(result) > most ? ALL : result;
}
/** Deeper than any field of a pod template. */
const MAX_DEPTH = 16;

function cut(set: FieldSet, depth: number): FieldSet {
  if (depth === 0) return ALL;
  return Object.fromEntries(Object.entries(set).map(([element, below]) => [element, cut(below, depth - 1)]));
}

function sizeOf(set: FieldSet): number {
  return isAll(set) ? 1 : Object.values(set).reduce((sum, below) => sum + sizeOf(below), 0);
}

function isAll(set: FieldSet): boolean {
  return Object.keys(set).length === 0;
}

function collected(
  set: FieldSet,
  keep: (element: string, below: FieldSet) => FieldSet | undefined,
): FieldSet | undefined {
  const kept = Object.entries(set).flatMap(([element, below]) => {
    const left = keep(element, below);
    return left ? [[element, left] as const] : [];
  });
  return kept.length > 0 ? Object.fromEntries(kept) : undefined;
}
