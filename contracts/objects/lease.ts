/** Lease: who holds something, as data. Source: Kubernetes coordination.k8s.io/v1 API reference. */
import { z } from 'zod';
import { ManifestMeta, type ObjectMeta } from './meta.ts';
import { int32, NEVER, object, Timestamp } from './schema.ts';

const LeaseSpec = object(
  {
    holderIdentity: z.string().optional(),
    leaseDurationSeconds: int32(1).optional(),
    acquireTime: Timestamp.optional(),
    renewTime: Timestamp.optional(),
    leaseTransitions: int32(0).optional(),
  },
  { preferredHolder: NEVER, strategy: NEVER },
);
export const LeaseManifest = object({
  apiVersion: z.literal('coordination.k8s.io/v1'),
  kind: z.literal('Lease'),
  metadata: ManifestMeta,
  spec: LeaseSpec.prefault({}),
});
export interface Lease {
  readonly apiVersion: 'coordination.k8s.io/v1';
  readonly kind: 'Lease';
  readonly metadata: ObjectMeta;
  readonly spec: z.infer<typeof LeaseSpec>;
}
