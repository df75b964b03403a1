/** L2Advertisement: which nodes answer on their own network for addresses of load balancers. */
import { KINDS } from '../../../contracts/objects/index.ts';
import { AGE, NAME, NONE } from './columns.ts';
import { WHOLE, type KindDescriptor } from './descriptor.ts';

export const L2_ADVERTISEMENT: KindDescriptor<'L2Advertisement'> = {
  identity: KINDS.L2Advertisement,
  wave: 1,
  categories: [],
  columns: [
    NAME,
    { heading: 'IPADDRESSPOOLS', cell: ({ spec }) => spec.ipAddressPools?.join(',') ?? NONE },
    { heading: 'INTERFACES', cell: ({ spec }) => spec.interfaces?.join(',') ?? NONE },
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
  recovery: { from: 'git', order: 22 },
  subresources: [],
};
