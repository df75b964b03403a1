/**
 * Certificates that an Ingress or a Gateway asks for by an annotation. Source: cert-manager, pkg/controller/certificate-shim
 * (sync.go, helper.go).
 */
import {
  CERT_MANAGER_API,
  CERT_MANAGER_GROUP,
  CertificateSpec,
  readKey,
  USAGES,
  type Certificate,
  type StoredGateway,
  type StoredIngress,
} from '../../../contracts/objects/index.ts';
import { controllerRef } from '../workloads/owners.ts';

const ISSUER = 'cert-manager.io/issuer';
const CLUSTER_ISSUER = 'cert-manager.io/cluster-issuer';
const KIND = 'cert-manager.io/issuer-kind';
const GROUP = 'cert-manager.io/issuer-group';

export interface Asked {
  readonly certificates: readonly Certificate[];
  /** What is not asked for as it is written. */
  readonly problems: readonly string[];
}

const NOTHING: Asked = { certificates: [], problems: [] };

export function certificatesOf(owner: StoredIngress | StoredGateway): Asked {
  const { annotations = {} } = owner.metadata;
  const issuer = annotations[ISSUER];
  const clusterIssuer = annotations[CLUSTER_ISSUER];
  if ((issuer ?? '') === '' && (clusterIssuer ?? '') === '') return NOTHING;
  if (issuer !== undefined && clusterIssuer !== undefined)
    return problem(`both ${ISSUER} and ${CLUSTER_ISSUER} may not be set`);
  const issuerRef = {
    name: clusterIssuer ?? issuer,
    kind: clusterIssuer === undefined ? (annotations[KIND] ?? 'Issuer') : 'ClusterIssuer',
    group: annotations[GROUP] ?? CERT_MANAGER_GROUP,
  };
  const blocks = owner.kind === 'Ingress' ? ingressBlocks(owner) : gatewayBlocks(owner);
  const problems = [...blocks.problems];
  const certificates = [...blocks.hosts].flatMap(([secretName, hosts]): Certificate[] => {
    const parsed = CertificateSpec.safeParse({ secretName, dnsNames: hosts, issuerRef, ...fields(annotations) });
    if (!parsed.success) {
      const [first] = parsed.error.issues;
      problems.push(`Certificate ${secretName}: ${first?.path.join('.') ?? 'spec'} ${first?.message ?? 'is invalid'}`);
      return [];
    }
    const { namespace, labels } = owner.metadata;
    return [
      {
        apiVersion: CERT_MANAGER_API,
        kind: 'Certificate',
        metadata: {
          name: secretName,
          ...(namespace !== undefined && { namespace }),
          ...(labels && { labels }),
          ownerReferences: [controllerRef(owner)],
        },
        spec: parsed.data,
      },
    ];
  });
  return { certificates, problems };
}

interface Blocks {
  /** Host names by Secret. */
  readonly hosts: ReadonlyMap<string, readonly string[]>;
  readonly problems: readonly string[];
}

function ingressBlocks({ spec }: StoredIngress): Blocks {
  const hosts = new Map<string, readonly string[]>();
  const problems: string[] = [];
  spec.tls.forEach(({ hosts: names, secretName }, index) => {
    const skipped = `skipped spec.tls[${index}]: `;
    if (secretName === undefined) problems.push(`${skipped}it has no secretName`);
    else if (names.length === 0) problems.push(`${skipped}it has no hosts`);
    else if (hosts.has(secretName)) problems.push(`${skipped}another one has the secretName ${secretName}`);
    else hosts.set(secretName, names);
  });
  return { hosts, problems };
}

function gatewayBlocks({ metadata, spec }: StoredGateway): Blocks {
  const hosts = new Map<string, readonly string[]>();
  const problems: string[] = [];
  for (const { name, hostname, protocol, tls } of spec.listeners) {
    if (tls?.mode !== 'Terminate' || !['HTTPS', 'TLS'].includes(protocol)) continue;
    const skipped = `skipped listener ${name}: `;
    if (hostname === undefined) {
      problems.push(`${skipped}it has no hostname`);
      continue;
    }
    for (const { group, kind, namespace = metadata.namespace, name: secretName } of tls.certificateRefs) {
      if (group !== '' || kind !== 'Secret') problems.push(`${skipped}${kind} is no kind that certificates are of`);
      else if (namespace !== metadata.namespace)
        problems.push(`${skipped}Secret ${secretName} is of another namespace`);
      else hosts.set(secretName, [...new Set([...(hosts.get(secretName) ?? []), hostname])]);
    }
  }
  return { hosts, problems };
}

/** What annotations say of the Certificates, as fields; what is no value of them is refused by the schema. */
function fields(annotations: Readonly<Record<string, string>>): object {
  const of = (name: string): string | undefined => readKey(annotations, `cert-manager.io/${name}`);
  const list = (name: string): readonly string[] | undefined =>
    of(name)
      ?.split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '');
  const size = of('private-key-size');
  const privateKey = {
    algorithm: of('private-key-algorithm'),
    encoding: of('private-key-encoding'),
    rotationPolicy: of('private-key-rotation-policy'),
    size: size === undefined ? undefined : Number(size),
  };
  const subject = {
    organizations: list('subject-organizations'),
    organizationalUnits: list('subject-organizationalunits'),
    countries: list('subject-countries'),
    provinces: list('subject-provinces'),
    localities: list('subject-localities'),
    streetAddresses: list('subject-streetaddresses'),
    postalCodes: list('subject-postalcodes'),
    serialNumber: of('subject-serialnumber'),
  };
  return {
    commonName: of('common-name'),
    duration: of('duration'),
    renewBefore: of('renew-before'),
    // A list of the schema's own words; any other is refused there.
    usages: list('usages') ?? [USAGES[1], USAGES[3]],
    emailAddresses: list('email-sans') ?? [],
    privateKey,
    ...(Object.values(subject).some((value) => value !== undefined) && { subject }),
  };
}

function problem(text: string): Asked {
  return { certificates: [], problems: [text] };
}
