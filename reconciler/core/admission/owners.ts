/** Who owns which field is noted with the write that makes it so. */
import {
  isCustom,
  fieldSemantics,
  RESOURCE,
  type AnyObject,
  type FieldSemantics,
} from '../../../contracts/objects/index.ts';
import { SOURCE_ANNOTATION } from '../diff/types.ts';
import { managedFields } from '../fields/managed-fields.ts';
import { kubeTime } from '../storage/object-form.ts';
import type { CreateRequest, UpdateRequest } from './request.ts';

/** What a writer says of owners itself does not count. */
export function noteOwners<T extends AnyObject>(object: T, request: CreateRequest | UpdateRequest): T {
  const old = request.operation === 'create' ? undefined : request.old;
  const name = old?.metadata.annotations?.[SOURCE_ANNOTATION];
  const source = name === undefined ? undefined : `git:${name}`;
  const entries =
    old && managedFields(old, object, request.by, source, kubeTime(request.now), semanticsOf(object, request));
  if (entries === object.metadata.managedFields) return object;
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata: { ...metadata, ...(entries && { managedFields: entries }) } };
}

function semanticsOf(object: AnyObject, { view }: CreateRequest | UpdateRequest): FieldSemantics {
  return isCustom(object) ? view.custom.kinds.semanticsOf(object[RESOURCE]) : fieldSemantics(object.kind);
}
