/** Label selectors: what goes with which operator. */
import type { LabelSelector } from '../../../../contracts/objects/index.ts';
import type { FieldPath } from '../yaml-tree.ts';
import type { CheckContext } from './context.ts';

/** Tells whether the selector can be held against labels. */
export function checkSelector(selector: LabelSelector, path: FieldPath, { error }: CheckContext): boolean {
  let sound = true;
  for (const [i, { operator, values }] of (selector.matchExpressions ?? []).entries()) {
    const at = [...path, 'matchExpressions', i, 'values'];
    const needsValues = operator === 'In' || operator === 'NotIn';
    const misfit = needsValues === ((values ?? []).length === 0);
    if (!misfit) continue;
    sound = false;
    if (needsValues) error('MissingField', at, `must have at least one entry when operator is ${operator}`);
    else error('ForbiddenField', at, `may not be set when operator is ${operator}`, 'remove it');
  }
  return sound;
}
