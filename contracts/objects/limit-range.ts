/** LimitRange. Source: Kubernetes v1 API reference; its defaults: pkg/apis/core/v1/defaults.go (SetDefaults_LimitRangeItem). */
import { z } from 'zod';
import { ManifestMeta, type ObjectMeta, type StoredMeta } from './meta.ts';
import { ResourceList } from './quantity.ts';
import { object } from './schema.ts';

const LimitRangeItemShape = object({
  type: z.enum(['Container', 'Pod', 'PersistentVolumeClaim']),
  max: ResourceList.optional(),
  min: ResourceList.optional(),
  /** Limits of a container that says none. */
  default: ResourceList.optional(),
  /** Requests of a container that says none. */
  defaultRequest: ResourceList.optional(),
  /** The most that a limit may be of the request, as a factor. */
  maxLimitRequestRatio: ResourceList.optional(),
});

/** A container's limit is by default the most that it may be, and its request the limit, else the least. */
export const LimitRangeItem = LimitRangeItemShape.transform((item) => {
  if (item.type !== 'Container') return item;
  const limits = { ...item.max, ...item.default };
  return { ...item, default: limits, defaultRequest: { ...item.min, ...limits, ...item.defaultRequest } };
});
export type LimitRangeItem = z.infer<typeof LimitRangeItem>;

export const LimitRangeManifest = object({
  apiVersion: z.literal('v1'),
  kind: z.literal('LimitRange'),
  metadata: ManifestMeta,
  spec: object({ limits: z.array(LimitRangeItem) }),
});
export interface LimitRange {
  readonly apiVersion: 'v1';
  readonly kind: 'LimitRange';
  readonly metadata: ObjectMeta;
  readonly spec: { readonly limits: readonly LimitRangeItem[] };
}
export type StoredLimitRange = LimitRange & { readonly metadata: StoredMeta };
