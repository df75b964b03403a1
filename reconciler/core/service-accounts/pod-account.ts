/**
 * What a pod has from its ServiceAccount. Source: Kubernetes, plugin/pkg/admission/serviceaccount/admission.go. No token is
 * mounted that the pod does not ask for: see docs/workloads.md.
 */
import { DEFAULT_SERVICE_ACCOUNT, type PodSpec, type ServiceAccount } from '../../../contracts/objects/index.ts';

/** The name of the account that the pod goes by. */
export function accountNameOf({ serviceAccountName }: PodSpec): string {
  return serviceAccountName ?? DEFAULT_SERVICE_ACCOUNT;
}

/**
 * The pod with its account's name, and with that account's pull secrets where it has none of its own. `account`: undefined
 * where there is none of that name. Doing it again changes nothing.
 */
export function withAccount<T extends { readonly spec: PodSpec }>(pod: T, account: ServiceAccount | undefined): T {
  const { serviceAccountName, imagePullSecrets } = pod.spec;
  const given = hasPullSecrets(pod.spec) ? undefined : account?.imagePullSecrets;
  if (serviceAccountName !== undefined && (given ?? []).length === 0) return pod;
  const secrets = given ?? imagePullSecrets;
  return {
    ...pod,
    spec: {
      ...pod.spec,
      serviceAccountName: accountNameOf(pod.spec),
      ...(secrets && { imagePullSecrets: [...secrets] }),
    },
  };
}

/** Whether the pod says itself which it uses, so that its account gives it none. */
export function hasPullSecrets({ imagePullSecrets }: PodSpec): boolean {
  return imagePullSecrets !== undefined && imagePullSecrets.length > 0;
}
