/** Community: names for BGP communities. */
import { KINDS } from '../../../contracts/objects/index.ts';
import { AGE, NAME, NONE } from './columns.ts';
import { WHOLE, type KindDescriptor } from './descriptor.ts';

export const COMMUNITY: KindDescriptor<'Community'> = {
  identity: KINDS.Community,
  wave: 1,
  categories: [],
  columns: [
    NAME,
    { heading: 'COMMUNITIES', cell: ({ spec }) => spec.communities?.map(({ name }) => name).join(',') ?? NONE },
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
  placement: 'none',
  health: 'stored',
  deletion: 'at once',
  fixed: [],
  sealed: [],
  reach: { how: 'shared', ...WHOLE },
  recovery: { from: 'git', order: 26 },
  subresources: [],
};
