/**
 * Certificates of manifests, as both sides read them: what is let through is what the proxies take, since one that OpenSSL
 * refuses keeps their whole configuration out. Only what was read goes on, whatever else stands around it.
 */
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';

/** PEM; or what is wrong, without a word of what is in it, to be read behind the name of what has it. */
export type ReadPem = { readonly pem: string } | { readonly problem: string };

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;

/** A certificate with its chain, and its key behind it. `pair`: `tls.crt` and `tls.key`. */
export function readKeyPair(certificate: string, key: string): ReadPem {
  const chain = certificatesIn(certificate);
  if (chain === undefined) return { problem: 'has a tls.crt that cannot be read as certificates' };
  const [own] = chain;
  if (own === undefined) return { problem: 'has no certificate in tls.crt' };
  for (const { publicKey } of chain) {
    const weakness = weaknessOf(publicKey);
    if (weakness !== undefined) return { problem: `has ${weakness} in tls.crt, which TLS does not take` };
  }
  let parsed: KeyObject;
  try {
    parsed = createPrivateKey(key);
  } catch {
    return { problem: 'has no private key in tls.key' };
  }
  if (!own.checkPrivateKey(parsed)) return { problem: 'has a tls.key that is not of its tls.crt' };
  return { pem: [...chain.map(String), String(parsed.export({ type: 'pkcs8', format: 'pem' }))].join('') };
}

/** Certificates of authorities, as of a `ca.crt`. */
export function readAuthorities(text: string): ReadPem {
  const found = certificatesIn(text);
  if (found === undefined) return { problem: 'has a ca.crt that cannot be read as certificates' };
  if (found.length === 0) return { problem: 'has no certificate in ca.crt' };
  return { pem: found.map(String).join('') };
}

/** Undefined where one of them is none, or has a key that nobody knows. */
function certificatesIn(text: string): readonly X509Certificate[] | undefined {
  try {
    return (text.match(CERTIFICATE) ?? []).map((block) => {
      const one = new X509Certificate(block);
      void one.publicKey;
      return one;
    });
  } catch {
    return undefined;
  }
}

/** Bits, as OpenSSL's security level 2 wants them, which Debian has for all programs. Source: SSL_CTX_set_security_level(3). */
const LEAST_MODULUS = 2048;
/** Those of 224 bits and more that have a name. */
const CURVES = /^(prime256v1|secp(224|256|384|521)[kr]1|brainpoolP(256|320|384|512)[rt]1)$/;

function weaknessOf({ asymmetricKeyType, asymmetricKeyDetails = {} }: KeyObject): string | undefined {
  const { modulusLength = 0, namedCurve = 'without a name' } = asymmetricKeyDetails;
  switch (asymmetricKeyType) {
    case 'ed25519':
    case 'ed448':
      return undefined;
    case 'rsa':
    case 'rsa-pss':
      return modulusLength >= LEAST_MODULUS ? undefined : `an RSA key of ${modulusLength} bits`;
    case 'ec':
      return CURVES.test(namedCurve) ? undefined : `a key of curve ${namedCurve.slice(0, 40)}`;
    default:
      return `a key of type ${String(asymmetricKeyType)}`;
  }
}
