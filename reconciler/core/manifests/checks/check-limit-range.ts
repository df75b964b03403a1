/** LimitRange. Source: Kubernetes, ValidateLimitRange. */
import { parseQuantity, readKey, type LimitRange, type LimitRangeItem } from '../../../../contracts/objects/index.ts';
import type { FieldPath } from '../yaml-tree.ts';
import { eachDuplicate, type CheckContext } from './context.ts';

const LISTS = ['min', 'max', 'default', 'defaultRequest', 'maxLimitRequestRatio'] as const;
type ListName = (typeof LISTS)[number];
/** Of each pair the first is at most the second. */
const ORDERED: readonly (readonly [ListName, ListName])[] = [
  ['min', 'max'],
  ['min', 'defaultRequest'],
  ['defaultRequest', 'max'],
  ['min', 'default'],
  ['default', 'max'],
  ['defaultRequest', 'default'],
];

export function checkLimitRange({ spec: { limits } }: LimitRange, context: CheckContext): void {
  eachDuplicate(
    limits,
    ({ type }) => type,
    (_, type, index) => {
      context.error(
        'DuplicateName',
        ['spec', 'limits', index, 'type'],
        `${type} has an entry already`,
        'make them one',
      );
    },
  );
  for (const [index, item] of limits.entries()) checkItem(item, ['spec', 'limits', index], context);
}

function checkItem(item: LimitRangeItem, at: FieldPath, { error, has }: CheckContext): void {
  const { type } = item;
  if (type === 'Pod')
    for (const name of ['default', 'defaultRequest'] as const)
      if (has([...at, name])) error('InvalidValue', [...at, name], 'may not be set where type is Pod', 'remove it');
  if (type === 'PersistentVolumeClaim' && [item.min, item.max].every((list) => readKey(list, 'storage') === undefined))
    error('MissingField', at, 'needs storage in min or max where type is PersistentVolumeClaim');
  for (const name of LISTS)
    for (const [resource, quantity] of Object.entries(item[name] ?? {}))
      if (parseQuantity(quantity) < 0 && has([...at, name, resource]))
        error('InvalidValue', [...at, name, resource], `must not be negative, found ${quantity}`);
  for (const [lower, upper] of ORDERED)
    for (const [resource, least] of Object.entries(item[lower] ?? {})) {
      const most = readKey(item[upper], resource);
      if (most === undefined || parseQuantity(least) <= parseQuantity(most)) continue;
      // What was filled in from another list is told of with that one.
      if (!has([...at, lower, resource]) || !has([...at, upper, resource])) continue;
      error('InvalidValue', [...at, lower, resource], `must be at most ${upper} (${most}), found ${least}`);
    }
  for (const [resource, factor] of Object.entries(item.maxLimitRequestRatio ?? {})) {
    const path = [...at, 'maxLimitRequestRatio', resource];
    const [least, most] = [readKey(item.min, resource), readKey(item.max, resource)];
    if (parseQuantity(factor) < 1) error('InvalidValue', path, `must be at least 1, found ${factor}`);
    else if (
      least !== undefined &&
      most !== undefined &&
      parseQuantity(factor) > parseQuantity(most) / parseQuantity(least)
    )
      error(
        'InvalidValue',
        path,
        `must be at most max/min (${parseQuantity(most) / parseQuantity(least)}), found ${factor}`,
      );
  }
}
