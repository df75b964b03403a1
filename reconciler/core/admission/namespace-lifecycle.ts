/** Nothing new comes into a namespace that is going. Source: Kubernetes, plugin/namespace/lifecycle/admission.go. */
import { objectKey, type KubeObject } from '../../../contracts/objects/index.ts';
import type { CreateRequest, Refusal, UpdateRequest } from './request.ts';

/**
 * A namespace that is not there at all is no ground: its objects may come before it in one revision, and what is left
 * in one that is gone is removed by the namespace's controller.
 */
export function openNamespace(
  { metadata: { namespace } }: KubeObject,
  { operation, view }: CreateRequest | UpdateRequest,
): Refusal | undefined {
  if (operation !== 'create' || namespace === undefined) return undefined;
  const home = view.get(objectKey('Namespace', undefined, namespace));
  return home?.metadata.deletionTimestamp === undefined
    ? undefined
    : {
        reason: 'Forbidden',
        message: `namespace ${namespace} is being terminated: create it when the namespace is gone and made anew`,
      };
}
