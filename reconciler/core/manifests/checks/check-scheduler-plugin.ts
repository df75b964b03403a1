/**
 * Plugins of the scheduler that are written in CEL: an expression that comes to the scheduler is one that it can run.
 */
import type { SchedulerPlugin } from '../../../../contracts/objects/index.ts';
import { SAMPLES } from '../../scheduling/expressions/facts.ts';
import { Failure, isMistake, readExpression, type Results } from '../../scheduling/expressions/language.ts';
import type { FieldPath } from '../yaml-tree.ts';
import type { CheckContext } from './context.ts';

export function checkSchedulerPlugin({ spec }: SchedulerPlugin, context: CheckContext): void {
  if (spec.filter)
    checkExpression(
      spec.filter.expression,
      'bool',
      ['spec', 'filter', 'expression'],
      'such nodes are refused',
      context,
    );
  if (spec.score)
    checkExpression(spec.score.expression, 'number', ['spec', 'score', 'expression'], 'such nodes get 0', context);
}

function checkExpression(
  text: string,
  wanted: keyof Results,
  path: FieldPath,
  consequence: string,
  { error, warning }: CheckContext,
): void {
  const read = readExpression(text, wanted);
  if (isMistake(read)) {
    error('InvalidExpression', path, `cannot be used: ${read.message}`, read.hint, read.at);
    return;
  }
  for (const { node, pod } of SAMPLES) {
    const result = read.evaluate(node, pod);
    if (!(result instanceof Failure)) continue;
    warning('ExpressionMayFail', path, `fails on some nodes: ${result.detail}`, consequence);
    return;
  }
}
