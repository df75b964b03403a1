/** PersistentVolume: a place for data that outlives pods. */
import { KINDS, type PersistentVolume } from '../../../contracts/objects/index.ts';
import { homeOf } from '../../../contracts/objects/made-volumes.ts';
import { neverChanges } from '../diff/fixed-fields.ts';
import { volumeHealth } from '../health/storage.ts';
import { accessModesText } from '../volumes/access-modes.ts';
import { AGE, NAME } from './columns.ts';
import { WHOLE, type KindDescriptor } from './descriptor.ts';

export const PERSISTENT_VOLUME: KindDescriptor<'PersistentVolume'> = {
  identity: KINDS.PersistentVolume,
  wave: 1,
  categories: [],
  columns: [
    NAME,
    { heading: 'CAPACITY', cell: (v) => v.spec.capacity['storage'] ?? '' },
    { heading: 'ACCESS MODES', cell: (v) => accessModesText(v.spec.accessModes) },
    { heading: 'RECLAIM POLICY', cell: (v) => v.spec.persistentVolumeReclaimPolicy },
    { heading: 'STATUS', cell: phaseOf },
    { heading: 'CLAIM', cell: claimOf },
    { heading: 'STORAGECLASS', cell: (v) => v.spec.storageClassName },
    { heading: 'REASON', cell: (v) => v.status?.reason ?? '' },
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
  health: { judge: volumeHealth, shown: 'when not healthy' },
  deletion: 'at once',
  fixed: [
    // Source: Kubernetes, ValidatePersistentVolumeUpdate: what is in it must not become something else.
    neverChanges('spec', 'hostPath'),
    neverChanges('spec', 'local'),
    neverChanges('spec', 'nfs'),
    neverChanges('spec', 'nodeAffinity'),
  ],
  sealed: [],
  reach: { how: 'followed', home: homeOf, ...WHOLE },
  recovery: { from: 'nodes', order: 1.5 },
  subresources: [],
};

/** As kubectl: one that is told to go says so. */
function phaseOf({ metadata, status }: PersistentVolume): string {
  return metadata.deletionTimestamp === undefined ? (status?.phase ?? 'Pending') : 'Terminating';
}

function claimOf({ spec: { claimRef } }: PersistentVolume): string {
  return claimRef ? `${claimRef.namespace}/${claimRef.name}` : '';
}
