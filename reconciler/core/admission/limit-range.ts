/**
 * LimitRanges of the namespace of a pod or a claim. Of a pod they are looked at when it is made: one that is resized was
 * held against them with its commit (manifests/compose-limits.ts). Source: Kubernetes,
 * plugin/pkg/admission/limitranger/admission.go.
 */
import {
  isCustom,
  type AnyObject,
  type LimitRange,
  type PersistentVolumeClaim,
} from '../../../contracts/objects/index.ts';
import { claimViolations, limitViolations, withLimitDefaults } from '../quota/limit-range.ts';
import { isNewPod } from './pods.ts';
import type { CreateRequest, Refusal, UpdateRequest } from './request.ts';

export function fillLimits<T extends AnyObject>(object: T, request: CreateRequest | UpdateRequest): T {
  return isNewPod(object, request) ? withLimitDefaults(object, rangesOf(object, request)) : object;
}

export function withinLimits(object: AnyObject, request: CreateRequest | UpdateRequest): Refusal | undefined {
  const found = isNewPod(object, request)
    ? limitViolations(object.spec, rangesOf(object, request))
    : isSizedClaim(object, request)
      ? claimViolations(object.spec, rangesOf(object, request))
      : [];
  return found.length > 0 ? { reason: 'Forbidden', message: found.join('; ') } : undefined;
}

/** A claim may grow; who writes anything else of one that is there already is not told of its size. */
function isSizedClaim(object: AnyObject, request: CreateRequest | UpdateRequest): object is PersistentVolumeClaim {
  if (isCustom(object) || object.kind !== 'PersistentVolumeClaim') return false;
  if (request.operation === 'create') return true;
  const { old } = request;
  return (
    !isCustom(old) &&
    old.kind === 'PersistentVolumeClaim' &&
    old.spec.resources.requests.storage !== object.spec.resources.requests.storage
  );
}

function rangesOf({ metadata }: AnyObject, { view }: CreateRequest | UpdateRequest): readonly LimitRange[] {
  return view.list('LimitRange', metadata.namespace).filter((range) => range.metadata.deletionTimestamp === undefined);
}
