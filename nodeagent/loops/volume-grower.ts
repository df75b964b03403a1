/** Lets volumes grow that are held to their size, and tells how that went. */
import { errorText } from '../../contracts/errors.ts';
import type { GrowingVolume } from '../../contracts/agent/index.ts';
import { enforcedBytes, sizeBeforeGrowth } from '../../contracts/objects/local-volumes.ts';
import type { Log } from '../ports/log.ts';
import type { PersistentFolders } from '../ports/persistent-folders.ts';
import { startVolumePasses, type VolumePassesDeps } from './volume-passes.ts';

export interface VolumeGrowerDeps extends VolumePassesDeps {
  readonly folders: Pick<PersistentFolders, 'grow'>;
  readonly log: Log;
  /** All that are to grow, whenever something is new of one. */
  readonly onGrowth: (volumes: readonly GrowingVolume[]) => void;
}

/** A pod may have come or gone, or room. */
const AGAIN_MS = 10_000;

export function startVolumeGrower(deps: VolumeGrowerDeps): { close(): Promise<void> } {
  return startVolumePasses<GrowingVolume>(deps, {
    pauseMs: AGAIN_MS,
    isDue: (volume) => volume.metadata.deletionTimestamp === undefined && sizeBeforeGrowth(volume) !== undefined,
    async attempt(volume, closing) {
      const { name } = volume.metadata;
      const bytes = enforcedBytes(volume);
      if (bytes === undefined) return { isDone: true };
      try {
        await deps.folders.grow(name, bytes, closing);
        return { isDone: true, word: { name, bytes } };
      } catch (cause) {
        return { isDone: false, word: { name, message: errorText(cause) } };
      }
    },
    tell(volumes) {
      deps.log.info('volumes grow', { volumes });
      deps.onGrowth(volumes);
    },
  });
}
