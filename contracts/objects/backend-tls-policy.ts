/**
 * BackendTLSPolicy, gateway.networking.k8s.io: a Service is spoken to in TLS, and what its certificate is held against.
 * Source: Gateway API, apis/v1 (backendtlspolicy_types.go). The bounds are theirs.
 */
import { z } from 'zod';
import { PreciseHostname, SectionName, type Gateway } from './gateway.ts';
import { ManifestMeta, type Condition, type ObjectMeta, type StoredMeta } from './meta.ts';
import { DnsSubdomain, NEVER, object, unset } from './schema.ts';

const word = z.string().max(253, 'must be no more than 253 characters');
const Target = object({
  group: word,
  kind: word.min(1, 'must not be empty'),
  name: DnsSubdomain,
  /** The name of a port. */
  sectionName: unset('', SectionName.optional()),
});
const MOST_TARGETS = 16;
const MOST_AUTHORITIES = 8;

const Validation = object(
  {
    caCertificateRefs: z
      .array(object({ group: word, kind: word.min(1, 'must not be empty'), name: DnsSubdomain }))
      .max(MOST_AUTHORITIES, `must have at most ${MOST_AUTHORITIES} entries`)
      .default([]),
    wellKnownCACertificates: unset('', z.enum(['System']).optional()),
    /** Asked for by SNI, and verified. */
    hostname: PreciseHostname,
  },
  { subjectAltNames: NEVER },
).refine(
  ({ caCertificateRefs, wellKnownCACertificates }) =>
    caCertificateRefs.length > 0 !== (wellKnownCACertificates !== undefined),
  'must have either caCertificateRefs or wellKnownCACertificates',
);

export const BackendTLSPolicyManifest = object({
  apiVersion: z.literal('gateway.networking.k8s.io/v1'),
  kind: z.literal('BackendTLSPolicy'),
  metadata: ManifestMeta,
  spec: object(
    {
      targetRefs: z
        .array(Target)
        .min(1, 'must have at least one entry')
        .max(MOST_TARGETS, `must have at most ${MOST_TARGETS} entries`),
      validation: Validation,
    },
    { options: NEVER },
  ),
});

/** How it is at a Gateway, as that Gateway's controller says. */
export interface PolicyAncestorStatus {
  readonly ancestorRef: {
    readonly group: string;
    readonly kind: Gateway['kind'];
    readonly namespace: string;
    readonly name: string;
  };
  readonly controllerName: string;
  readonly conditions: readonly Condition[];
}
export interface BackendTLSPolicy {
  readonly apiVersion: 'gateway.networking.k8s.io/v1';
  readonly kind: 'BackendTLSPolicy';
  readonly metadata: ObjectMeta;
  readonly spec: z.infer<typeof BackendTLSPolicyManifest>['spec'];
  readonly status?: { readonly ancestors: readonly PolicyAncestorStatus[] };
}
export type StoredBackendTLSPolicy = BackendTLSPolicy & { readonly metadata: StoredMeta };
