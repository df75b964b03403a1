/** PersistentVolumeClaim: what a pod asks for to keep data in. */
import { KINDS, parseQuantity, type PersistentVolumeClaim } from '../../../contracts/objects/index.ts';
import { neverChanges, type FixedField } from '../diff/fixed-fields.ts';
import { claimHealth } from '../health/storage.ts';
import { accessModesText } from '../volumes/access-modes.ts';
import { AGE, NAME } from './columns.ts';
import { WHOLE, type KindDescriptor } from './descriptor.ts';

/** Source: Kubernetes, ValidatePersistentVolumeClaimUpdate: a claim grows and never shrinks. */
const NEVER_LESS: FixedField<'PersistentVolumeClaim'> = {
  path: ['spec', 'resources', 'requests', 'storage'],
  hint: 'a claim can only grow: make a smaller one under a new name, and copy the data',
  broken({ live, after }) {
    const [before, now] = [live, after].map(({ spec }) => spec.resources.requests['storage'] ?? '0');
    return before !== undefined && now !== undefined && parseQuantity(now) < parseQuantity(before)
      ? `spec.resources.requests.storage cannot become less: it is ${before}, and would be ${now}`
      : undefined;
  },
};

export const PERSISTENT_VOLUME_CLAIM: KindDescriptor<'PersistentVolumeClaim'> = {
  identity: KINDS.PersistentVolumeClaim,
  wave: 1,
  categories: [],
  columns: [
    NAME,
    { heading: 'STATUS', cell: phaseOf },
    { heading: 'VOLUME', cell: (c) => c.spec.volumeName ?? '' },
    { heading: 'CAPACITY', cell: (c) => c.status?.capacity?.['storage'] ?? '' },
    { heading: 'ACCESS MODES', cell: (c) => accessModesText(c.status?.accessModes ?? []) },
    { heading: 'STORAGECLASS', cell: (c) => c.spec.storageClassName ?? '' },
    AGE,
  ],
  listed: 'by key',
  check: 'by its schema',
  compared: 'none',
  podTemplate: 'none',
  references: {
    of: ({ spec: { volumeName } }) =>
      volumeName === undefined
        ? []
        : [{ kind: 'PersistentVolume', name: volumeName, keys: [], optional: false, path: ['spec', 'volumeName'] }],
  },
  owns: [],
  summary: { of: (claim) => phaseOf(claim) },
  selector: 'none',
  scale: 'none',
  placement: 'rule',
  health: { judge: claimHealth, shown: 'always' },
  deletion: 'at once',
  fixed: [
    neverChanges('spec', 'accessModes'),
    neverChanges('spec', 'selector'),
    neverChanges('spec', 'storageClassName'),
    neverChanges('spec', 'volumeName'),
    NEVER_LESS,
  ],
  sealed: [],
  reach: { how: 'followed', ...WHOLE },
  recovery: 'with the first sync',
  subresources: [],
};

/** As kubectl: one that is told to go says so. */
function phaseOf({ metadata, status }: PersistentVolumeClaim): string {
  return metadata.deletionTimestamp === undefined ? (status?.phase ?? 'Pending') : 'Terminating';
}
