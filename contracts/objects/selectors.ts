/** Label selectors. Source: Kubernetes meta/v1 LabelSelector. */
import { z } from 'zod';
import { atomic, atomicList, LabelValue, object, QualifiedName } from './schema.ts';

export const LabelSelector = atomic(
  object({
    matchLabels: z.record(QualifiedName, LabelValue).optional(),
    matchExpressions: atomicList(
      ['key', 'operator'],
      object({
        key: QualifiedName,
        operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']),
        values: z.array(LabelValue).optional(),
      }),
    ).optional(),
  }),
);
export type LabelSelector = z.infer<typeof LabelSelector>;

export { labelsInclude, selectorMatches } from './label-match.ts';
