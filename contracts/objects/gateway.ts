/**
 * GatewayClass, Gateway and ReferenceGrant, gateway.networking.k8s.io. Source: Gateway API, apis/v1 (gateway_types.go,
 * gatewayclass_types.go, referencegrant_types.go) and its CRDs of the standard channel.
 */
import { z } from 'zod';
import { ManifestMeta, type Condition, type ObjectMeta, type StoredMeta } from './meta.ts';
import {
  controllerOfClass,
  atomicList,
  DnsLabel,
  DnsSubdomain,
  listMap,
  NEVER,
  object,
  Port,
  QualifiedName,
  unset,
} from './schema.ts';
import { LabelSelector } from './selectors.ts';

export const GATEWAY_GROUP = 'gateway.networking.k8s.io';
/** `spec.controllerName` of classes that are served here. */
export const GATEWAY_CONTROLLER = 'plumbline.dev/gateway';

/** A host name, or one behind a wildcard label. IP addresses are none. */
export const Hostname = z
  .string()
  .max(253, 'must be no more than 253 characters')
  .regex(
    /^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/,
    'must be a DNS name in lower case, which may begin with `*.`',
  )
  .refine((name) => !z.ipv4().safeParse(name).success, 'must be a DNS name, not an IP address');
/** Without a wildcard. */
export const PreciseHostname = DnsSubdomain.refine(
  (name) => !z.ipv4().safeParse(name).success,
  'must be a DNS name, not an IP address',
);
export const SectionName = DnsSubdomain;
const Group = z.union([z.literal(''), DnsSubdomain]);
const KindWord = z
  .string()
  .max(63, 'must be no more than 63 characters')
  .regex(/^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$/, 'must be the name of a kind');

/** What a reference by group and kind leads to, in the object's own namespace unless it says another one. */
export function referenceTo<G extends string, K extends string>(group: G, kind: K) {
  return object({
    group: Group.default(group),
    kind: KindWord.default(kind),
    namespace: DnsLabel.optional(),
    name: DnsSubdomain,
  });
}

const RouteKind = object({ group: Group.default(GATEWAY_GROUP), kind: KindWord });
export type RouteKind = z.infer<typeof RouteKind>;

const MOST_CERTIFICATES = 64;
const ListenerTls = object(
  {
    mode: z.enum(['Terminate', 'Passthrough']).default('Terminate'),
    certificateRefs: z.array(referenceTo('', 'Secret')).max(MOST_CERTIFICATES).default([]),
  },
  { options: [{}] },
);

const Listener = object({
  name: SectionName,
  /** Any host name when absent. */
  hostname: unset('', Hostname.optional()),
  port: Port,
  /** In capitals; Kubernetes takes any case. One of another domain is told in the status. */
  protocol: z
    .string()
    .max(255, 'must be no more than 255 characters')
    .regex(
      /^[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?$|^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/[A-Za-z0-9]+$/,
      'must be HTTP, HTTPS, TLS, TCP or a name with a domain in front',
    )
    .transform((word) => (word.includes('/') ? word : word.toUpperCase())),
  tls: ListenerTls.optional(),
  allowedRoutes: object({
    namespaces: object({
      from: z.enum(['All', 'Selector', 'Same']).default('Same'),
      selector: LabelSelector.optional(),
    }).prefault({}),
    /** Those of the protocol when empty. */
    kinds: z.array(RouteKind).max(8, 'must have at most 8 entries').default([]),
  }).prefault({}),
});
export type Listener = z.infer<typeof Listener>;

export const GatewaySpec = object(
  {
    gatewayClassName: DnsSubdomain,
    listeners: listMap(['name'], Listener)
      .min(1, 'must have at least one entry')
      .max(64, 'must have at most 64 entries'),
    /** Addresses of gateway nodes: the listeners are on these nodes alone. On all when there is none. */
    addresses: z
      .array(
        object({
          type: z.string().max(253, 'must be no more than 253 characters').default('IPAddress'),
          value: unset('', z.string().max(253, 'must be no more than 253 characters').optional()),
        }),
      )
      .max(16, 'must have at most 16 entries')
      .default([]),
    /** Labels and annotations are for objects that are made for a Gateway; here none is. */
    infrastructure: object(
      {
        labels: z.record(QualifiedName, z.string()).optional(),
        annotations: z.record(z.string(), z.string()).optional(),
      },
      { parametersRef: NEVER },
    ).optional(),
  },
  {
    allowedListeners: [{}, { namespaces: {} }, { namespaces: { from: 'None' } }],
    tls: [{}],
    defaultScope: ['', 'None'],
  },
);
export type GatewaySpec = z.infer<typeof GatewaySpec>;

export const GatewayManifest = object({
  apiVersion: z.literal('gateway.networking.k8s.io/v1'),
  kind: z.literal('Gateway'),
  metadata: ManifestMeta,
  spec: GatewaySpec,
});
export interface ListenerStatus {
  readonly name: string;
  readonly supportedKinds: readonly RouteKind[];
  readonly attachedRoutes: number;
  readonly conditions: readonly Condition[];
}
export interface GatewayStatus {
  readonly addresses?: readonly { readonly type: 'IPAddress'; readonly value: string }[];
  readonly conditions?: readonly Condition[];
  readonly listeners?: readonly ListenerStatus[];
}
export interface Gateway {
  readonly apiVersion: 'gateway.networking.k8s.io/v1';
  readonly kind: 'Gateway';
  readonly metadata: ObjectMeta;
  readonly spec: GatewaySpec;
  readonly status?: GatewayStatus;
}
export type StoredGateway = Gateway & { readonly metadata: StoredMeta };

const GatewayClassSpec = object({
  controllerName: controllerOfClass(253, 'gateway'),
  description: z.string().max(64, 'must be no more than 64 characters').optional(),
  /** Of another controller. One of ours has none, and says so in its status. */
  parametersRef: object({
    group: Group,
    kind: KindWord,
    name: z.string().min(1, 'must not be empty').max(253, 'must be no more than 253 characters'),
    namespace: DnsLabel.optional(),
  }).optional(),
});
export const GatewayClassManifest = object({
  apiVersion: z.literal('gateway.networking.k8s.io/v1'),
  kind: z.literal('GatewayClass'),
  metadata: ManifestMeta,
  spec: GatewayClassSpec,
});
export interface GatewayClass {
  readonly apiVersion: 'gateway.networking.k8s.io/v1';
  readonly kind: 'GatewayClass';
  readonly metadata: ObjectMeta;
  readonly spec: z.infer<typeof GatewayClassSpec>;
  readonly status?: { readonly conditions?: readonly Condition[] };
}
export type StoredGatewayClass = GatewayClass & { readonly metadata: StoredMeta };

const ReferenceGrantSpec = object({
  from: atomicList(
    ['group', 'kind', 'namespace'],
    object({ group: Group.default(''), kind: KindWord, namespace: DnsLabel }),
  )
    .min(1, 'must have at least one entry')
    .max(16, 'must have at most 16 entries'),
  to: atomicList(
    ['group', 'kind', 'name'],
    object({ group: Group.default(''), kind: KindWord, name: unset('', DnsSubdomain.optional()) }),
  )
    .min(1, 'must have at least one entry')
    .max(16, 'must have at most 16 entries'),
});
export const ReferenceGrantManifest = object({
  apiVersion: z.literal('gateway.networking.k8s.io/v1beta1'),
  kind: z.literal('ReferenceGrant'),
  metadata: ManifestMeta,
  spec: ReferenceGrantSpec,
});
/** Lets objects of other namespaces name objects of its own. */
export interface ReferenceGrant {
  readonly apiVersion: 'gateway.networking.k8s.io/v1beta1';
  readonly kind: 'ReferenceGrant';
  readonly metadata: ObjectMeta;
  readonly spec: z.infer<typeof ReferenceGrantSpec>;
}
export type StoredReferenceGrant = ReferenceGrant & { readonly metadata: StoredMeta };
