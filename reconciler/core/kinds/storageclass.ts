/** StorageClass: how volumes are made for claims. */
import { KINDS } from '../../../contracts/objects/index.ts';
import { neverChanges } from '../diff/fixed-fields.ts';
import { isDefaultClass } from '../volumes/class.ts';
import { AGE, type Column } from './columns.ts';
import type { KindDescriptor } from './descriptor.ts';

const CLASS_NAME: Column<'StorageClass'> = {
  heading: 'NAME',
  cell: (c) => (isDefaultClass(c) ? `${c.metadata.name} (default)` : c.metadata.name),
};

export const STORAGE_CLASS: KindDescriptor<'StorageClass'> = {
  identity: KINDS.StorageClass,
  wave: 0,
  categories: [],
  columns: [
    CLASS_NAME,
    { heading: 'PROVISIONER', cell: (c) => c.provisioner },
    { heading: 'RECLAIMPOLICY', cell: (c) => c.reclaimPolicy },
    { heading: 'VOLUMEBINDINGMODE', cell: (c) => c.volumeBindingMode },
    { heading: 'ALLOWVOLUMEEXPANSION', cell: (c) => String(c.allowVolumeExpansion) },
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
  placement: 'rule',
  health: 'stored',
  deletion: 'at once',
  fixed: [
    neverChanges('provisioner'),
    neverChanges('parameters'),
    neverChanges('reclaimPolicy'),
    neverChanges('volumeBindingMode'),
  ],
  sealed: [],
  reach: 'none',
  recovery: 'with the first sync',
  subresources: [],
};
