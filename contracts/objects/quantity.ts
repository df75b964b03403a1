/**
 * Kubernetes resource quantities (`100m`, `1.5Gi`, `2e3`).
 * Source: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
 */
import { z } from 'zod';

import { QUANTITY_PATTERN } from './quantity-value.ts';

export { parseMilli, parseQuantity, quantityOfMilli, QUANTITY_PATTERN } from './quantity-value.ts';

export const Quantity = z.union([
  z.string().regex(QUANTITY_PATTERN, 'must be a quantity such as 500m, 1.5 or 128Mi'),
  z.number().transform(String),
]);
export type Quantity = string;

export const ResourceList = z.record(z.string(), Quantity);
export type ResourceList = Readonly<Record<string, Quantity>>;
