/** What a pod is told of itself. Source: Kubernetes v1 API reference, ObjectFieldSelector and ResourceFieldSelector. */
import { z } from 'zod';
import { Quantity } from './quantity.ts';
import { atomic, DnsLabel, object, unset } from './schema.ts';

/** A field of the pod. Which: `reconciler/core/manifests/checks/check-downward.ts`. */
export const FieldRef = atomic(object({ fieldPath: z.string(), apiVersion: unset('', z.literal('v1').default('v1')) }));

/** A container's request or limit, in whole divisors, rounded up. A divisor of 0 is 1. */
export const ResourceFieldRef = atomic(
  object({
    /** Absent in an environment: its own container. */
    containerName: unset('', DnsLabel.optional()),
    resource: z.string().min(1),
    divisor: Quantity.optional(),
  }),
);
export type ResourceFieldRef = z.infer<typeof ResourceFieldRef>;
