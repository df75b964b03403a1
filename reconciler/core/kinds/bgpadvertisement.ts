/** BGPAdvertisement: which routers are told of addresses of load balancers, and what with them. */
import { KINDS } from '../../../contracts/objects/index.ts';
import { AGE, NAME, NONE } from './columns.ts';
import { WHOLE, type KindDescriptor } from './descriptor.ts';

export const BGP_ADVERTISEMENT: KindDescriptor<'BGPAdvertisement'> = {
  identity: KINDS.BGPAdvertisement,
  wave: 1,
  categories: [],
  columns: [
    NAME,
    { heading: 'IPADDRESSPOOLS', cell: ({ spec }) => spec.ipAddressPools?.join(',') ?? NONE },
    { heading: 'PEERS', cell: ({ spec }) => spec.peers?.join(',') ?? NONE },
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
  recovery: { from: 'git', order: 27 },
  subresources: [],
};
