/**
 * Certificates, and who issues them. The kinds are cert-manager's, as people have them in their repositories. Source:
 * cert-manager, pkg/apis/certmanager/v1 (types_certificate.go, types_issuer.go) and pkg/apis/acme/v1 (types_issuer.go).
 */
import { z } from 'zod';
import { GoDuration, goDurationMs } from './go-duration.ts';
import { Hostname } from './gateway.ts';
import { ManifestMeta, type Condition, type ObjectMeta, type StoredMeta } from './meta.ts';
import { DataKey } from './config.ts';
import { Annotations, DnsSubdomain, Labels, NEVER, object, unset } from './schema.ts';

export const CERT_MANAGER_GROUP = 'cert-manager.io';
export const CERT_MANAGER_API = 'cert-manager.io/v1';
/** Names of one certificate: as many as Let's Encrypt takes. */
export const MOST_NAMES = 100;

const Text = (most: number) => z.string().max(most, `must be no more than ${most} characters`);
const Texts = z.array(Text(256)).max(MOST_NAMES, `must have at most ${MOST_NAMES} entries`);

export const USAGES = [
  'signing',
  'digital signature',
  'content commitment',
  'key encipherment',
  'key agreement',
  'data encipherment',
  'cert sign',
  'crl sign',
  'encipher only',
  'decipher only',
  'any',
  'server auth',
  'client auth',
  'code signing',
  'email protection',
  's/mime',
  'ipsec end system',
  'ipsec tunnel',
  'ipsec user',
  'timestamping',
  'ocsp signing',
  'microsoft sgc',
  'netscape sgc',
] as const;
export type KeyUsage = (typeof USAGES)[number];

const IssuerRef = object({
  name: DnsSubdomain,
  kind: unset('', z.enum(['Issuer', 'ClusterIssuer']).default('Issuer')),
  group: unset(
    '',
    z.literal(CERT_MANAGER_GROUP, 'must be cert-manager.io: other issuers are not there').default(CERT_MANAGER_GROUP),
  ),
});
export type IssuerRef = z.infer<typeof IssuerRef>;

const SIZES: Readonly<Record<string, readonly number[]>> = {
  RSA: [2048, 3072, 4096, 8192],
  ECDSA: [256, 384, 521],
};
const PrivateKey = object({
  /** Whether a new certificate gets a new key. */
  rotationPolicy: unset('', z.enum(['Never', 'Always']).default('Always')),
  encoding: unset('', z.enum(['PKCS1', 'PKCS8']).default('PKCS1')),
  algorithm: unset('', z.enum(['RSA', 'ECDSA', 'Ed25519']).default('RSA')),
  /** Bits; of Ed25519 it means nothing. */
  size: unset(0, z.int().optional()),
}).superRefine(({ algorithm, size }, context) => {
  const sizes = SIZES[algorithm];
  if (sizes && size !== undefined && !sizes.includes(size))
    context.addIssue({ code: 'custom', path: ['size'], message: `must be ${sizes.join(', ')} for ${algorithm}` });
});
export type CertificateKey = z.infer<typeof PrivateKey>;

const Subject = object({
  organizations: Texts.optional(),
  countries: Texts.optional(),
  organizationalUnits: Texts.optional(),
  localities: Texts.optional(),
  provinces: Texts.optional(),
  streetAddresses: Texts.optional(),
  postalCodes: Texts.optional(),
  serialNumber: unset('', Text(64).optional()),
});
export type CertificateSubject = z.infer<typeof Subject>;

const HOUR_MS = 3_600_000;
const LEAST_RENEW_BEFORE_MS = 300_000;

export const CertificateSpec = object(
  {
    secretName: DnsSubdomain,
    issuerRef: IssuerRef,
    commonName: unset('', Text(64).optional()),
    dnsNames: z.array(Hostname).max(MOST_NAMES, `must have at most ${MOST_NAMES} entries`).default([]),
    ipAddresses: z
      .array(z.union([z.ipv4(), z.ipv6()], 'must be an IP address'))
      .max(MOST_NAMES, `must have at most ${MOST_NAMES} entries`)
      .default([]),
    uris: Texts.default([]),
    emailAddresses: Texts.default([]),
    subject: Subject.optional(),
    /** Asked for; an issuer may decide otherwise. 2160h when absent. */
    duration: GoDuration.refine((text) => goDurationMs(text) >= HOUR_MS, 'must be 1h or more').optional(),
    /** Before the end of the certificate that was issued; a third of its life when absent. */
    renewBefore: GoDuration.refine(
      (text) => goDurationMs(text) >= LEAST_RENEW_BEFORE_MS,
      'must be 5m or more',
    ).optional(),
    renewBeforePercentage: z.int().min(1, 'must be between 1 and 99').max(99, 'must be between 1 and 99').optional(),
    isCA: z.boolean().default(false),
    usages: z.array(z.enum(USAGES)).max(USAGES.length).default([]),
    privateKey: PrivateKey.prefault({}),
    /** Labels and annotations of the Secret. */
    secretTemplate: object({ labels: Labels.optional(), annotations: Annotations.optional() }).optional(),
  },
  {
    // Of requests there is no history, and usages are in every request.
    revisionHistoryLimit: 'anything',
    encodeUsagesInRequest: [true, false],
    additionalOutputFormats: [[]],
    keystores: [{}],
    literalSubject: [''],
    nameConstraints: NEVER,
    otherNames: [[]],
    signatureAlgorithm: [''],
  },
).superRefine((spec, context) => {
  const tell = (path: string, message: string): void => {
    context.addIssue({ code: 'custom', path: [path], message });
  };
  const { commonName, dnsNames, ipAddresses, uris, emailAddresses, duration, renewBefore } = spec;
  if (commonName === undefined && [dnsNames, ipAddresses, uris, emailAddresses].every((list) => list.length === 0))
    tell('dnsNames', 'must have an entry, where there is no commonName and no other name');
  if (renewBefore !== undefined && spec.renewBeforePercentage !== undefined)
    tell('renewBeforePercentage', 'must be absent where renewBefore is set');
  if (renewBefore !== undefined && goDurationMs(renewBefore) >= goDurationMs(duration ?? '2160h'))
    tell('renewBefore', 'must be shorter than duration');
});
export type CertificateSpec = z.infer<typeof CertificateSpec>;

export const CertificateManifest = object({
  apiVersion: z.literal(CERT_MANAGER_API),
  kind: z.literal('Certificate'),
  metadata: ManifestMeta,
  spec: CertificateSpec,
});
export interface CertificateStatus {
  /** `Ready` and `Issuing`. */
  readonly conditions?: readonly Condition[];
  readonly lastFailureTime?: string;
  /** In a row. */
  readonly failedIssuanceAttempts?: number;
  readonly notBefore?: string;
  readonly notAfter?: string;
  readonly renewalTime?: string;
  /** How many have been issued. */
  readonly revision?: number;
  readonly nextPrivateKeySecretName?: string;
}
export interface Certificate {
  readonly apiVersion: typeof CERT_MANAGER_API;
  readonly kind: 'Certificate';
  readonly metadata: ObjectMeta;
  readonly spec: CertificateSpec;
  readonly status?: CertificateStatus;
}
export type StoredCertificate = Certificate & { readonly metadata: StoredMeta };

/** A key of a Secret: of the issuer's namespace, or of the Cluster's resource namespace for a ClusterIssuer. */
const SecretKey = object({ name: DnsSubdomain, key: unset('', DataKey.optional()) });

const NOTHING_IS_RUN = { serviceType: 'anything', podTemplate: 'anything' } as const;
/** Whatever it names: all proxies answer, and nothing is made for it. */
const Http01 = object({
  ingress: object(
    {
      class: unset('', DnsSubdomain.optional()),
      ingressClassName: unset('', DnsSubdomain.optional()),
      name: unset('', DnsSubdomain.optional()),
    },
    { ...NOTHING_IS_RUN, ingressTemplate: 'anything' },
  ).optional(),
  gatewayHTTPRoute: object({}, { ...NOTHING_IS_RUN, labels: 'anything', parentRefs: 'anything' }).optional(),
});
/** One entry of a Secret, where {@link SecretKey} has. */
const SecretEntry = object({ name: DnsSubdomain, key: DataKey });
const TSIG_ALGORITHMS = ['HMACMD5', 'HMACSHA1', 'HMACSHA256', 'HMACSHA512'] as const;
/** `host:port`, `[address]:port`, or either without a port. Source: cert-manager, pkg/issuer/acme/dns/util, ValidNameserver. */
const Nameserver = z
  .string()
  .max(260, 'must be no more than 260 characters')
  .regex(
    /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::\d{1,5})?$/,
    'must be a name or an address, with a port where it is not 53; an IPv6 address in brackets',
  );
const Rfc2136 = object({
  nameserver: Nameserver,
  protocol: unset('', z.enum(['TCP', 'UDP']).default('UDP')),
  tsigKeyName: unset('', DnsSubdomain.optional()),
  tsigAlgorithm: unset('', z.enum(TSIG_ALGORITHMS).default('HMACMD5')),
  tsigSecretSecretRef: SecretEntry.optional(),
}).refine(
  ({ tsigKeyName, tsigSecretSecretRef }) => (tsigKeyName === undefined) === (tsigSecretSecretRef === undefined),
  'must have both tsigKeyName and tsigSecretSecretRef, or neither',
);
const Cloudflare = object({
  email: unset('', Text(320).optional()),
  apiTokenSecretRef: SecretEntry.optional(),
  apiKeySecretRef: SecretEntry.optional(),
}).refine(
  ({ email, apiTokenSecretRef, apiKeySecretRef }) =>
    apiTokenSecretRef ? apiKeySecretRef === undefined : apiKeySecretRef !== undefined && email !== undefined,
  'must have apiTokenSecretRef, or apiKeySecretRef with email',
);
const Dns01 = object(
  { rfc2136: Rfc2136.optional(), cloudflare: Cloudflare.optional() },
  {
    cnameStrategy: ['', 'None'],
    acmeDNS: NEVER,
    akamai: NEVER,
    azureDNS: NEVER,
    cloudDNS: NEVER,
    digitalocean: NEVER,
    route53: NEVER,
    webhook: NEVER,
  },
).refine(
  ({ rfc2136, cloudflare }) => (rfc2136 === undefined) !== (cloudflare === undefined),
  'must have one of rfc2136 and cloudflare',
);
export type AcmeDns01 = z.infer<typeof Dns01>;

const Solver = object({
  /** The names that it is for: those that are written, or in a zone; any where none is written. */
  selector: object({
    matchLabels: Labels.optional(),
    dnsNames: z.array(Hostname).max(1000, 'must have at most 1000 entries').default([]),
    dnsZones: z.array(DnsSubdomain).max(1000, 'must have at most 1000 entries').default([]),
  }).optional(),
  http01: Http01.optional(),
  dns01: Dns01.optional(),
}).refine(({ http01, dns01 }) => (http01 === undefined) !== (dns01 === undefined), 'must have one of http01 and dns01');
export type AcmeSolver = z.infer<typeof Solver>;

const MOST_SOLVERS = 100;
const Base64 = z
  .string()
  .max(1024 * 1024, 'must be no more than 1 MiB')
  .regex(/^[A-Za-z0-9+/\s]*={0,2}\s*$/, 'must be base64');
const Acme = object(
  {
    server: Text(2048).refine(isHttps, 'must be an https:// URL without a password'),
    email: unset('', Text(320).optional()),
    /** Where the key of the account is kept; made where it is not there. */
    privateKeySecretRef: SecretKey,
    /** PEM certificates that the server is verified by, instead of the machine's own. */
    caBundle: unset('', Base64.optional()),
    preferredChain: unset('', Text(64).optional()),
    profile: unset('', Text(64).optional()),
    disableAccountKeyGeneration: z.boolean().default(false),
    externalAccountBinding: object(
      { keyID: Text(1024), keySecretRef: SecretKey },
      { keyAlgorithm: ['HS256'] },
    ).optional(),
    solvers: z.array(Solver).max(MOST_SOLVERS, `must have at most ${MOST_SOLVERS} entries`).default([]),
  },
  { skipTLSVerify: [false], enableDurationFeature: [false] },
);
export type AcmeIssuer = z.infer<typeof Acme>;

const IssuerSpec = object(
  {
    acme: Acme.optional(),
    ca: object(
      { secretName: DnsSubdomain },
      { crlDistributionPoints: [[]], ocspServers: [[]], issuingCertificateURLs: [[]] },
    ).optional(),
    selfSigned: object({}).optional(),
  },
  { vault: NEVER, venafi: NEVER },
).refine(
  ({ acme, ca, selfSigned }) => [acme, ca, selfSigned].filter((one) => one !== undefined).length === 1,
  'must have one of acme, ca and selfSigned',
);
export type IssuerSpec = z.infer<typeof IssuerSpec>;

export const IssuerManifest = object({
  apiVersion: z.literal(CERT_MANAGER_API),
  kind: z.literal('Issuer'),
  metadata: ManifestMeta,
  spec: IssuerSpec,
});
export const ClusterIssuerManifest = object({
  apiVersion: z.literal(CERT_MANAGER_API),
  kind: z.literal('ClusterIssuer'),
  metadata: ManifestMeta,
  spec: IssuerSpec,
});
export interface IssuerStatus {
  /** `Ready`. */
  readonly conditions?: readonly Condition[];
  readonly acme?: {
    readonly uri?: string;
    readonly lastRegisteredEmail?: string;
    readonly lastPrivateKeyHash?: string;
  };
}
interface AnyIssuer<K extends 'Issuer' | 'ClusterIssuer'> {
  readonly apiVersion: typeof CERT_MANAGER_API;
  readonly kind: K;
  readonly metadata: ObjectMeta;
  readonly spec: IssuerSpec;
  readonly status?: IssuerStatus;
}
export type Issuer = AnyIssuer<'Issuer'>;
export type ClusterIssuer = AnyIssuer<'ClusterIssuer'>;
export type StoredIssuer = (Issuer | ClusterIssuer) & { readonly metadata: StoredMeta };

function isHttps(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password } = new URL(text);
  return protocol === 'https:' && username === '' && password === '';
}

export type AcmeState = 'pending' | 'ready' | 'processing' | 'valid' | 'invalid' | 'expired';
/** One request to an ACME server, made by a controller, never by Git. Source: types_order.go. */
export interface Order {
  readonly apiVersion: 'acme.cert-manager.io/v1';
  readonly kind: 'Order';
  readonly metadata: ObjectMeta;
  readonly spec: {
    /** PKCS #10 in PEM, base64. */
    readonly request: string;
    readonly issuerRef: IssuerRef;
    readonly commonName?: string;
    readonly dnsNames: readonly string[];
  };
  readonly status?: {
    readonly url?: string;
    readonly finalizeURL?: string;
    readonly authorizations?: readonly { readonly url: string }[];
    readonly state?: AcmeState;
    readonly reason?: string;
  };
}
export type StoredOrder = Order & { readonly metadata: StoredMeta };

/** One name of an Order that the server wants shown, made by a controller, never by Git. Source: types_challenge.go. */
export interface Challenge {
  readonly apiVersion: 'acme.cert-manager.io/v1';
  readonly kind: 'Challenge';
  readonly metadata: ObjectMeta;
  readonly spec: {
    readonly url: string;
    readonly authorizationURL: string;
    /** Lower case, no wildcard. */
    readonly dnsName: string;
    readonly wildcard: boolean;
    readonly type: 'HTTP-01' | 'DNS-01';
    /** base64url, as RFC 8555 has it. */
    readonly token: string;
    /**
     * What is answered at `/.well-known/acme-challenge/TOKEN`, the token and the thumbprint of the account's key; or the text of
     * the TXT record. No secret.
     */
    readonly key: string;
    /** Who serves the name's zone, as its issuer said: what was put there is taken away by it. Of DNS-01. */
    readonly solver?: { readonly dns01: AcmeDns01 };
    readonly issuerRef: IssuerRef;
  };
  readonly status?: {
    /** Whether the server was told to look. */
    readonly processing: boolean;
    /** Whether the proxies of all gateway nodes answer it; of DNS-01, whether its record was made. */
    readonly presented: boolean;
    readonly reason?: string;
    readonly state?: AcmeState;
  };
}
export type StoredChallenge = Challenge & { readonly metadata: StoredMeta };

/** What cert-manager writes on what it makes. Source: pkg/apis/certmanager/v1/types.go. */
export const CERTIFICATE_NAME = 'cert-manager.io/certificate-name';
export const ISSUER_NAME = 'cert-manager.io/issuer-name';
export const ISSUER_KIND = 'cert-manager.io/issuer-kind';
export const ISSUER_GROUP = 'cert-manager.io/issuer-group';
/** On a Challenge for as long as it may have a record. */
export const CHALLENGE_FINALIZER = 'acme.cert-manager.io/finalizer';
/** On Secrets that certificates and keys of accounts are kept in. */
export const FOR_CERT_MANAGER = 'controller.cert-manager.io/fao';
export const NEXT_PRIVATE_KEY = 'cert-manager.io/next-private-key';
