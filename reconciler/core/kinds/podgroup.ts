/** PodGroup: pods that start together or not at all. */
import { KINDS } from '../../../contracts/objects/index.ts';
import { podGroupHealth } from '../health/pod-sets.ts';
import { AGE, NAME } from './columns.ts';
import type { KindDescriptor } from './descriptor.ts';

export const POD_GROUP: KindDescriptor<'PodGroup'> = {
  identity: KINDS.PodGroup,
  wave: 2,
  categories: [],
  columns: [
    NAME,
    { heading: 'PHASE', cell: (g) => g.status?.phase ?? '' },
    { heading: 'MINMEMBER', cell: (g) => String(g.spec.minMember) },
    { heading: 'RUNNING', cell: (g) => String(g.status?.running ?? '') },
    { heading: 'SUCCEEDED', cell: (g) => String(g.status?.succeeded ?? '') },
    { heading: 'FAILED', cell: (g) => String(g.status?.failed ?? '') },
    AGE,
  ],
  listed: 'by key',
  check: 'by its schema',
  compared: 'none',
  podTemplate: 'none',
  references: 'none',
  owns: [],
  summary: 'none',
  selector: 'none',
  scale: 'none',
  placement: 'rule',
  health: { judge: podGroupHealth, shown: 'when not healthy' },
  deletion: 'at once',
  fixed: [],
  sealed: [],
  reach: 'none',
  recovery: 'with the first sync',
  subresources: [],
};
