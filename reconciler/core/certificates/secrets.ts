/** The Secret of a Certificate. Source: cert-manager, pkg/controller/certificates/issuing/internal/secret.go. */
import {
  CERTIFICATE_NAME,
  FOR_CERT_MANAGER,
  ISSUER_GROUP,
  ISSUER_KIND,
  ISSUER_NAME,
  type Certificate,
  type Secret,
  type StoredSecret,
} from '../../../contracts/objects/index.ts';
import { REQUEST_HASH, requestHash } from './judge.ts';

export interface IssuedText {
  /** The certificate and those between it and its root, in PEM. */
  readonly chain: string;
  readonly key: string;
  /** What issued it, where that is known. */
  readonly ca?: string;
}

const NAMES_OF = [
  ['cert-manager.io/alt-names', 'dnsNames'],
  ['cert-manager.io/ip-sans', 'ipAddresses'],
  ['cert-manager.io/uri-sans', 'uris'],
  ['cert-manager.io/email-sans', 'emailAddresses'],
] as const;

/** `before`: the Secret that is there; what others wrote on it, and other keys of it, stay. */
export function issuedSecret(
  certificate: Certificate,
  { chain, key, ca }: IssuedText,
  before: StoredSecret | undefined,
): Secret | StoredSecret {
  const made = {
    'tls.crt': base64(chain),
    'tls.key': base64(key),
    ...(ca !== undefined && { 'ca.crt': base64(ca) }),
  };
  return labelled(certificate, before ? { ...before, data: { ...before.data, ...made } } : bare(certificate, made));
}

/** The Secret with the labels and annotations that the Certificate asks for now; the request is that of the certificate. */
export function withTemplate(certificate: Certificate, secret: StoredSecret): StoredSecret {
  const { labels, annotations } = certificate.spec.secretTemplate ?? {};
  const { metadata } = secret;
  return {
    ...secret,
    metadata: {
      ...metadata,
      labels: { ...metadata.labels, ...labels },
      annotations: { ...metadata.annotations, ...annotations },
    },
  };
}

function bare({ metadata: { namespace }, spec }: Certificate, data: Secret['data']): Secret {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: spec.secretName, ...(namespace !== undefined && { namespace }) },
    type: 'kubernetes.io/tls',
    data,
  };
}

function labelled<T extends Secret>({ metadata: { name }, spec }: Certificate, secret: T): T {
  const { labels, annotations } = spec.secretTemplate ?? {};
  const names = NAMES_OF.flatMap(([annotation, field]) =>
    spec[field].length > 0 ? [[annotation, spec[field].join(',')] as const] : [],
  );
  return {
    ...secret,
    metadata: {
      ...secret.metadata,
      labels: { ...secret.metadata.labels, ...labels, [FOR_CERT_MANAGER]: 'true' },
      annotations: {
        ...secret.metadata.annotations,
        ...annotations,
        [CERTIFICATE_NAME]: name,
        [ISSUER_NAME]: spec.issuerRef.name,
        [ISSUER_KIND]: spec.issuerRef.kind,
        [ISSUER_GROUP]: spec.issuerRef.group,
        'cert-manager.io/common-name': spec.commonName ?? '',
        ...Object.fromEntries(names),
        [REQUEST_HASH]: requestHash(spec),
      },
    },
  };
}

function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}
