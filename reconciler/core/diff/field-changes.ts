/** What an update changes, field by field, in people's words. */
import { fieldSemantics, readKey, type FieldSemantics, type KubeObject } from '../../../contracts/objects/index.ts';
import { equal, fieldsOf, isList, isObject } from '../fields/json.ts';
import { entryLabel, keyLists, semanticsAt } from '../fields/list-keys.ts';
import { ORIGIN_ANNOTATION, type PlanItem } from './types.ts';

export interface FieldChange {
  /**
   * `spec.template.spec.containers[web].image`: list entries by the name that Kubernetes knows them by, else by
   * position.
   */
  readonly field: string;
  /** Absent: the field is new. */
  readonly from?: unknown;
  /** Absent: the field goes away. */
  readonly to?: unknown;
}

const REDACTED = '[redacted]';
const DIFFERENT = '[redacted, another value]';
const SAME = '[redacted, the same value]';

/**
 * The changes of an update, sorted as the fields are. The origin annotation is left out; a Secret's values are
 * redacted.
 */
export function changedFields({ before, object }: Extract<PlanItem, { action: 'update' }>): FieldChange[] {
  const changes: FieldChange[] = [];
  collect(before, object, '', fieldSemantics(object.kind), changes);
  const origin = `metadata.annotations[${ORIGIN_ANNOTATION}]`;
  const told = changes.filter((change) => change.field !== origin);
  return object.kind === 'Secret' ? told.map(hideSecret) : told;
}

/** The object with a Secret's values replaced; other kinds as they are. */
export function redacted(object: KubeObject): KubeObject {
  if (object.kind !== 'Secret') return object;
  return { ...object, data: Object.fromEntries(Object.keys(object.data).map((key) => [key, REDACTED])) };
}

/** Of a value that was there before it says whether it is another one. */
function hideSecret(change: FieldChange): FieldChange {
  if (!/^(data|stringData)\b/.test(change.field)) return change;
  const hide = (value: unknown, shown: string): unknown =>
    isObject(value) ? Object.fromEntries(Object.keys(value).map((key) => [key, shown])) : shown;
  const isBoth = 'from' in change && 'to' in change;
  const shown = isBoth ? (sameBytes(change.from, change.to) ? SAME : DIFFERENT) : REDACTED;
  return {
    field: change.field,
    ...('from' in change && { from: hide(change.from, REDACTED) }),
    ...('to' in change && { to: hide(change.to, shown) }),
  };
}

/** Base64 may be written in several ways. */
function sameBytes(a: unknown, b: unknown): boolean {
  return typeof a === 'string' && typeof b === 'string' && Buffer.from(a, 'base64').equals(Buffer.from(b, 'base64'));
}

function collect(before: unknown, after: unknown, path: string, semantics: FieldSemantics, out: FieldChange[]): void {
  if (before === after) return;
  if (isObject(before) && isObject(after)) {
    for (const name of [...new Set([...fieldsOf(before), ...fieldsOf(after)])].sort()) {
      collect(readKey(before, name), readKey(after, name), joinField(path, name), semanticsAt(semantics, name), out);
    }
  } else if (isList(before) && isList(after)) collectEntries(before, after, path, semantics, out);
  else if (!equal(before, after)) {
    out.push({ field: path, ...(before !== undefined && { from: before }), ...(after !== undefined && { to: after }) });
  }
}

function collectEntries(
  before: readonly unknown[],
  after: readonly unknown[],
  path: string,
  semantics: FieldSemantics,
  out: FieldChange[],
): void {
  const keys = keyLists(semantics, [before, after]);
  if (!keys?.[0] || !keys[1]) {
    if (!equal(before, after)) out.push({ field: path, from: before, to: after });
    return;
  }
  const [keysBefore, keysAfter] = keys;
  const entriesAfter = new Map(keysAfter.map((key, i) => [key, after[i]]));
  const place = (entry: unknown, i: number): string => `${path}[${entryLabel(semantics, entry) ?? i}]`;
  for (const [i, key] of keysBefore.entries())
    collect(before[i], entriesAfter.get(key), place(before[i], i), semanticsAt(semantics), out);
  const known = new Set(keysBefore);
  for (const [i, key] of keysAfter.entries())
    if (!known.has(key)) out.push({ field: place(after[i], i), to: after[i] });
  const stillThere = keysAfter.filter((key) => known.has(key));
  const order = (list: readonly string[]): string[] => list.filter((key) => entriesAfter.has(key));
  if (!equal(order(keysBefore), stillThere))
    out.push({ field: `${path} (order)`, from: labels(semantics, before), to: labels(semantics, after) });
}

function labels(semantics: FieldSemantics, list: readonly unknown[]): string[] {
  return list.map((entry, i) => entryLabel(semantics, entry) ?? String(i));
}

function joinField(path: string, name: string): string {
  if (!/^[A-Za-z_][\w-]*$/.test(name)) return `${path}[${name}]`;
  return path === '' ? name : `${path}.${name}`;
}
