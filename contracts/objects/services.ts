/** Service and EndpointSlice. Source: Kubernetes v1 and discovery.k8s.io/v1 API references. */
import { z } from 'zod';
import { ManifestMeta, type Condition, type ObjectMeta, type StoredMeta } from './meta.ts';
import {
  allocated,
  atomic,
  DnsLabel,
  LabelValue,
  listMap,
  NEVER,
  object,
  Port,
  QualifiedName,
  unset,
} from './schema.ts';

export const ServicePort = object({
  name: unset('', DnsLabel.optional()),
  protocol: unset('', z.enum(['TCP', 'UDP']).default('TCP')),
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

export const ServiceSpec = object(
  {
    type: unset('', z.enum(['ClusterIP', 'NodePort']).default('ClusterIP')),
    selector: atomic(z.record(QualifiedName, LabelValue)).optional(),
    /** May be empty for a headless Service only. */
    ports: listMap(['port', 'protocol'], allocated(['nodePort'], ServicePort)).default([]),
    /** Allocated from the cluster's service range when absent; `None` makes a headless Service. */
    clusterIP: unset('', z.union([z.literal('None'), z.ipv4()]).optional()),
    /** The same, as a list of one. */
    clusterIPs: z
      .array(z.union([z.literal('None'), z.ipv4()]))
      .max(1, 'must have one entry: there is one address family')
      .optional(),
    sessionAffinity: unset('', z.enum(['None', 'ClientIP']).default('None')),
    sessionAffinityConfig: object({
      clientIP: object({ timeoutSeconds: z.int().min(1).max(86400).default(10800) }).prefault({}),
    }).optional(),
    publishNotReadyAddresses: z.boolean().default(false),
  },
  {
    allocateLoadBalancerNodePorts: NEVER,
    externalIPs: [[]],
    externalName: [''],
    externalTrafficPolicy: ['', 'Cluster'],
    healthCheckNodePort: [0],
    internalTrafficPolicy: ['Cluster'],
    ipFamilies: [[], ['IPv4']],
    ipFamilyPolicy: ['SingleStack', 'PreferDualStack'],
    loadBalancerClass: NEVER,
    loadBalancerIP: [''],
    loadBalancerSourceRanges: [[]],
    trafficDistribution: NEVER,
  },
)
  .refine((s) => !s.clusterIPs?.length || s.clusterIPs[0] === s.clusterIP, {
    path: ['clusterIPs'],
    message: 'must be the same as clusterIP',
  })
  .transform(({ clusterIPs: _, ...spec }) => spec);
export type ServiceSpec = z.infer<typeof ServiceSpec>;

export const ServiceManifest = object({
  apiVersion: z.literal('v1'),
  kind: z.literal('Service'),
  metadata: ManifestMeta,
  spec: allocated(['clusterIP'], ServiceSpec),
});
export interface Service {
  readonly apiVersion: 'v1';
  readonly kind: 'Service';
  readonly metadata: ObjectMeta;
  readonly spec: ServiceSpec;
  readonly status?: { readonly conditions?: readonly Condition[] };
}
export type StoredService = Service & { readonly metadata: StoredMeta };

/** One endpoint of a slice. `ready` is false while terminating; `serving` tells whether its readiness probe passes. */
export interface Endpoint {
  readonly addresses: readonly string[];
  readonly conditions: { readonly ready: boolean; readonly serving: boolean; readonly terminating: boolean };
  readonly nodeName?: string;
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
  readonly addressType: 'IPv4';
  readonly endpoints: readonly Endpoint[];
  readonly ports: readonly {
    readonly name: string;
    readonly port: number;
    readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  }[];
}
export type StoredEndpointSlice = EndpointSlice & { readonly metadata: StoredMeta };
