/** ResourceQuota. Source: Kubernetes v1 API reference. */
import { z } from 'zod';
import { ManifestMeta, type ObjectMeta, type StoredMeta } from './meta.ts';
import { ResourceList } from './quantity.ts';
import { atomic, listSet, object } from './schema.ts';

/** Which pods a quota is about. `VolumeAttributesClass` is none of them: there are no such classes here. */
export const QuotaScope = z.enum([
  'Terminating',
  'NotTerminating',
  'BestEffort',
  'NotBestEffort',
  'PriorityClass',
  'CrossNamespacePodAffinity',
]);
export type QuotaScope = z.infer<typeof QuotaScope>;

const ScopeRequirement = object({
  scopeName: QuotaScope,
  operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']),
  values: z.array(z.string()).optional(),
});
export type ScopeRequirement = z.infer<typeof ScopeRequirement>;

const ResourceQuotaSpec = object({
  /** The most that there may be of each resource, in the quota's namespace. */
  hard: ResourceList.default({}),
  /** All of them have to match. */
  scopes: listSet(QuotaScope).optional(),
  scopeSelector: atomic(object({ matchExpressions: z.array(ScopeRequirement).default([]) })).optional(),
});
export type ResourceQuotaSpec = z.infer<typeof ResourceQuotaSpec>;

export const ResourceQuotaManifest = object({
  apiVersion: z.literal('v1'),
  kind: z.literal('ResourceQuota'),
  metadata: ManifestMeta,
  spec: ResourceQuotaSpec.prefault({}),
});

/** What a write that is under way takes: written before it, so that no other takes the same room. */
export interface QuotaBooking {
  /** resourceVersion of the object that is changed; absent where it is made. */
  readonly base?: string;
  /** Where it is made: the newest resourceVersion that whoever books had seen. */
  readonly since?: string;
  readonly at: string;
  /** What the object uses after the write. */
  readonly uses: ResourceList;
}
export interface ResourceQuotaStatus {
  readonly hard: ResourceList;
  /** What is there and what is booked. */
  readonly used: ResourceList;
  /** By the key of the object. */
  readonly booked?: Readonly<Record<string, QuotaBooking>>;
}
export interface ResourceQuota {
  readonly apiVersion: 'v1';
  readonly kind: 'ResourceQuota';
  readonly metadata: ObjectMeta;
  readonly spec: ResourceQuotaSpec;
  readonly status?: ResourceQuotaStatus;
}
export type StoredResourceQuota = ResourceQuota & { readonly metadata: StoredMeta };
