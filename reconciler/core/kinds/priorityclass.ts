/** PriorityClass: which pods come before others. */
import { KINDS } from '../../../contracts/objects/index.ts';
import { neverChanges } from '../diff/fixed-fields.ts';
import { checkPriorityClass } from '../manifests/checks/check-scheduling.ts';
import { AGE, NAME } from './columns.ts';
import { WHOLE, type KindDescriptor } from './descriptor.ts';

export const PRIORITY_CLASS: KindDescriptor<'PriorityClass'> = {
  identity: KINDS.PriorityClass,
  wave: 0,
  categories: [],
  columns: [
    NAME,
    { heading: 'VALUE', cell: (c) => String(c.value) },
    { heading: 'GLOBAL-DEFAULT', cell: (c) => String(c.globalDefault) },
    AGE,
    { heading: 'PREEMPTIONPOLICY', cell: (c) => c.preemptionPolicy },
  ],
  listed: 'by key',
  check: { object: checkPriorityClass },
  compared: [['globalDefault']],
  podTemplate: 'none',
  references: 'none',
  owns: [],
  summary: 'none',
  selector: 'none',
  scale: 'none',
  placement: 'rule',
  health: 'stored',
  deletion: 'at once',
  fixed: [neverChanges('value'), neverChanges('preemptionPolicy')],
  sealed: [],
  // A node that runs short gives up pods of a low priority first.
  reach: { how: 'shared', ...WHOLE },
  recovery: 'with the first sync',
  subresources: [],
};
