/**
 * Endpoints that a manifest lists by hand, for Services without a selector. Source: Kubernetes discovery.k8s.io/v1 and v1
 * API references; bounds: pkg/apis/discovery/validation.
 */
import { z } from 'zod';
import { FAMILIES, familyOf } from '../ip.ts';
import { ManifestMeta, type ObjectMeta } from './meta.ts';
import { atomic, DnsLabel, DnsSubdomain, LabelValue, object, Port, QualifiedName, unset } from './schema.ts';
import { NonSpecialAddress } from './services.ts';

const Protocol = unset('', z.enum(['TCP', 'UDP', 'SCTP']).default('TCP'));
const Named = z.array(object({ name: LabelValue.min(1) })).max(8);

const EndpointEntry = object(
  {
    addresses: z.array(NonSpecialAddress).min(1, 'must have at least one address').max(100),
    conditions: object({
      ready: z.boolean().default(true),
      serving: z.boolean().optional(),
      terminating: z.boolean().default(false),
    }).prefault({}),
    hostname: unset('', DnsLabel.optional()),
    nodeName: DnsSubdomain.optional(),
    zone: LabelValue.optional(),
    hints: object({ forZones: Named.optional(), forNodes: Named.optional() }).optional(),
  },
  // Told to people only: an endpoint of a manifest is no pod of ours.
  { targetRef: 'anything', deprecatedTopology: 'anything' },
).transform(({ conditions, ...rest }) => ({
  ...rest,
  conditions: { ...conditions, serving: conditions.serving ?? conditions.ready },
}));

export const EndpointSliceManifest = object({
  apiVersion: z.literal('discovery.k8s.io/v1'),
  kind: z.literal('EndpointSlice'),
  metadata: ManifestMeta,
  addressType: z.enum(FAMILIES),
  endpoints: atomic(z.array(EndpointEntry).max(1000)).default([]),
  ports: atomic(
    z
      .array(
        object(
          { name: z.union([z.literal(''), DnsLabel]).default(''), protocol: Protocol, port: Port },
          { appProtocol: 'anything' },
        ),
      )
      .max(100),
  ).default([]),
}).superRefine(({ addressType, endpoints }, context) => {
  for (const [i, { addresses }] of endpoints.entries())
    for (const [j, address] of addresses.entries())
      if (familyOf(address) !== addressType)
        context.addIssue({
          code: 'custom',
          path: ['endpoints', i, 'addresses', j],
          message: `must be an address of ${addressType}, as addressType says`,
        });
});

const SubsetAddress = object(
  { ip: NonSpecialAddress, hostname: unset('', DnsLabel.optional()), nodeName: DnsSubdomain.optional() },
  { targetRef: 'anything' },
);
const SubsetPort = object({
  name: unset('', DnsLabel.optional()),
  port: Port,
  protocol: Protocol,
  appProtocol: QualifiedName.optional(),
});
const Subset = object({
  addresses: z.array(SubsetAddress).max(1000).default([]),
  notReadyAddresses: z.array(SubsetAddress).max(1000).default([]),
  ports: z.array(SubsetPort).max(100).default([]),
});
export type EndpointsSubset = z.infer<typeof Subset>;

export const EndpointsManifest = object({
  apiVersion: z.literal('v1'),
  kind: z.literal('Endpoints'),
  metadata: ManifestMeta,
  subsets: atomic(z.array(Subset).max(100)).default([]),
});
export interface Endpoints {
  readonly apiVersion: 'v1';
  readonly kind: 'Endpoints';
  readonly metadata: ObjectMeta;
  readonly subsets: readonly EndpointsSubset[];
}
