/** ResourceQuota. Source: Kubernetes v1 API reference. */
import { z } from 'zod';
import { ManifestMeta, type ObjectMeta, type StoredMeta } from './meta.ts';
import { ResourceList } from './quantity.ts';
import { NEVER, object } from './schema.ts';

export const ResourceQuotaManifest = object({
  apiVersion: z.literal('v1'),
  kind: z.literal('ResourceQuota'),
  metadata: ManifestMeta,
  /** `hard`: the most that there may be of each resource, in the quota's namespace. */
  spec: object({ hard: ResourceList.default({}) }, { scopes: [[]], scopeSelector: NEVER }).prefault({}),
});
export interface ResourceQuota {
  readonly apiVersion: 'v1';
  readonly kind: 'ResourceQuota';
  readonly metadata: ObjectMeta;
  readonly spec: { readonly hard: ResourceList };
  readonly status?: { readonly hard: ResourceList; readonly used: ResourceList };
}
export type StoredResourceQuota = ResourceQuota & { readonly metadata: StoredMeta };
