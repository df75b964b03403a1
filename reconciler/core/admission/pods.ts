/** A pod that is being made: most of what admission gives to pods, or asks of them, is then or never. */
import { isCustom, type AnyObject, type Pod } from '../../../contracts/objects/index.ts';
import type { CreateRequest, UpdateRequest } from './request.ts';

export function isNewPod<T extends AnyObject>(
  object: T,
  { operation }: CreateRequest | UpdateRequest,
): object is T & Pod {
  return operation === 'create' && isPod(object);
}

export function isPod<T extends AnyObject>(object: T): object is T & Pod {
  return !isCustom(object) && object.kind === 'Pod';
}
