/** What an ACME account signs with. Source: RFC 8555, 6.2; RFC 7515, 7517 and 7638. */
import { createHash, createHmac, createPublicKey, sign, type KeyObject } from 'node:crypto';

type Jwk = Readonly<Record<string, string>>;

/** Members by name in the order of the alphabet, as the thumbprint wants them. */
export function publicJwk(key: KeyObject): Jwk {
  const { kty = '', crv = '', x = '', y = '', n = '', e = '' } = createPublicKey(key).export({ format: 'jwk' });
  if (kty === 'RSA') return { e, kty, n };
  return kty === 'EC' ? { crv, kty, x, y } : { crv, kty, x };
}

export function thumbprint(key: KeyObject): string {
  return createHash('sha256')
    .update(JSON.stringify(publicJwk(key)))
    .digest('base64url');
}

/** What is answered to a challenge. Source: RFC 8555, 8.1. */
export function keyAuthorization(token: string, key: KeyObject): string {
  return `${token}.${thumbprint(key)}`;
}

export interface Jws {
  readonly protected: string;
  readonly payload: string;
  readonly signature: string;
}

/** `kid`: the account's URL; the key itself is sent where there is none yet. `payload` undefined: POST-as-GET. */
export function signedRequest(
  key: KeyObject,
  header: { readonly url: string; readonly nonce: string; readonly kid?: string },
  payload: unknown,
): Jws {
  const { alg, digest } = algorithmOf(key);
  const { kid, ...rest } = header;
  const head = { alg, ...(kid === undefined ? { jwk: publicJwk(key) } : { kid }), ...rest };
  return assembled(head, payload === undefined ? '' : JSON.stringify(payload), (input) =>
    sign(digest, Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }),
  );
}

/** Ties an account to one that its owner has at the CA. Source: RFC 8555, 7.3.4. */
export function externalBinding(key: KeyObject, keyId: string, mac: Uint8Array, url: string): Jws {
  return assembled({ alg: 'HS256', kid: keyId, url }, JSON.stringify(publicJwk(key)), (input) =>
    createHmac('sha256', mac).update(input).digest(),
  );
}

function assembled(head: object, payload: string, signer: (input: string) => Buffer): Jws {
  const parts = [JSON.stringify(head), payload].map((part) => Buffer.from(part).toString('base64url'));
  const [protectedHeader = '', body = ''] = parts;
  return {
    protected: protectedHeader,
    payload: body,
    signature: signer(`${protectedHeader}.${body}`).toString('base64url'),
  };
}

const CURVES: ReadonlyMap<string, { readonly alg: string; readonly digest: string }> = new Map([
  ['prime256v1', { alg: 'ES256', digest: 'sha256' }],
  ['secp384r1', { alg: 'ES384', digest: 'sha384' }],
  ['secp521r1', { alg: 'ES512', digest: 'sha512' }],
]);

function algorithmOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): {
  readonly alg: string;
  readonly digest: string | null;
} {
  if (asymmetricKeyType === 'ed25519') return { alg: 'EdDSA', digest: null };
  if (asymmetricKeyType !== 'ec') return { alg: 'RS256', digest: 'sha256' };
  return CURVES.get(asymmetricKeyDetails?.namedCurve ?? '') ?? { alg: 'ES256', digest: 'sha256' };
}
