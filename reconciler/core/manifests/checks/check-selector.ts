/** Label selectors: what goes with which operator. */
import type { LabelSelector } from '../../../../contracts/objects/index.ts';
import type { FieldPath } from '../yaml-tree.ts';
import type { CheckContext } from './context.ts';

export function checkSelector(selector: LabelSelector, path: FieldPath, { error }: CheckContext): void {
  for (const [i, { operator, values }] of (selector.matchExpressions ?? []).entries()) {
    const at = [...path, 'matchExpressions', i, 'values'];
    const needsValues = operator === 'In' || operator === 'NotIn';
    if (needsValues && (values ?? []).length === 0) error('MissingField', at, `must have at least one entry when operator is ${operator}`);
    if (!needsValues && (values ?? []).length > 0) error('ForbiddenField', at, `may not be set when operator is ${operator}`, 'remove it');
  }
}
