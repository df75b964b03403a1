/**
 * Whether the Secret of a Certificate is what its spec asks for, and when it has to be renewed. Reasons and messages are
 * cert-manager's. Source: internal/controller/certificates/policies (checks.go, constants.go).
 */
import { createHash, X509Certificate } from 'node:crypto';
import {
  CERT_MANAGER_GROUP,
  CERTIFICATE_NAME,
  goDurationMs,
  ISSUER_GROUP,
  ISSUER_KIND,
  ISSUER_NAME,
  type Certificate,
  type CertificateSpec,
  type KeyUsage,
  type Secret,
} from '../../../contracts/objects/index.ts';
import { canonicalJson } from '../storage/canonical-json.ts';
import { keyMismatches, privateKeyOf } from './private-keys.ts';
import type { CertificateContent } from './x509.ts';

/** On the Secret: a hash of what was asked for. */
export const REQUEST_HASH = 'plumbline.dev/certificate-request';
export const DEFAULT_DURATION = '2160h';
const DEFAULT_USAGES: readonly KeyUsage[] = ['digital signature', 'key encipherment'];
/** Of a certificate's life, so that a short one is not renewed over and over. */
const MOST_BEFORE = 0.95;
/** Of the time until a renewal, by so much it is earlier at most: those that were issued together are not renewed so. */
const SPREAD = 0.05;
const MOST_SPREAD_MS = 24 * 3_600_000;

export interface Issued {
  readonly is: 'issued';
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly renewAt: Date;
}
/** Why a certificate has to be issued. `isUsable`: the one that is there serves until then. */
export interface Unfit {
  readonly is: 'unfit';
  readonly reason: string;
  readonly message: string;
  readonly isUsable: boolean;
}

/** All names, those of hosts first. */
export function contentOf({
  commonName,
  subject,
  dnsNames,
  ipAddresses,
  uris,
  emailAddresses,
  isCA,
  usages,
}: CertificateSpec): CertificateContent {
  return {
    commonName,
    subject,
    dnsNames: [...new Set(dnsNames)],
    ipAddresses,
    uris,
    emailAddresses,
    isCA,
    usages: usages.length > 0 ? usages : DEFAULT_USAGES,
  };
}

/** The same for specs that ask for the same certificate. */
export function requestHash(spec: CertificateSpec): string {
  const { privateKey, issuerRef, duration = DEFAULT_DURATION } = spec;
  const asked = { ...contentOf(spec), issuerRef, durationMs: goDurationMs(duration), algorithm: privateKey.algorithm };
  return createHash('sha256').update(canonicalJson(asked)).digest('hex').slice(0, 32);
}

export function judge({ metadata, spec }: Certificate, secret: Secret | undefined, now: Date): Issued | Unfit {
  const unfit = (reason: string, message: string, isUsable = false): Unfit => ({
    is: 'unfit',
    reason,
    message,
    isUsable,
  });
  if (!secret) return unfit('DoesNotExist', 'Issuing certificate as Secret does not exist');
  const { data } = secret;
  if ((data['tls.key'] ?? '') === '')
    return unfit('MissingData', 'Issuing certificate as Secret does not contain a private key');
  if ((data['tls.crt'] ?? '') === '')
    return unfit('MissingData', 'Issuing certificate as Secret does not contain a certificate');
  const pair = readPair(secret);
  if (typeof pair === 'string')
    return unfit('InvalidKeyPair', `Issuing certificate as Secret contains an invalid key-pair: ${pair}`);
  const annotations = secret.metadata.annotations ?? {};
  const other = annotations[CERTIFICATE_NAME];
  if (other !== undefined && other !== metadata.name)
    return unfit(
      'IncorrectCertificate',
      `Secret was issued for ${JSON.stringify(other.slice(0, 253))}. If this message is not transient, you might have two conflicting Certificates pointing to the same secret.`,
      true,
    );
  const mismatches = keyMismatches(pair.key, spec.privateKey);
  if (mismatches.length > 0)
    return unfit('SecretMismatch', `Existing private key is not up to date for spec: [${mismatches.join(' ')}]`, true);
  const { name, kind, group } = spec.issuerRef;
  const [byName, byKind, byGroup] = [annotations[ISSUER_NAME], annotations[ISSUER_KIND], annotations[ISSUER_GROUP]];
  if (byName !== name || byKind !== kind || (byGroup ?? CERT_MANAGER_GROUP) !== group)
    return unfit(
      'IncorrectIssuer',
      `Issuing certificate as Secret was previously issued by ${JSON.stringify(`${byKind ?? 'Issuer'}.${byGroup ?? CERT_MANAGER_GROUP}/${byName ?? ''}`)}`,
      true,
    );
  if (annotations[REQUEST_HASH] !== requestHash(spec))
    return unfit('RequestChanged', 'Issuing certificate as its spec is not that of the one in the Secret', true);
  const { notBefore, notAfter } = pair;
  if (now >= notAfter)
    return unfit('Expired', `Issuing certificate as the existing one expired at ${notAfter.toISOString()}`);
  const renewAt = renewalTime(notBefore, notAfter, spec, `${metadata.namespace ?? ''}/${metadata.name}`);
  if (now >= renewAt)
    return unfit('Renewing', `Renewing certificate as renewal was scheduled at ${renewAt.toISOString()}`, true);
  return { is: 'issued', notBefore, notAfter, renewAt };
}

/** Of the first certificate in it, whose key must be there; or what is wrong, without a word of what is in it. */
export function readPair({ data }: Pick<Secret, 'data'>):
  | {
      readonly key: NonNullable<ReturnType<typeof privateKeyOf>>;
      readonly certificate: X509Certificate;
      readonly notBefore: Date;
      readonly notAfter: Date;
    }
  | string {
  const key = privateKeyOf(data['tls.key']);
  if (!key) return 'tls.key is no private key';
  try {
    const certificate = new X509Certificate(Buffer.from(data['tls.crt'] ?? '', 'base64'));
    if (!certificate.checkPrivateKey(key)) return 'tls.key is not of tls.crt';
    return { key, certificate, notBefore: new Date(certificate.validFrom), notAfter: new Date(certificate.validTo) };
  } catch {
    return 'tls.crt is no certificate';
  }
}

/**
 * When a third of its life is left, or as the spec says where its life is long enough for that, and up to a twentieth of the time
 * until then earlier, by `place`. To a second.
 */
export function renewalTime(
  notBefore: Date,
  notAfter: Date,
  { renewBefore, renewBeforePercentage }: Pick<CertificateSpec, 'renewBefore' | 'renewBeforePercentage'>,
  place: string,
): Date {
  const life = notAfter.getTime() - notBefore.getTime();
  const asked =
    renewBefore === undefined
      ? renewBeforePercentage === undefined
        ? undefined
        : (life * renewBeforePercentage) / 100
      : goDurationMs(renewBefore);
  const before = asked !== undefined && asked <= life * MOST_BEFORE ? asked : life / 3;
  const until = life - before;
  const share = createHash('sha256').update(place).digest().readUInt32BE() / 2 ** 32;
  const earlier = share * Math.min(until * SPREAD, MOST_SPREAD_MS);
  return new Date(Math.floor((notBefore.getTime() + until - earlier) / 1000) * 1000);
}
