/** Fields of Git and of others. Git is the authority, as with a forced apply: what it writes is set, and that is told. */
import { isCustom, type AnyObject, type FieldSemantics } from '../../../contracts/objects/index.ts';
import { fieldsIn, without, type FieldSet } from '../fields/field-set.ts';
import { equal, type JsonObject } from '../fields/json.ts';
import { redacted } from '../kinds/sealed.ts';
import type { Manifest } from './merge-objects.ts';
import type { Conflict } from './types.ts';

/**
 * The fields that an update gives another value than their owner did, and that Git did not write before: from then on
 * they are Git's. Without secret values.
 */
export function conflictsOf(
  live: AnyObject,
  updated: AnyObject,
  applied: Manifest | undefined,
  desired: Manifest,
  semantics: FieldSemantics,
): readonly Conflict[] {
  const entries = live.metadata.managedFields ?? [];
  if (entries.length === 0) return [];
  const objects = [live, updated, applied?.written, desired.written, isCustom(updated) ? updated : redacted(updated)];
  return entries.flatMap(({ manager, fieldsV1 }) =>
    fieldsIn(semantics, fieldsV1, objects).flatMap(({ path, values: [from, to, was, now, shown] }) =>
      equal(from, to) || now === undefined || was !== undefined ? [] : [{ field: path, owner: manager, writes: shown }],
    ),
  );
}

/** As if Git had never said these fields: what others own stays when Git stops writing it. */
export function withoutFields({ object, written }: Manifest, fields: FieldSet, semantics: FieldSemantics): Manifest {
  return {
    object: without(semantics, object, fields) as AnyObject,
    written: without(semantics, written, fields) as JsonObject,
  };
}
