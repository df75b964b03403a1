/**
 * Tokens of a pod's ServiceAccount, as both sides name them. They come to the pod's node as a Secret that is in no
 * store. Free of schemas: a node agent uses it.
 */
import type { PodSpec } from './pod.ts';

/** What is asked of a token. Source: Kubernetes v1 API reference, ServiceAccountTokenProjection. */
export interface TokenRequest {
  /** For whom it is; the cluster's issuer where it is not said. */
  readonly audience?: string | undefined;
  readonly expirationSeconds: number;
}

/** Different tokens of one pod. */
export const MOST_TOKENS = 32;

/** The Secret with the tokens of the pod of that name; no manifest can have the name. */
export function tokenSecretName(pod: string): string {
  return `${pod}:tokens`;
}

/** Under which key a token is there. */
export function tokenKey({ audience, expirationSeconds }: TokenRequest): string {
  return `${expirationSeconds}:${audience ?? ''}`;
}

/** What the pod's volumes ask for, each once. */
export function tokenRequests({ volumes }: Pick<PodSpec, 'volumes'>): readonly TokenRequest[] {
  const requests = (volumes ?? []).flatMap(({ projected }) =>
    (projected?.sources ?? []).flatMap(({ serviceAccountToken }) => serviceAccountToken ?? []),
  );
  return [...new Map(requests.map((request) => [tokenKey(request), request])).values()];
}
