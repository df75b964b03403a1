/** Lease: who holds something, for programs that agree by it. None of ours does: theirs are in Redis (ports/leases.ts). */
import { KINDS } from '../../../contracts/objects/index.ts';
import { AGE, NAME, NONE } from './columns.ts';
import type { KindDescriptor } from './descriptor.ts';

export const LEASE: KindDescriptor<'Lease'> = {
  identity: KINDS.Lease,
  wave: 1,
  categories: [],
  columns: [NAME, { heading: 'HOLDER', cell: ({ spec }) => spec.holderIdentity ?? NONE }, AGE],
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
  recovery: 'with the first sync',
  subresources: [],
};
