/** Certificates with their keys, in PEM, each signed by its own key. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { makeCertificate, pem } from '../../../reconciler/core/certificates/x509.ts';

export interface Pair {
  readonly certificate: string;
  readonly key: string;
}

/** `of`: bits of RSA, or the name of a curve. */
export function makePair(of: number | string = 'prime256v1'): Pair {
  const { privateKey } =
    typeof of === 'number'
      ? generateKeyPairSync('rsa', { modulusLength: of })
      : generateKeyPairSync('ec', { namedCurve: of });
  return { certificate: certificateOf(privateKey), key: String(privateKey.export({ type: 'pkcs8', format: 'pem' })) };
}

function certificateOf(key: KeyObject): string {
  const content = {
    commonName: 'example.com',
    dnsNames: ['example.com'],
    ipAddresses: [],
    uris: [],
    emailAddresses: [],
    isCA: true,
    usages: [],
  };
  const [notBefore, notAfter] = [new Date('2026-01-01T00:00:00Z'), new Date('2046-01-01T00:00:00Z')];
  return pem('CERTIFICATE', makeCertificate(content, key, { serial: Buffer.alloc(16, 1), notBefore, notAfter }));
}
