/** Node selector terms. Source: Kubernetes v1 API reference, NodeSelectorTerm. */
import { readKey, type NodeSelectorRequirement, type NodeSelectorTerm } from '../../../contracts/objects/index.ts';

type Labels = Readonly<Record<string, string>>;

/** All requirements of the term hold; a term without any matches no node. */
export function termMatches(term: NodeSelectorTerm, name: string, labels: Labels): boolean {
  const { matchExpressions = [], matchFields = [] } = term;
  if (matchExpressions.length === 0 && matchFields.length === 0) return false;
  return matchFields.every((field) => field.values?.includes(name) === (field.operator === 'In')) && matchExpressions.every((e) => requirementHolds(e, readKey(labels, e.key)));
}

function requirementHolds({ operator, values = [] }: NodeSelectorRequirement, value: string | undefined): boolean {
  switch (operator) {
    case 'In': return value !== undefined && values.includes(value);
    case 'NotIn': return value === undefined || !values.includes(value);
    case 'Exists': return value !== undefined;
    case 'DoesNotExist': return value === undefined;
    case 'Gt': return value !== undefined && wholeNumber(value) > wholeNumber(values[0]);
    case 'Lt': return value !== undefined && wholeNumber(value) < wholeNumber(values[0]);
  }
}

/** NaN, which compares with nothing, for anything else. */
function wholeNumber(text: string | undefined): number {
  return text !== undefined && /^[+-]?\d+$/.test(text) ? Number(text) : NaN;
}
