/** Volumes on the disk: one way to make each kind of mount. */
import type { VolumePlan, VolumePlanOf } from '../../../core/pod/volumes/index.ts';
import type { ImageFiles } from '../../../ports/image-files.ts';
import type { Mounts } from '../mounts.ts';
import type { ShownFolders } from '../persistent-folders.ts';
import { makeEmpty, makeHugePages } from './empty.ts';
import { writeVolumeFiles } from './files.ts';
import { checkHostPath } from './host-path.ts';
import { mountImage } from './image.ts';
import { mountNfs } from './nfs.ts';
import { showPersistent } from './persistent.ts';

/** Where what is not the pod's own comes from. */
export interface VolumeStores {
  /** Volumes that outlive pods. */
  readonly kept: Pick<ShownFolders, 'show'>;
  readonly images: Pick<ImageFiles, 'view'>;
}

const WAYS: {
  readonly [K in VolumePlan['kind']]: (
    plan: VolumePlanOf<K>,
    mounts: Mounts,
    signal: AbortSignal,
    from: VolumeStores,
  ) => Promise<void>;
} = {
  empty: makeEmpty,
  files: ({ path, files, group, keeps }) => writeVolumeFiles(path, files, group, keeps),
  host: checkHostPath,
  hugePages: makeHugePages,
  image: (plan, mounts, signal, { images }) => mountImage(plan, mounts, signal, images),
  nfs: mountNfs,
  persistent: (plan, mounts, signal, { kept }) => showPersistent(plan, mounts, signal, kept),
};

/** Makes the volume as planned; one that is as it should be is not touched. */
export function makeVolume<K extends VolumePlan['kind']>(
  plan: VolumePlanOf<K>,
  mounts: Mounts,
  signal: AbortSignal,
  from: VolumeStores,
): Promise<void> {
  return WAYS[plan.kind](plan, mounts, signal, from);
}
