/** The differences of two objects as an RFC 6902 patch. */
import { readKey, type FieldSemantics } from '../../../contracts/objects/index.ts';
import { equal, fieldsOf, isList, isObject, type JsonObject } from '../fields/json.ts';
import { keyLists, semanticsAt } from '../fields/list-keys.ts';
import type { PatchOperation } from './types.ts';

/**
 * The operations that turn `before` into `after`, to be applied in order. Empty if and only if the two are equal.
 * Entries of Kubernetes' list-maps are matched by their key, so that one changed container is one small operation
 * wherever it stands; which lists are such is told by `semantics`. Entries that moved are taken out and put in again. The order is the same for equal input. Time
 * and size grow linearly with the input (n log n for reordered lists).
 */
export function diffObjects(before: unknown, after: unknown, semantics: FieldSemantics = {}): PatchOperation[] {
  const operations: PatchOperation[] = [];
  diffValue(before, after, '', semantics, operations);
  return operations;
}

function diffValue(
  before: unknown,
  after: unknown,
  path: string,
  semantics: FieldSemantics,
  out: PatchOperation[],
): void {
  if (before === after) return;
  if (isObject(before) && isObject(after)) diffFields(before, after, path, semantics, out);
  else if (isList(before) && isList(after)) diffLists(before, after, path, semantics, out);
  else out.push({ op: 'replace', path, value: after });
}

function diffFields(
  before: JsonObject,
  after: JsonObject,
  path: string,
  semantics: FieldSemantics,
  out: PatchOperation[],
): void {
  for (const name of fieldsOf(before)) {
    const at = `${path}/${escapeToken(name)}`;
    const next = readKey(after, name);
    if (next === undefined) out.push({ op: 'remove', path: at });
    else diffValue(readKey(before, name), next, at, semanticsAt(semantics, name), out);
  }
  for (const name of fieldsOf(after)) {
    if (readKey(before, name) === undefined)
      out.push({ op: 'add', path: `${path}/${escapeToken(name)}`, value: readKey(after, name) });
  }
}

function diffLists(
  before: readonly unknown[],
  after: readonly unknown[],
  path: string,
  semantics: FieldSemantics,
  out: PatchOperation[],
): void {
  const keys = keyLists(semantics, [before, after]);
  const entry = semanticsAt(semantics);
  if (keys?.[0] && keys[1]) diffKeyedLists(before, after, keys[0], keys[1], path, entry, out);
  else diffByPosition(before, after, path, entry, out);
}

/**
 * What stands still is what is in both lists and in the same order: the longest such run is kept, the rest is removed
 * and added.
 */
function diffKeyedLists(
  before: readonly unknown[],
  after: readonly unknown[],
  keysBefore: readonly string[],
  keysAfter: readonly string[],
  path: string,
  entry: FieldSemantics,
  out: PatchOperation[],
): void {
  const placeBefore = new Map(keysBefore.map((key, i) => [key, i]));
  const common = keysAfter.filter((key) => placeBefore.has(key));
  const kept = longestRise(common.map((key) => placeBefore.get(key) ?? 0));
  const keptPlaces = new Set(kept);
  for (let i = before.length - 1; i >= 0; i--) if (!keptPlaces.has(i)) out.push({ op: 'remove', path: `${path}/${i}` });
  const inner: (() => void)[] = [];
  keysAfter.forEach((key, i) => {
    const was = placeBefore.get(key);
    if (was !== undefined && keptPlaces.has(was))
      inner.push(() => diffValue(before[was], after[i], `${path}/${i}`, entry, out));
    else out.push({ op: 'add', path: `${path}/${i}`, value: after[i] });
  });
  for (const diff of inner) diff();
}

/** Equal entries at both ends stay; between them the lists are compared place by place. */
function diffByPosition(
  before: readonly unknown[],
  after: readonly unknown[],
  path: string,
  entry: FieldSemantics,
  out: PatchOperation[],
): void {
  let start = 0;
  while (start < before.length && start < after.length && equal(before[start], after[start])) start++;
  let endBefore = before.length;
  let endAfter = after.length;
  while (endBefore > start && endAfter > start && equal(before[endBefore - 1], after[endAfter - 1])) {
    endBefore--;
    endAfter--;
  }
  const shared = Math.min(endBefore, endAfter);
  for (let i = start; i < shared; i++) diffValue(before[i], after[i], `${path}/${i}`, entry, out);
  for (let i = endBefore - 1; i >= shared; i--) out.push({ op: 'remove', path: `${path}/${i}` });
  for (let i = shared; i < endAfter; i++) out.push({ op: 'add', path: `${path}/${i}`, value: after[i] });
}

/** A longest strictly rising subsequence of distinct numbers, by patience sorting: n log n. */
function longestRise(numbers: readonly number[]): number[] {
  const tails: number[] = [];
  const previous: number[] = [];
  for (const [i, n] of numbers.entries()) {
    let low = 0;
    let high = tails.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((numbers[tails[middle] ?? 0] ?? 0) < n) low = middle + 1;
      else high = middle;
    }
    previous[i] = low > 0 ? (tails[low - 1] ?? -1) : -1;
    tails[low] = i;
  }
  const rise: number[] = [];
  for (let i = tails.at(-1) ?? -1; i >= 0; i = previous[i] ?? -1) rise.push(numbers[i] ?? 0);
  return rise.reverse();
}

/** RFC 6901, section 3. */
function escapeToken(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}

/** The path that an operation's JSON pointer names. */
export function pointerPath(pointer: string): readonly string[] {
  const tokens = pointer.split('/').slice(1);
  return tokens.map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
}
