/** Whether HAProxy will take a certificate: one that it does not take would keep the whole configuration out. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { CheckCertificate } from '../../ports/proxy.ts';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g;

export const checkCertificate: CheckCertificate = (certificate, key) => {
  const [own, ...chain] = certificate.match(CERTIFICATE) ?? [];
  if (own === undefined) return 'tls.crt has no certificate in it';
  let parsed: X509Certificate;
  try {
    parsed = new X509Certificate(own);
    for (const one of chain) new X509Certificate(one);
  } catch {
    return 'tls.crt cannot be read as certificates';
  }
  try {
    if (!parsed.checkPrivateKey(createPrivateKey(key))) return 'tls.key is not the key of the certificate';
  } catch {
    return 'tls.key cannot be read as a private key';
  }
  return undefined;
};
