/** Secret: data that pods read and nobody else. */
import { KINDS } from '../../../contracts/objects/index.ts';
import { IMMUTABLE_DATA, neverChanges } from '../diff/fixed-fields.ts';
import { checkSecret } from '../manifests/checks/check-config.ts';
import { AGE, NAME } from './columns.ts';
import { WHOLE, type KindDescriptor } from './descriptor.ts';

export const SECRET: KindDescriptor<'Secret'> = {
  identity: KINDS.Secret,
  wave: 1,
  categories: [],
  columns: [
    NAME,
    { heading: 'TYPE', cell: (s) => s.type },
    { heading: 'DATA', cell: (s) => String(Object.keys(s.data).length) },
    AGE,
  ],
  listed: 'by key',
  check: { object: checkSecret },
  compared: [['stringData']],
  podTemplate: 'none',
  references: 'none',
  owns: [],
  summary: 'none',
  selector: 'none',
  scale: 'none',
  placement: 'none',
  health: 'stored',
  deletion: 'at once',
  fixed: [neverChanges('type'), ...IMMUTABLE_DATA],
  sealed: [['data'], ['stringData']],
  reach: { how: 'followed', ...WHOLE },
  recovery: 'with the first sync',
  subresources: [],
};
