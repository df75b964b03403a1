/**
 * Pools of addresses for Services of type LoadBalancer, and who announces them. The kinds are MetalLB's, as people have
 * them in their repositories. Source: metallb.io/v1beta1 API reference.
 */
import { z } from 'zod';
import { addressBlock } from '../ipv4.ts';
import { ManifestMeta, type ObjectMeta } from './meta.ts';
import { DnsLabel, DnsSubdomain, int32, object } from './schema.ts';
import { LabelSelector } from './selectors.ts';

export const LOAD_BALANCER_API = 'metallb.io/v1beta1';

/** `192.0.2.0/28` or `192.0.2.10-192.0.2.20`. */
const AddressBlock = z
  .string()
  .max(64)
  .refine(
    (text) => addressBlock(text) !== undefined,
    'must be a range of IPv4 addresses such as 192.0.2.0/28 or 192.0.2.10-192.0.2.20',
  );
const Selectors = z.array(LabelSelector).max(100);

const IPAddressPoolSpec = object({
  addresses: z.array(AddressBlock).min(1, 'must have at least one range of addresses').max(1000),
  /** Whether a Service that asks for nothing may have an address of it. */
  autoAssign: z.boolean().default(true),
  /** Leaves out addresses that end in .0 and .255. */
  avoidBuggyIPs: z.boolean().default(false),
  /** For some Services only: those of these namespaces that one of the selectors matches. */
  serviceAllocation: object({
    /** Lower is tried first; 0 last. */
    priority: int32(0).default(0),
    namespaces: z.array(DnsLabel).max(1000).optional(),
    namespaceSelectors: Selectors.optional(),
    serviceSelectors: Selectors.optional(),
  }).optional(),
});
export const IPAddressPoolManifest = object({
  apiVersion: z.literal(LOAD_BALANCER_API),
  kind: z.literal('IPAddressPool'),
  metadata: ManifestMeta,
  spec: IPAddressPoolSpec,
});
export interface IPAddressPool {
  readonly apiVersion: typeof LOAD_BALANCER_API;
  readonly kind: 'IPAddressPool';
  readonly metadata: ObjectMeta;
  readonly spec: z.infer<typeof IPAddressPoolSpec>;
}

const L2AdvertisementSpec = object({
  /** Absent, with no selectors: all pools. */
  ipAddressPools: z.array(DnsSubdomain).max(1000).optional(),
  ipAddressPoolSelectors: Selectors.optional(),
  /** Nodes that may hold the addresses: those that one of these matches; absent: all. */
  nodeSelectors: Selectors.optional(),
  /** Network devices at which they are announced; absent: that of the address by which nodes reach each other. */
  interfaces: z.array(z.string().min(1).max(15)).max(100).optional(),
});
export const L2AdvertisementManifest = object({
  apiVersion: z.literal(LOAD_BALANCER_API),
  kind: z.literal('L2Advertisement'),
  metadata: ManifestMeta,
  spec: L2AdvertisementSpec.prefault({}),
});
export interface L2Advertisement {
  readonly apiVersion: typeof LOAD_BALANCER_API;
  readonly kind: 'L2Advertisement';
  readonly metadata: ObjectMeta;
  readonly spec: z.infer<typeof L2AdvertisementSpec>;
}
