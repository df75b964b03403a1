/**
 * Node selector terms, and what a pod requires of its node. Free of schemas: a node agent uses it. Source: Kubernetes
 * v1 API reference, NodeSelectorTerm.
 */
import { readKey } from './own-key.ts';
import type { NodeSelectorRequirement, NodeSelectorTerm } from './placement.ts';
import type { PodSpec } from './pod.ts';

type Labels = Readonly<Record<string, string>>;

/** All requirements of the term hold; a term without any matches no node. */
export function termMatches(term: NodeSelectorTerm, name: string, labels: Labels): boolean {
  const { matchExpressions = [], matchFields = [] } = term;
  if (matchExpressions.length === 0 && matchFields.length === 0) return false;
  return (
    matchFields.every((field) => field.values?.includes(name) === (field.operator === 'In')) &&
    matchExpressions.every((e) => requirementHolds(e, readKey(labels, e.key)))
  );
}

/**
 * Whether a node of that name and these labels is one that the pod's nodeSelector and required node affinity let it run
 * on.
 */
export function nodeRequired(
  { nodeSelector, affinity }: Pick<PodSpec, 'nodeSelector' | 'affinity'>,
  name: string,
  labels: Labels,
): boolean {
  if (nodeSelector && !Object.entries(nodeSelector).every(([key, value]) => readKey(labels, key) === value))
    return false;
  const required = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return !required || required.nodeSelectorTerms.some((term) => termMatches(term, name, labels));
}

function requirementHolds({ operator, values = [] }: NodeSelectorRequirement, value: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
      return value !== undefined && wholeNumber(value) > wholeNumber(values[0]);
    case 'Lt':
      return value !== undefined && wholeNumber(value) < wholeNumber(values[0]);
  }
}

/** NaN, which compares with nothing, for anything else. */
function wholeNumber(text: string | undefined): number {
  return text !== undefined && /^[+-]?\d+$/.test(text) ? Number(text) : NaN;
}
