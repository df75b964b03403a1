/** Nothing new of a kind that is going. Source: Kubernetes, customresource_handler.go (a terminating definition serves no create). */
import { isCustom, objectKey, RESOURCE, type AnyObject } from '../../../contracts/objects/index.ts';
import type { CreateRequest, Refusal, UpdateRequest } from './request.ts';

/** A definition that is not there at all is no ground: what is left of such a kind is kept. */
export function openKind(object: AnyObject, { operation, view }: CreateRequest | UpdateRequest): Refusal | undefined {
  if (operation !== 'create' || !isCustom(object)) return undefined;
  const resource = object[RESOURCE];
  const definition = view.get(objectKey('CustomResourceDefinition', undefined, resource));
  return definition?.metadata.deletionTimestamp === undefined
    ? undefined
    : {
        reason: 'Forbidden',
        message: `the definition of ${resource} is being deleted: create it when that is gone and made anew`,
      };
}
