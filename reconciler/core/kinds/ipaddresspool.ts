/** IPAddressPool: addresses that load balancers may have. */
import { KINDS } from '../../../contracts/objects/index.ts';
import { AGE, NAME } from './columns.ts';
import { WHOLE, type KindDescriptor } from './descriptor.ts';

export const IP_ADDRESS_POOL: KindDescriptor<'IPAddressPool'> = {
  identity: KINDS.IPAddressPool,
  wave: 1,
  categories: [],
  columns: [
    NAME,
    { heading: 'AUTO ASSIGN', cell: ({ spec }) => String(spec.autoAssign) },
    { heading: 'AVOID BUGGY IPS', cell: ({ spec }) => String(spec.avoidBuggyIPs) },
    { heading: 'ADDRESSES', cell: ({ spec }) => spec.addresses.join(',') },
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
  recovery: { from: 'git', order: 21 },
  subresources: [],
};
