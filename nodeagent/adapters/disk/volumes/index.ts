/** Volumes on the disk: one way to make each kind of mount. */
import type { VolumePlan, VolumePlanOf } from '../../../core/pod/volumes/index.ts';
import type { Mounts } from '../mounts.ts';
import type { ShownFolders } from '../persistent-folders.ts';
import { makeEmpty } from './empty.ts';
import { writeVolumeFiles } from './files.ts';
import { checkHostPath } from './host-path.ts';
import { mountNfs } from './nfs.ts';
import { showPersistent } from './persistent.ts';

const WAYS: {
  readonly [K in VolumePlan['kind']]: (
    plan: VolumePlanOf<K>,
    mounts: Mounts,
    signal: AbortSignal,
    kept: Pick<ShownFolders, 'show'>,
  ) => Promise<void>;
} = {
  empty: makeEmpty,
  files: ({ path, files, group, keeps }) => writeVolumeFiles(path, files, group, keeps),
  host: checkHostPath,
  nfs: mountNfs,
  persistent: showPersistent,
};

/** Makes the volume as planned; one that is as it should be is not touched. `kept`: volumes that outlive pods. */
export function makeVolume<K extends VolumePlan['kind']>(
  plan: VolumePlanOf<K>,
  mounts: Mounts,
  signal: AbortSignal,
  kept: Pick<ShownFolders, 'show'>,
): Promise<void> {
  return WAYS[plan.kind](plan, mounts, signal, kept);
}
