/** DeschedulerPolicy: when pods are moved to better nodes. */
import { KINDS } from '../../../contracts/objects/index.ts';
import { checkDeschedulerPolicy } from '../manifests/checks/check-scheduling.ts';
import { AGE, NAME, NONE } from './columns.ts';
import type { KindDescriptor } from './descriptor.ts';

export const DESCHEDULER_POLICY: KindDescriptor<'DeschedulerPolicy'> = {
  identity: KINDS.DeschedulerPolicy,
  wave: 0,
  categories: [],
  columns: [
    NAME,
    { heading: 'PROFILES', cell: (d) => d.profiles.map((p) => p.name).join(',') || NONE },
    {
      heading: 'INTERVAL',
      cell: (d) => (d.deschedulingIntervalSeconds === undefined ? NONE : `${d.deschedulingIntervalSeconds}s`),
    },
    AGE,
  ],
  listed: 'by key',
  check: { object: checkDeschedulerPolicy },
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
