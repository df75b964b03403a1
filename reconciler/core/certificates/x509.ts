/** Requests and certificates. Source: RFC 5280 (certificates), RFC 2986 (requests), RFC 5480 and 8410 (algorithms). */
import { createHash, createPublicKey, sign, type KeyObject, type X509Certificate } from 'node:crypto';
import { isIPv4 } from 'node:net';
import { parseAddress6 } from '../../../contracts/ipv6.ts';
import type { CertificateSubject, KeyUsage } from '../../../contracts/objects/index.ts';
import {
  bitString,
  boolean,
  elements,
  integer,
  namedBits,
  NULL,
  octetString,
  oid,
  sequence,
  setOf,
  tagged,
  text,
  time,
  tlv,
} from './der.ts';

/** What a certificate says of whom it is for. */
export interface CertificateContent {
  readonly commonName?: string | undefined;
  readonly subject?: CertificateSubject | undefined;
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
  readonly uris: readonly string[];
  readonly emailAddresses: readonly string[];
  readonly isCA: boolean;
  readonly usages: readonly KeyUsage[];
}

/** Who signs; absent: the certificate's own key. */
export interface SigningCa {
  readonly certificate: X509Certificate;
  readonly key: KeyObject;
}

/** PKCS #10, in DER. */
export function certificateRequest(content: CertificateContent, key: KeyObject): Buffer {
  const attributes = sequence(oid('1.2.840.113549.1.9.14'), setOf(sequence(...extensionsOf(content))));
  const info = sequence(
    integer(Buffer.from([0])),
    subjectName(content),
    publicKeyInfo(key),
    tagged(0, attributes, true),
  );
  return signed(info, key);
}

/**
 * In DER. `serial`: 16 random bytes. Both times are cut to a second, and none outlives its CA.
 */
export function makeCertificate(
  content: CertificateContent,
  key: KeyObject,
  options: { readonly serial: Uint8Array; readonly notBefore: Date; readonly notAfter: Date; readonly ca?: SigningCa },
): Buffer {
  const { ca } = options;
  const issuer = ca ? partsOf(ca.certificate).subject : subjectName(content);
  const signer = ca?.key ?? key;
  const notAfter = ca ? new Date(Math.min(+options.notAfter, +new Date(ca.certificate.validTo))) : options.notAfter;
  const own = keyIdentifier(publicKeyInfo(key));
  const authority = ca ? (partsOf(ca.certificate).keyIdentifier ?? keyIdentifier(publicKeyInfo(ca.key))) : own;
  const extensions = [
    ...extensionsOf(content),
    extension('2.5.29.14', octetString(own)),
    extension('2.5.29.35', sequence(tagged(0, authority, false))),
  ];
  // Positive, and of at most 20 bytes.
  const serial = Buffer.from(options.serial.subarray(0, 16));
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  const toBeSigned = sequence(
    tagged(0, integer(Buffer.from([2])), true),
    integer(serial),
    signatureAlgorithm(signer),
    issuer,
    sequence(time(options.notBefore), time(notAfter)),
    subjectName(content),
    publicKeyInfo(key),
    tagged(3, sequence(...extensions), true),
  );
  return signed(toBeSigned, signer);
}

export function pem(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}

function signed(content: Buffer, key: KeyObject): Buffer {
  return sequence(content, signatureAlgorithm(key), bitString(sign(digestOf(key), content, key)));
}

/** null where the algorithm has its own. */
function digestOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): string | null {
  if (asymmetricKeyType === 'ed25519') return null;
  if (asymmetricKeyType !== 'ec') return 'sha256';
  return EC_DIGEST.get(asymmetricKeyDetails?.namedCurve ?? '')?.digest ?? 'sha256';
}

const EC_DIGEST: ReadonlyMap<string, { readonly digest: string; readonly oid: string }> = new Map([
  ['prime256v1', { digest: 'sha256', oid: '1.2.840.10045.4.3.2' }],
  ['secp384r1', { digest: 'sha384', oid: '1.2.840.10045.4.3.3' }],
  ['secp521r1', { digest: 'sha512', oid: '1.2.840.10045.4.3.4' }],
]);

function signatureAlgorithm({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): Buffer {
  if (asymmetricKeyType === 'ed25519') return sequence(oid('1.3.101.112'));
  if (asymmetricKeyType !== 'ec') return sequence(oid('1.2.840.113549.1.1.11'), NULL);
  return sequence(oid(EC_DIGEST.get(asymmetricKeyDetails?.namedCurve ?? '')?.oid ?? '1.2.840.10045.4.3.2'));
}

function publicKeyInfo(key: KeyObject): Buffer {
  const own = key.type === 'private' ? createPublicKey(key) : key;
  return own.export({ type: 'spki', format: 'der' });
}

/** Source: RFC 5280, 4.2.1.2, method 1. */
function keyIdentifier(info: Buffer): Buffer {
  const bits = elements(elements(info)[0]?.content ?? info)[1]?.content ?? info;
  return createHash('sha1').update(bits.subarray(1)).digest();
}

const COMMON_NAME = '2.5.4.3';
const SERIAL_NUMBER = '2.5.4.5';
const SUBJECT: readonly (readonly [string, Exclude<keyof CertificateSubject, 'serialNumber'>])[] = [
  ['2.5.4.6', 'countries'],
  ['2.5.4.10', 'organizations'],
  ['2.5.4.11', 'organizationalUnits'],
  ['2.5.4.7', 'localities'],
  ['2.5.4.8', 'provinces'],
  ['2.5.4.9', 'streetAddresses'],
  ['2.5.4.17', 'postalCodes'],
];

function subjectName({ commonName, subject = {} }: CertificateContent): Buffer {
  const parts = SUBJECT.flatMap(([id, field]) => (subject[field] ?? []).map((value) => [id, value] as const));
  const all = [
    ...parts,
    ...(commonName === undefined ? [] : [[COMMON_NAME, commonName] as const]),
    ...(subject.serialNumber === undefined ? [] : [[SERIAL_NUMBER, subject.serialNumber] as const]),
  ];
  return sequence(...all.map(([id, value]) => setOf(sequence(oid(id), text(value)))));
}

const KEY_USAGE: ReadonlyMap<KeyUsage, number> = new Map([
  ['signing', 0],
  ['digital signature', 0],
  ['content commitment', 1],
  ['key encipherment', 2],
  ['data encipherment', 3],
  ['key agreement', 4],
  ['cert sign', 5],
  ['crl sign', 6],
  ['encipher only', 7],
  ['decipher only', 8],
]);
const EXTENDED_USAGE: ReadonlyMap<KeyUsage, string> = new Map([
  ['any', '2.5.29.37.0'],
  ['server auth', '1.3.6.1.5.5.7.3.1'],
  ['client auth', '1.3.6.1.5.5.7.3.2'],
  ['code signing', '1.3.6.1.5.5.7.3.3'],
  ['email protection', '1.3.6.1.5.5.7.3.4'],
  ['s/mime', '1.3.6.1.5.5.7.3.4'],
  ['ipsec end system', '1.3.6.1.5.5.7.3.5'],
  ['ipsec tunnel', '1.3.6.1.5.5.7.3.6'],
  ['ipsec user', '1.3.6.1.5.5.7.3.7'],
  ['timestamping', '1.3.6.1.5.5.7.3.8'],
  ['ocsp signing', '1.3.6.1.5.5.7.3.9'],
  ['microsoft sgc', '1.3.6.1.4.1.311.10.3.3'],
  ['netscape sgc', '2.16.840.1.113730.4.1'],
]);

function extensionsOf(content: CertificateContent): readonly Buffer[] {
  const bits = content.usages.flatMap((usage) => KEY_USAGE.get(usage) ?? []);
  if (content.isCA) bits.push(5);
  const extended = new Set(content.usages.flatMap((usage) => EXTENDED_USAGE.get(usage) ?? []));
  const names = [
    ...content.dnsNames.map((name) => tagged(2, Buffer.from(name, 'ascii'), false)),
    ...content.emailAddresses.map((name) => tagged(1, Buffer.from(name, 'ascii'), false)),
    ...content.uris.map((name) => tagged(6, Buffer.from(name, 'ascii'), false)),
    ...content.ipAddresses.map((name) => tagged(7, addressBytes(name), false)),
  ];
  const hasSubject = (elements(subjectName(content))[0]?.content.length ?? 0) > 0;
  return [
    extension('2.5.29.19', content.isCA ? sequence(boolean(true)) : sequence(), true),
    ...(bits.length > 0 ? [extension('2.5.29.15', namedBits(bits), true)] : []),
    ...(extended.size > 0 ? [extension('2.5.29.37', sequence(...[...extended].map(oid)))] : []),
    ...(names.length > 0 ? [extension('2.5.29.17', sequence(...names), !hasSubject)] : []),
  ];
}

function extension(id: string, value: Buffer, isCritical = false): Buffer {
  return sequence(oid(id), ...(isCritical ? [boolean(true)] : []), octetString(value));
}

/** 4 or 16 bytes. */
function addressBytes(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number));
  return Buffer.from(parseAddress6(address).toString(16).padStart(32, '0'), 'hex');
}

const SUBJECT_KEY_IDENTIFIER = tlv(0x06, Buffer.from([0x55, 0x1d, 0x0e]));

/** The subject as the certificate has it, byte by byte, and the identifier of its key. */
function partsOf(certificate: X509Certificate): {
  readonly subject: Buffer;
  readonly keyIdentifier: Buffer | undefined;
} {
  const [whole] = elements(certificate.raw);
  const [toBeSigned] = elements(whole?.content ?? Buffer.alloc(0));
  const fields = elements(toBeSigned?.content ?? Buffer.alloc(0)).filter(({ tag }) => tag !== 0xa0);
  const subject = fields[4]?.whole ?? sequence();
  const list = fields.find(({ tag }) => tag === 0xa3);
  const [extensions] = list ? elements(list.content) : [];
  for (const { content } of extensions ? elements(extensions.content) : []) {
    const parts = elements(content);
    if (parts[0]?.whole.equals(SUBJECT_KEY_IDENTIFIER) !== true) continue;
    const value = parts.at(-1);
    return { subject, keyIdentifier: value && elements(value.content)[0]?.content };
  }
  return { subject, keyIdentifier: undefined };
}
