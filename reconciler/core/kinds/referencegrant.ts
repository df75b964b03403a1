/** ReferenceGrant: lets other namespaces name objects of this one. */
import { KINDS } from '../../../contracts/objects/index.ts';
import { AGE, NAME } from './columns.ts';
import type { KindDescriptor } from './descriptor.ts';

export const REFERENCE_GRANT: KindDescriptor<'ReferenceGrant'> = {
  identity: KINDS.ReferenceGrant,
  wave: 2,
  categories: [],
  columns: [NAME, AGE],
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
