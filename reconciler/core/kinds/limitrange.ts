/** LimitRange: what containers of a namespace ask for when they do not say it, and the least and the most of it. */
import { KINDS } from '../../../contracts/objects/index.ts';
import { checkLimitRange } from '../manifests/checks/check-limit-range.ts';
import { AGE, NAME } from './columns.ts';
import type { KindDescriptor } from './descriptor.ts';

export const LIMIT_RANGE: KindDescriptor<'LimitRange'> = {
  identity: KINDS.LimitRange,
  wave: 1,
  categories: [],
  columns: [NAME, AGE],
  listed: 'by key',
  check: { object: checkLimitRange },
  compared: 'none',
  podTemplate: 'none',
  references: 'none',
  owns: [],
  summary: 'none',
  selector: 'none',
  scale: 'none',
  placement: 'none',
  health: 'stored',
  deletion: 'at once',
  fixed: [],
  sealed: [],
  reach: 'none',
  recovery: 'with the first sync',
  subresources: [],
};
