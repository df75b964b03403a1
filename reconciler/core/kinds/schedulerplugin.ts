/** SchedulerPlugin: a filter or score in CEL. */
import { KINDS } from '../../../contracts/objects/index.ts';
import { checkSchedulerPlugin } from '../manifests/checks/check-scheduler-plugin.ts';
import { AGE, NAME, NONE } from './columns.ts';
import type { KindDescriptor } from './descriptor.ts';

export const SCHEDULER_PLUGIN: KindDescriptor<'SchedulerPlugin'> = {
  identity: KINDS.SchedulerPlugin,
  wave: 0,
  categories: [],
  columns: [
    NAME,
    { heading: 'POINTS', cell: (p) => [p.spec.filter && 'filter', p.spec.score && 'score'].filter(Boolean).join(',') },
    AGE,
    { heading: 'FILTER', wide: true, cell: (p) => p.spec.filter?.expression ?? NONE },
    { heading: 'SCORE', wide: true, cell: (p) => p.spec.score?.expression ?? NONE },
  ],
  listed: 'by key',
  check: { object: checkSchedulerPlugin },
  compared: 'none',
  podTemplate: 'none',
  references: 'none',
  owns: [],
  summary: 'none',
  selector: 'none',
  scale: 'none',
  placement: 'rule',
  health: 'stored',
  deletion: 'at once',
  fixed: [],
  sealed: [],
  reach: 'none',
  recovery: 'with the first sync',
  subresources: [],
};
