/** The ServiceAccount of a pod. Source: Kubernetes, plugin/pkg/admission/serviceaccount/admission.go. */
import {
  DEFAULT_SERVICE_ACCOUNT,
  objectKey,
  type AnyObject,
  type Pod,
  type ServiceAccount,
} from '../../../contracts/objects/index.ts';
import { isStaticPod } from '../static-pods/static-pod.ts';
import { accountNameOf, withAccount } from '../service-accounts/pod-account.ts';
import { isNewPod } from './pods.ts';
import type { AdmissionView, CreateRequest, Refusal, UpdateRequest } from './request.ts';

export function fillAccount<T extends AnyObject>(object: T, request: CreateRequest | UpdateRequest): T {
  if (!isNewPod(object, request)) return object;
  // Its node would have the pull secrets of the account by writing a file.
  if (isStaticPod(object, object.spec.nodeName ?? '')) return object;
  return withAccount(object, accountOf(object, request.view));
}

/** `default` is as good as there where its controller has not made it yet: nothing is said in it then. */
export function knownAccount(object: AnyObject, request: CreateRequest | UpdateRequest): Refusal | undefined {
  if (!isNewPod(object, request)) return undefined;
  const name = accountNameOf(object.spec);
  if (name === DEFAULT_SERVICE_ACCOUNT || accountOf(object, request.view)) return undefined;
  return {
    reason: 'Forbidden',
    message: `error looking up service account ${object.metadata.namespace ?? ''}/${name}: serviceaccount "${name}" not found`,
  };
}

function accountOf({ metadata, spec }: Pod, view: AdmissionView): ServiceAccount | undefined {
  return view.get(objectKey('ServiceAccount', metadata.namespace, accountNameOf(spec)));
}
