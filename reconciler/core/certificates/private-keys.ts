/** Keys of certificates: what is asked for, whether one is that, and how it is written. */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import type { CertificateKey } from '../../../contracts/objects/index.ts';

const CURVES: ReadonlyMap<number, string> = new Map([
  [256, 'prime256v1'],
  [384, 'secp384r1'],
  [521, 'secp521r1'],
]);
const DEFAULT_RSA_BITS = 2048;
const DEFAULT_CURVE = 256;

export type WantedKey =
  | { readonly type: 'rsa'; readonly bits: number }
  | { readonly type: 'ec'; readonly curve: string }
  | { readonly type: 'ed25519' };

export function wantedKey({ algorithm, size }: CertificateKey): WantedKey {
  switch (algorithm) {
    case 'RSA':
      return { type: 'rsa', bits: size ?? DEFAULT_RSA_BITS };
    case 'ECDSA':
      return { type: 'ec', curve: CURVES.get(size ?? DEFAULT_CURVE) ?? 'prime256v1' };
    case 'Ed25519':
      return { type: 'ed25519' };
  }
}

/** The fields of the certificate's spec that the key is not as they say; none where it is. */
export function keyMismatches(key: KeyObject, asked: CertificateKey): readonly string[] {
  const wanted = wantedKey(asked);
  if (key.asymmetricKeyType !== wanted.type) return ['spec.privateKey.algorithm'];
  const { modulusLength, namedCurve } = key.asymmetricKeyDetails ?? {};
  const isSize =
    wanted.type === 'rsa' ? modulusLength === wanted.bits : wanted.type === 'ed25519' || namedCurve === wanted.curve;
  return isSize ? [] : ['spec.privateKey.size'];
}

/** In PEM, as `encoding` says. */
export function keyText(key: KeyObject, { encoding }: Pick<CertificateKey, 'encoding'>): string {
  const isOld = encoding === 'PKCS1';
  if (isOld && key.asymmetricKeyType === 'rsa') return key.export({ type: 'pkcs1', format: 'pem' }).toString();
  if (isOld && key.asymmetricKeyType === 'ec') return key.export({ type: 'sec1', format: 'pem' }).toString();
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** Undefined for what is no private key. */
export function privateKeyOf(base64: string | undefined): KeyObject | undefined {
  if (base64 === undefined || base64 === '') return undefined;
  try {
    return createPrivateKey(Buffer.from(base64, 'base64'));
  } catch {
    return undefined;
  }
}
