/** Label selectors. Source: Kubernetes meta/v1 LabelSelector. */
import { z } from 'zod';
import { readKey } from './own-key.ts';
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

type LabelSet = Readonly<Record<string, string>> | undefined;

/** Whether `labels` satisfy the selector; an empty selector matches everything, as in Kubernetes. */
export function selectorMatches(selector: LabelSelector, labels: LabelSet): boolean {
  return (
    labelsInclude(labels, selector.matchLabels) &&
    (selector.matchExpressions ?? []).every((e) => {
      const value = readKey(labels, e.key);
      switch (e.operator) {
        case 'In':
          return value !== undefined && (e.values ?? []).includes(value);
        case 'NotIn':
          return value === undefined || !(e.values ?? []).includes(value);
        case 'Exists':
          return value !== undefined;
        case 'DoesNotExist':
          return value === undefined;
      }
    })
  );
}

/** Whether `labels` contain every pair of `wanted` (a Service's selector, a nodeSelector). */
export function labelsInclude(labels: LabelSet, wanted: LabelSet): boolean {
  return Object.entries(wanted ?? {}).every(([key, value]) => readKey(labels, key) === value);
}
