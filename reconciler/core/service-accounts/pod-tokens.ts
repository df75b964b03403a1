/**
 * The tokens that a pod asks for. Source: Kubernetes, pkg/serviceaccount/claims.go (what is in them) and
 * pkg/kubelet/token/token_manager.go (when they are renewed: after 80 % of their life, or a day).
 */
import { createHash } from 'node:crypto';
import type { StoredNode, StoredPod, StoredSecret, StoredServiceAccount } from '../../../contracts/objects/index.ts';
import {
  MOST_TOKENS,
  tokenKey,
  tokenRequests,
  tokenSecretName,
  type TokenRequest,
} from '../../../contracts/objects/pod-tokens.ts';
import type { SigningKey } from './signing-key.ts';

/** Whom a pod is and where; the tokens are bound to all of them. */
export interface Bearer {
  readonly pod: StoredPod;
  readonly account: StoredServiceAccount;
  readonly node: StoredNode;
}

export interface PodTokens {
  /** For the pod's node alone; in no store. */
  readonly secret: StoredSecret;
  /** When the last of them came to be valid, as the wall shows it, in milliseconds: by a clock before that none is. */
  readonly validFrom: number;
  /** When the first of them is to be made anew, as the wall shows it, in milliseconds. */
  readonly renewAt: number;
}

const LONGEST_USE_SECONDS = 24 * 60 * 60;
const USED_SHARE = 0.8;

/**
 * A token's life begins with its pod, and a new one's where the one before was used up: so that whoever makes it, and
 * however often, makes the same. Undefined for a pod that asks for none.
 */
export function podTokens(
  { pod, account, node }: Bearer,
  issuer: string,
  key: SigningKey,
  now: Date,
): PodTokens | undefined {
  const requests = tokenRequests(pod.spec).slice(0, MOST_TOKENS);
  if (requests.length === 0) return undefined;
  const lives = requests.map((request) => ({ request, ...lifeAt(request, pod, now) }));
  const data = lives.map(({ request, issuedAt }) => {
    const claims = claimsOf({ pod, account, node }, issuer, request, issuedAt);
    return [tokenKey(request), Buffer.from(key.token(claims)).toString('base64')] as const;
  });
  const { name, namespace, uid, creationTimestamp } = pod.metadata;
  const resourceVersion = createHash('sha256').update(JSON.stringify(data)).digest('hex').slice(0, 16);
  return {
    secret: {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        name: tokenSecretName(name),
        namespace,
        uid,
        creationTimestamp,
        resourceVersion,
        generation: 1,
      },
      type: 'plumbline.dev/pod-tokens',
      data: Object.fromEntries(data),
    },
    validFrom: Math.max(...lives.map(({ issuedAt }) => issuedAt)) * 1000,
    renewAt: Math.min(...lives.map(({ usedUpAt }) => usedUpAt)) * 1000,
  };
}

/** In seconds since 1970. */
function lifeAt(
  { expirationSeconds }: TokenRequest,
  { metadata }: StoredPod,
  now: Date,
): { readonly issuedAt: number; readonly usedUpAt: number } {
  const use = Math.floor(Math.min(expirationSeconds * USED_SHARE, LONGEST_USE_SECONDS));
  const began = Math.floor(Date.parse(metadata.creationTimestamp) / 1000);
  const before = Math.max(0, Math.floor((now.getTime() / 1000 - began) / use));
  const issuedAt = began + before * use;
  return { issuedAt, usedUpAt: issuedAt + use };
}

function claimsOf(
  { pod, account, node }: Bearer,
  issuer: string,
  { audience, expirationSeconds }: TokenRequest,
  issuedAt: number,
): Readonly<Record<string, unknown>> {
  const { namespace = '' } = pod.metadata;
  const bound = ({ metadata: { name, uid } }: Bearer[keyof Bearer]): object => ({ name, uid });
  const claims = {
    aud: [audience ?? issuer],
    exp: issuedAt + expirationSeconds,
    iat: issuedAt,
    iss: issuer,
    nbf: issuedAt,
    sub: `system:serviceaccount:${namespace}:${account.metadata.name}`,
    'kubernetes.io': { namespace, node: bound(node), pod: bound(pod), serviceaccount: bound(account) },
  };
  return { ...claims, jti: idOf(JSON.stringify(claims)) };
}

/** A name of the form of a UUID (RFC 9562, version 8) for what is said. */
function idOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    '-',
  );
}
