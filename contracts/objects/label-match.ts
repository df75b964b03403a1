/** Whether labels satisfy a selector. Free of schemas: a node agent uses it. Source: Kubernetes meta/v1 LabelSelector. */
import { readKey } from './own-key.ts';

/** A LabelSelector's shape, without its schema. */
export interface Selector {
  readonly matchLabels?: Readonly<Record<string, string>> | undefined;
  readonly matchExpressions?:
    | readonly {
        readonly key: string;
        readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
        readonly values?: readonly string[] | undefined;
      }[]
    | undefined;
}

type LabelSet = Readonly<Record<string, string>> | undefined;

/** Whether `labels` satisfy the selector; an empty selector matches everything, as in Kubernetes. */
export function selectorMatches(selector: Selector, labels: LabelSet): boolean {
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
