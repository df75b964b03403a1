/** Service and EndpointSlice. Source: Kubernetes v1 and discovery.k8s.io/v1 API references. */
import { z } from 'zod';
import { canonicalAddress, cidrHas, familyOf, type Family } from '../ip.ts';
import { isAddress, parseAddress, parseRange, rangeHolds, readRange } from '../ipv4.ts';
import { ManifestMeta, type Condition, type ObjectMeta, type StoredMeta } from './meta.ts';
import { allocated, atomic, DnsLabel, LabelValue, listMap, object, Port, QualifiedName, unset } from './schema.ts';

export const ServicePort = object({
  name: unset('', DnsLabel.optional()),
  protocol: unset('', z.enum(['TCP', 'UDP', 'SCTP']).default('TCP')),
  port: Port,
  targetPort: z.preprocess(
    (port) => (port === 0 || port === '' ? undefined : port),
    z.union([Port, DnsLabel]).optional(),
  ),
  nodePort: unset(0, Port.optional()),
  /** Said to whoever reads the Service; nothing is done about it here, nor by Kubernetes itself. */
  appProtocol: QualifiedName.optional(),
}).transform((p) => ({ ...p, targetPort: p.targetPort ?? p.port }));
export type ServicePort = z.infer<typeof ServicePort>;

/** Addresses that name one machine or none. Source: Kubernetes, ValidateNonSpecialIP. */
const SPECIAL_RANGES = ['0.0.0.0/32', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/24'].map(parseRange);
const NonSpecialIPv4 = z
  .ipv4('must be an IPv4 address')
  .refine(
    (text) => !isAddress(text) || !SPECIAL_RANGES.some((range) => rangeHolds(range, parseAddress(text))),
    'may not be unspecified (0.0.0.0), in the loopback range (127.0.0.0/8), or in a link-local range (169.254.0.0/16, 224.0.0.0/24)',
  );

const SPECIAL_RANGES_IPV6 = ['::/128', '::1/128', '::ffff:0:0/96', 'fe80::/10', 'ff02::/16'];
const NonSpecialIPv6 = z
  .ipv6()
  .transform(canonicalAddress)
  .refine(
    (address) => !SPECIAL_RANGES_IPV6.some((range) => cidrHas(range, address)),
    'may not be unspecified (::), loopback (::1), an address of IPv4 (::ffff:0:0/96), or in a link-local range (fe80::/10, ff02::/16)',
  );
/** Of either family, as the kernel writes it. */
export const NonSpecialAddress = z.string().transform((text, context) => {
  const family = familyOf(text);
  const parsed = family && { IPv4: NonSpecialIPv4, IPv6: NonSpecialIPv6 }[family].safeParse(text);
  if (parsed?.success) return parsed.data;
  const messages = parsed?.error.issues.map(({ message }) => message) ?? ['must be an IPv4 or IPv6 address'];
  for (const message of messages) context.issues.push({ code: 'custom', input: text, message });
  return z.NEVER;
});

/** A range of addresses with spaces around it at most. Source: Kubernetes, ValidateService. */
const SourceRange = z
  .string()
  .transform((text) => text.trim())
  .refine((text) => readRange(text) !== undefined, 'must be an IPv4 range such as 10.0.0.0/8');

/** `None`, or an address of either family, as the kernel writes it. */
const ClusterIP = z.union([z.literal('None'), z.ipv4(), z.ipv6().transform(canonicalAddress)]);
const IP_FAMILIES = ['IPv4', 'IPv6'] as const satisfies readonly Family[];

export const TRAFFIC_POLICIES = ['Cluster', 'Local'] as const;
/** `PreferClose` is the older word for `PreferSameZone` (KEP-3015). */
export const TRAFFIC_DISTRIBUTIONS = ['PreferClose', 'PreferSameZone', 'PreferSameNode'] as const;

export const ServiceSpec = object({
  type: unset('', z.enum(['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName']).default('ClusterIP')),
  selector: atomic(z.record(QualifiedName, LabelValue)).optional(),
  /** May be empty for a headless Service only. */
  ports: listMap(['port', 'protocol'], allocated(['nodePort'], ServicePort)).default([]),
  /** Allocated from the cluster's service range when absent; `None` makes a headless Service. */
  clusterIP: unset('', ClusterIP.optional()),
  /** That, and one of the other family where it has both: then it is here, with two entries. */
  clusterIPs: z.array(ClusterIP).max(2, 'may hold two entries at most').optional(),
  /** The first is that of `clusterIP`. What follows where it is absent: ./service-families.ts. */
  ipFamilies: atomic(z.array(z.enum(IP_FAMILIES)).max(2, 'may hold two entries at most')).optional(),
  ipFamilyPolicy: unset('', z.enum(['SingleStack', 'PreferDualStack', 'RequireDualStack']).optional()),
  sessionAffinity: unset('', z.enum(['None', 'ClientIP']).default('None')),
  sessionAffinityConfig: object({
    clientIP: object({ timeoutSeconds: z.int().min(1).max(86400).default(10800) }).prefault({}),
  }).optional(),
  publishNotReadyAddresses: z.boolean().default(false),
  /** Of type ExternalName: the name that this one is an alias of. */
  externalName: unset('', z.string().optional()),
  /** Addresses that lead to nodes by somebody else's doing; what comes for one is the Service's. */
  externalIPs: atomic(z.array(NonSpecialAddress).max(100)).optional(),
  /** Absent: `Cluster`. */
  externalTrafficPolicy: unset('', z.enum(TRAFFIC_POLICIES).optional()),
  /** Absent: `Cluster`. */
  internalTrafficPolicy: z.enum(TRAFFIC_POLICIES).optional(),
  trafficDistribution: z.enum(TRAFFIC_DISTRIBUTIONS).optional(),
  /** Allocated for type LoadBalancer with externalTrafficPolicy Local. */
  healthCheckNodePort: unset(0, Port.optional()),
  /** Absent: true. */
  allocateLoadBalancerNodePorts: z.boolean().optional(),
  /** Absent: Plumbline's own pools. */
  loadBalancerClass: QualifiedName.optional(),
  loadBalancerIP: unset('', NonSpecialIPv4.optional()),
  loadBalancerSourceRanges: atomic(z.array(SourceRange).max(1000)).optional(),
})
  .refine((s) => !s.clusterIPs?.length || s.clusterIPs[0] === s.clusterIP, {
    path: ['clusterIPs'],
    message: 'must be the same as clusterIP',
  })
  .transform(({ clusterIPs, ipFamilies, ...spec }) => ({
    ...spec,
    ...(clusterIPs?.length === 2 && { clusterIPs }),
    ...(ipFamilies?.length && { ipFamilies }),
  }));
export type ServiceSpec = z.infer<typeof ServiceSpec>;

export const ServiceManifest = object({
  apiVersion: z.literal('v1'),
  kind: z.literal('Service'),
  metadata: ManifestMeta,
  spec: allocated(['clusterIP', 'clusterIPs', 'healthCheckNodePort'], ServiceSpec),
});

/** An address that leads to a Service from outside. */
export interface LoadBalancerIngress {
  readonly ip: string;
  /** `VIP`: packets arrive at a node with this address as their destination. */
  readonly ipMode?: 'VIP';
}
export interface ServiceStatus {
  readonly conditions?: readonly Condition[];
  readonly loadBalancer?: { readonly ingress?: readonly LoadBalancerIngress[] };
}
export interface Service {
  readonly apiVersion: 'v1';
  readonly kind: 'Service';
  readonly metadata: ObjectMeta;
  readonly spec: ServiceSpec;
  readonly status?: ServiceStatus;
}
export type StoredService = Service & { readonly metadata: StoredMeta };

/** One endpoint of a slice. `ready` is false while terminating; `serving` tells whether its readiness probe passes. */
export interface Endpoint {
  readonly addresses: readonly string[];
  readonly conditions: { readonly ready: boolean; readonly serving: boolean; readonly terminating: boolean };
  readonly nodeName?: string | undefined;
  /** Of the node. Here only where the Service prefers one zone or node, or a manifest says it. */
  readonly zone?: string | undefined;
  /** From where it is to be used, where its Service prefers near ones. */
  readonly hints?:
    | {
        readonly forZones?: readonly { readonly name: string }[] | undefined;
        readonly forNodes?: readonly { readonly name: string }[] | undefined;
      }
    | undefined;
  /** What the endpoint is called below its Service's name. */
  readonly hostname?: string | undefined;
  readonly targetRef?: {
    readonly kind: 'Pod';
    readonly namespace: string;
    readonly name: string;
    readonly uid: string;
  };
}

/** The endpoints of one Service (label `kubernetes.io/service-name`), ports already resolved to numbers. */
export interface EndpointSlice {
  readonly apiVersion: 'discovery.k8s.io/v1';
  readonly kind: 'EndpointSlice';
  readonly metadata: ObjectMeta;
  readonly addressType: Family;
  readonly endpoints: readonly Endpoint[];
  readonly ports: readonly {
    readonly name: string;
    readonly port: number;
    readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  }[];
}
export type StoredEndpointSlice = EndpointSlice & { readonly metadata: StoredMeta };
