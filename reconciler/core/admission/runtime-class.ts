/** The RuntimeClass of a new pod. Source: Kubernetes, plugin/pkg/admission/runtimeclass/admission.go. */
import { objectKey, type AnyObject, type Pod, type RuntimeClass } from '../../../contracts/objects/index.ts';
import { classObjection, withRuntimeClass } from '../runtime-classes/pod-class.ts';
import { isNewPod } from './pods.ts';
import type { AdmissionView, CreateRequest, Refusal, UpdateRequest } from './request.ts';

export function fillRuntimeClass<T extends AnyObject>(object: T, request: CreateRequest | UpdateRequest): T {
  return isNewPod(object, request) ? withRuntimeClass(object, classOf(object, request.view)) : object;
}

export function knownRuntimeClass(object: AnyObject, request: CreateRequest | UpdateRequest): Refusal | undefined {
  if (!isNewPod(object, request)) return undefined;
  const { runtimeClassName } = object.spec;
  const runtimeClass = classOf(object, request.view);
  const message =
    runtimeClassName !== undefined && !runtimeClass
      ? `pod rejected: RuntimeClass "${runtimeClassName}" not found`
      : classObjection(object.spec, runtimeClass);
  return message === undefined ? undefined : { reason: 'Forbidden', message };
}

function classOf({ spec: { runtimeClassName } }: Pod, view: AdmissionView): RuntimeClass | undefined {
  return runtimeClassName === undefined ? undefined : view.get(objectKey('RuntimeClass', undefined, runtimeClassName));
}
