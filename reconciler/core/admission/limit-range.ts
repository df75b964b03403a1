/**
 * LimitRanges of the pod's namespace. Looked at when a pod is made, as its containers never change. Source: Kubernetes,
 * plugin/pkg/admission/limitranger/admission.go.
 */
import { isCustom, type AnyObject, type LimitRange, type Pod } from '../../../contracts/objects/index.ts';
import { limitViolations, withLimitDefaults } from '../quota/limit-range.ts';
import type { CreateRequest, Refusal, UpdateRequest } from './request.ts';

export function fillLimits<T extends AnyObject>(object: T, request: CreateRequest | UpdateRequest): T {
  return isNewPod(object, request) ? withLimitDefaults(object, rangesOf(object, request)) : object;
}

export function withinLimits(object: AnyObject, request: CreateRequest | UpdateRequest): Refusal | undefined {
  if (!isNewPod(object, request)) return undefined;
  const found = limitViolations(object.spec, rangesOf(object, request));
  return found.length > 0 ? { reason: 'Forbidden', message: found.join('; ') } : undefined;
}

function isNewPod<T extends AnyObject>(object: T, { operation }: CreateRequest | UpdateRequest): object is T & Pod {
  return operation === 'create' && !isCustom(object) && object.kind === 'Pod';
}

function rangesOf({ metadata }: Pod, { view }: CreateRequest | UpdateRequest): readonly LimitRange[] {
  return view.list('LimitRange', metadata.namespace).filter((range) => range.metadata.deletionTimestamp === undefined);
}
