/** What an update changes, field by field, in people's words. */
import {
  CONFIG_HASH,
  fieldSemantics,
  isCustom,
  readKey,
  untypedSemantics,
  type FieldSemantics,
  type Kind,
} from '../../../contracts/objects/index.ts';
import { equal, fieldsOf, isList, isObject } from '../fields/json.ts';
import { entryLabel, keyLists, semanticsAt } from '../fields/list-keys.ts';
import { isSealed, REDACTED, redactedAt } from '../kinds/sealed.ts';
import type { FieldPath } from '../manifests/yaml-tree.ts';
import { ORIGIN_ANNOTATION, type AnyPlanItem } from './types.ts';

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

const DIFFERENT = '[redacted, another value]';
const SAME = '[redacted, the same value]';

/** A change, and where it is by the names of the fields; entries of lists by their position. */
interface Located {
  readonly path: FieldPath;
  readonly change: FieldChange;
}

/**
 * What a change of a workload's template says of the ConfigMaps and Secrets that its pods read: they are `noted` where a
 * template says nothing of them yet, or `unnoted` where it does not any more, and its pods stay; or they are `replaced`
 * with their pods. Undefined for any other change.
 */
export function configChange({ field, from, to }: FieldChange): 'noted' | 'unnoted' | 'replaced' | undefined {
  if (!field.startsWith(TEMPLATE_ANNOTATIONS)) return undefined;
  const isAll = field === TEMPLATE_ANNOTATIONS && [from, to].some(isHashAlone);
  if (!isAll && field !== `${TEMPLATE_ANNOTATIONS}[${CONFIG_HASH}]`) return undefined;
  if (from === undefined) return 'noted';
  return to === undefined ? 'unnoted' : 'replaced';
}
const TEMPLATE_ANNOTATIONS = 'spec.template.metadata.annotations';

function isHashAlone(annotations: unknown): boolean {
  return isObject(annotations) && Object.keys(annotations).every((name) => name === CONFIG_HASH);
}

/**
 * The changes of an update, sorted as the fields are. The origin annotation is left out; secret values are redacted.
 */
export function changedFields({ before, object }: Extract<AnyPlanItem, { action: 'update' }>): FieldChange[] {
  const changes: Located[] = [];
  collect(
    before,
    object,
    { label: '', path: [] },
    isCustom(object) ? untypedSemantics() : fieldSemantics(object.kind),
    changes,
  );
  const origin = `metadata.annotations[${ORIGIN_ANNOTATION}]`;
  const told = changes.filter(({ change }) => change.field !== origin);
  return isCustom(object) ? told.map(({ change }) => change) : told.map((one) => withoutSecrets(object.kind, one));
}

/** Of a secret value that was there before it says whether it is another one. */
function withoutSecrets(kind: Kind, { path, change }: Located): FieldChange {
  const isBoth = 'from' in change && 'to' in change && isSealed(kind, path);
  const shown = isBoth ? (sameBytes(change.from, change.to) ? SAME : DIFFERENT) : REDACTED;
  return {
    field: change.field,
    ...('from' in change && { from: redactedAt(kind, path, change.from) }),
    ...('to' in change && { to: redactedAt(kind, path, change.to, shown) }),
  };
}

/** Base64 may be written in several ways. */
function sameBytes(a: unknown, b: unknown): boolean {
  return typeof a === 'string' && typeof b === 'string' && Buffer.from(a, 'base64').equals(Buffer.from(b, 'base64'));
}

interface Place {
  /** How people write it. */
  readonly label: string;
  readonly path: FieldPath;
}

function collect(before: unknown, after: unknown, at: Place, semantics: FieldSemantics, out: Located[]): void {
  if (before === after) return;
  if (isObject(before) && isObject(after)) {
    for (const name of [...new Set([...fieldsOf(before), ...fieldsOf(after)])].sort()) {
      const place = { label: joinField(at.label, name), path: [...at.path, name] };
      collect(readKey(before, name), readKey(after, name), place, semanticsAt(semantics, name), out);
    }
  } else if (isList(before) && isList(after)) collectEntries(before, after, at, semantics, out);
  else if (!equal(before, after)) add(at, before, after, out);
}

function add({ label, path }: Place, from: unknown, to: unknown, out: Located[]): void {
  out.push({
    path,
    change: { field: label, ...(from !== undefined && { from }), ...(to !== undefined && { to }) },
  });
}

function collectEntries(
  before: readonly unknown[],
  after: readonly unknown[],
  at: Place,
  semantics: FieldSemantics,
  out: Located[],
): void {
  const keys = keyLists(semantics, [before, after]);
  if (!keys?.[0] || !keys[1]) {
    if (!equal(before, after)) add(at, before, after, out);
    return;
  }
  const [keysBefore, keysAfter] = keys;
  const entriesAfter = new Map(keysAfter.map((key, i) => [key, after[i]]));
  const place = (entry: unknown, i: number): Place => ({
    label: `${at.label}[${entryLabel(semantics, entry) ?? i}]`,
    path: [...at.path, i],
  });
  for (const [i, key] of keysBefore.entries())
    collect(before[i], entriesAfter.get(key), place(before[i], i), semanticsAt(semantics), out);
  const known = new Set(keysBefore);
  for (const [i, key] of keysAfter.entries()) if (!known.has(key)) add(place(after[i], i), undefined, after[i], out);
  const stillThere = keysAfter.filter((key) => known.has(key));
  const order = (list: readonly string[]): string[] => list.filter((key) => entriesAfter.has(key));
  if (!equal(order(keysBefore), stillThere))
    add({ ...at, label: `${at.label} (order)` }, labels(semantics, before), labels(semantics, after), out);
}

function labels(semantics: FieldSemantics, list: readonly unknown[]): string[] {
  return list.map((entry, i) => entryLabel(semantics, entry) ?? String(i));
}

function joinField(path: string, name: string): string {
  if (!/^[A-Za-z_][\w-]*$/.test(name)) return `${path}[${name}]`;
  return path === '' ? name : `${path}.${name}`;
}
