/** What only a deletion sets: nobody else sets it, and nobody takes it back. */
import type { AnyObject } from '../../../contracts/objects/index.ts';
import type { CreateRequest, UpdateRequest } from './request.ts';

/**
 * An object is not born with the marks of a deletion (Kubernetes, rest.FillObjectMetaSystemFields), and an update
 * leaves them as they are (ValidateObjectMetaAccessorUpdate: they are immutable): "being deleted" is a way of one
 * direction.
 */
export function keepDeletionMarks<T extends AnyObject>(object: T, request: CreateRequest | UpdateRequest): T {
  const old = request.operation === 'create' ? undefined : request.old.metadata;
  const { deletionTimestamp: ends, deletionGracePeriodSeconds: grace, ...metadata } = object.metadata;
  if (ends === old?.deletionTimestamp && grace === old?.deletionGracePeriodSeconds) return object;
  return {
    ...object,
    metadata: {
      ...metadata,
      ...(old?.deletionTimestamp !== undefined && { deletionTimestamp: old.deletionTimestamp }),
      ...(old?.deletionGracePeriodSeconds !== undefined && {
        deletionGracePeriodSeconds: old.deletionGracePeriodSeconds,
      }),
    },
  };
}
