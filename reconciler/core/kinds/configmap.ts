/** ConfigMap: data that pods read. */
import { KINDS } from '../../../contracts/objects/index.ts';
import { IMMUTABLE_DATA } from '../diff/fixed-fields.ts';
import { checkConfigMap } from '../manifests/checks/check-config.ts';
import { AGE, NAME } from './columns.ts';
import { WHOLE, type KindDescriptor } from './descriptor.ts';

export const CONFIG_MAP: KindDescriptor<'ConfigMap'> = {
  identity: KINDS.ConfigMap,
  wave: 1,
  categories: [],
  columns: [NAME, { heading: 'DATA', cell: (c) => String(Object.keys({ ...c.data, ...c.binaryData }).length) }, AGE],
  listed: 'by key',
  check: { object: checkConfigMap },
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
  fixed: IMMUTABLE_DATA,
  sealed: [],
  reach: { how: 'followed', ...WHOLE },
  recovery: 'with the first sync',
  subresources: [],
};
