/** The key that the tokens of ServiceAccounts are signed with, and how others get to know it. */
import { createHash, createPrivateKey, createPublicKey, sign, type KeyObject } from 'node:crypto';

/** Source: RFC 7518, RFC 8414 and OpenID Connect Discovery 1.0; Kubernetes, pkg/serviceaccount/openidmetadata.go. */
export interface JsonWebKeySet {
  readonly keys: readonly {
    readonly use: 'sig';
    readonly kty: 'RSA';
    readonly alg: 'RS256';
    readonly kid: string;
    readonly n: string;
    readonly e: string;
  }[];
}

/** Shown nowhere but by what it signs: the key is no property of it. */
export class SigningKey {
  readonly #key: KeyObject;
  /** Names the key: the hash of its public half. Source: Kubernetes, pkg/serviceaccount/jwt.go (keyIDFromPublicKey). */
  readonly id: string;
  readonly keySet: JsonWebKeySet;

  /** `pem`: an RSA key of 2048 bits or more; throws an Error, which has nothing of its content, where it is none. */
  constructor(pem: string) {
    this.#key = readKeyOf(pem);
    const publicKey = createPublicKey(this.#key);
    const { n = '', e = '' } = publicKey.export({ format: 'jwk' });
    this.id = createHash('sha256')
      .update(publicKey.export({ format: 'der', type: 'spki' }))
      .digest('base64url');
    this.keySet = { keys: [{ use: 'sig', kty: 'RSA', alg: 'RS256', kid: this.id, n, e }] };
  }

  /**
   * A JSON Web Token (RFC 7519) with these claims. The same claims always give the same token, as RS256 takes no random
   * numbers: what was made before a restart, or elsewhere, is made again.
   */
  token(claims: Readonly<Record<string, unknown>>): string {
    const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const signed = `${part({ alg: 'RS256', kid: this.id, typ: 'JWT' })}.${part(claims)}`;
    return `${signed}.${sign('sha256', Buffer.from(signed), this.#key).toString('base64url')}`;
  }
}

/** Fewer bits are refused by what verifies. Source: RFC 7518, 3.3. */
const LEAST_BITS = 2048;

function readKeyOf(pem: string): KeyObject {
  let key: KeyObject | undefined;
  try {
    key = createPrivateKey(pem);
  } catch {
    // What the parser says may quote what it read.
  }
  if (key?.asymmetricKeyType !== 'rsa' || (key.asymmetricKeyDetails?.modulusLength ?? 0) < LEAST_BITS)
    throw new Error(`not a private RSA key of ${LEAST_BITS} bits or more`);
  return key;
}

/** What a cluster calls itself in tokens where its `Cluster` says nothing. Kubernetes' own clusters do so, too. */
export const DEFAULT_ISSUER = 'https://kubernetes.default.svc.cluster.local';

/** `/.well-known/openid-configuration`: how whoever trusts the issuer finds its keys. */
export function openIdConfiguration(issuer: string): Readonly<Record<string, unknown>> {
  return {
    issuer,
    jwks_uri: `${issuer.replace(/\/$/, '')}/openid/v1/jwks`,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
  };
}
