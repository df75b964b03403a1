/**
 * Nothing new comes into a namespace that is going, and `default` and `kube-system` never go. Source: Kubernetes,
 * plugin/namespace/lifecycle/admission.go (`immortalNamespaces`).
 */
import { STANDING_NAMESPACES, objectKey, type AnyObject, type Namespace } from '../../../contracts/objects/index.ts';
import type { CreateRequest, Refusal, UpdateRequest } from './request.ts';

/**
 * Whether what is in the namespace goes. Kubernetes refuses to delete those two; here a commit that drops its manifest
 * is in force, and gives back the namespace that is there without one.
 */
export function isTerminating({ metadata }: Namespace): boolean {
  return metadata.deletionTimestamp !== undefined && !STANDING_NAMESPACES.includes(metadata.name);
}

/**
 * A namespace that is not there at all is no ground: its objects may come before it in one revision, and what is left
 * in one that is gone is removed by the namespace's controller.
 */
export function openNamespace(
  { metadata: { namespace } }: AnyObject,
  { operation, view }: CreateRequest | UpdateRequest,
): Refusal | undefined {
  if (operation !== 'create' || namespace === undefined) return undefined;
  const home = view.get(objectKey('Namespace', undefined, namespace));
  return home && isTerminating(home)
    ? {
        reason: 'NamespaceTerminating',
        message: `namespace ${namespace} is being terminated: create it when the namespace is gone and made anew`,
      }
    : undefined;
}
