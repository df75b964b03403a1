/**
 * Who set which field of an object, as `metadata.managedFields` has it. Source: Kubernetes, "Server-Side Apply", and
 * apimachinery/pkg/util/managedfields.
 *
 * Kept only on objects that come from a Git source, and only of the others who write them: what Git owns is what its
 * commit writes, and an object that is in no manifest (a Pod, a ReplicaSet) is its controller's alone. So an object that
 * nobody but Git wrote has none. Not kept: the status, and what the store and deletion set in the metadata. At most
 * {@link MOST_MANAGERS} managers with {@link MOST_FIELDS} fields each.
 */
import type { AnyObject, FieldSemantics, ManagedFieldsEntry } from '../../../contracts/objects/index.ts';
import { bounded, changedSet, difference, present, unionOf, type FieldSet } from './field-set.ts';
import { equal } from './json.ts';

/** Kubernetes' number of managers that are told apart; the longest past go together. */
const MOST_MANAGERS = 10;
const MOST_FIELDS = 200;
/** Kubernetes' name of all those together. */
const ANCIENT = 'ancient-changes';

/**
 * The entries after `manager` made `after` of `before`; those of `before` where nothing changes in them. Whoever changes
 * a field owns it, and takes it from the others; Git, as manager of its own source, has no entry. `source`: the manager
 * name of the Git source that the object comes from; undefined where it comes from none, then nothing is kept.
 */
export function managedFields(
  before: AnyObject,
  after: AnyObject,
  manager: string,
  source: string | undefined,
  now: string,
  semantics: FieldSemantics,
): readonly ManagedFieldsEntry[] | undefined {
  const entries = before.metadata.managedFields;
  if (source === undefined || (manager === source && !entries)) return entries;
  const changed = changedSet(semantics, ownable(before), ownable(after));
  if (!changed) return entries;
  const others = (entries ?? []).flatMap((entry) => {
    if (entry.manager === manager) return [];
    const left = difference(entry.fieldsV1, changed);
    return left ? [equal(left, entry.fieldsV1) ? entry : { ...entry, fieldsV1: left }] : [];
  });
  if (manager === source) return others.length > 0 ? others : undefined;
  const mine = entries?.find((entry) => entry.manager === manager);
  const set = present(semantics, mine ? unionOf(mine.fieldsV1, changed) : changed, ownable(after));
  if (!set) return others.length > 0 ? others : undefined;
  const fieldsV1 = bounded(set, MOST_FIELDS);
  if (mine && equal(fieldsV1, mine.fieldsV1)) return withinBounds([...others, mine]);
  const { apiVersion } = after;
  return withinBounds([
    ...others,
    { manager, operation: 'Update', apiVersion, time: now, fieldsType: 'FieldsV1', fieldsV1 },
  ]);
}

/** All that other managers than Git own of an object; undefined where that is nothing. */
export function othersFields({ metadata: { managedFields: entries } }: AnyObject): FieldSet | undefined {
  const [first, ...rest] = (entries ?? []).map(({ fieldsV1 }) => fieldsV1);
  return first && rest.reduce(unionOf, first);
}

/** The latest stay; the entries are in the order of their changes. */
function withinBounds(entries: readonly ManagedFieldsEntry[]): readonly ManagedFieldsEntry[] {
  if (entries.length <= MOST_MANAGERS) return entries;
  const [first, second, ...rest] = entries;
  if (!first || !second) return entries;
  const fieldsV1 = bounded(unionOf(first.fieldsV1, second.fieldsV1), MOST_FIELDS);
  return withinBounds([{ ...second, manager: ANCIENT, fieldsV1 }, ...rest]);
}

function ownable(object: AnyObject): unknown {
  const { status: _status, metadata, ...rest } = object as AnyObject & { readonly status?: unknown };
  const { labels, annotations, ownerReferences, finalizers } = metadata;
  return { ...rest, metadata: { labels, annotations, ownerReferences, finalizers } };
}
