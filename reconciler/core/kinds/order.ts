/** Order: what is being asked of an ACME server. */
import { KINDS } from '../../../contracts/objects/index.ts';
import { AGE, NAME, NONE } from './columns.ts';
import type { KindDescriptor } from './descriptor.ts';

export const ORDER: KindDescriptor<'Order'> = {
  identity: KINDS.Order,
  wave: 4,
  categories: [],
  columns: [
    NAME,
    { heading: 'STATE', cell: ({ status }) => status?.state ?? '' },
    { heading: 'ISSUER', wide: true, cell: ({ spec }) => spec.issuerRef.name },
    { heading: 'REASON', wide: true, cell: ({ status }) => status?.reason ?? NONE },
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
  reach: 'none',
  recovery: 'lost',
  subresources: [],
};
