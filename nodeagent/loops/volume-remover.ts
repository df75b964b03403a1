/** Removes what is in volumes that were given up and deleted, and tells of those that nothing is left of. */
import { errorText } from '../../contracts/errors.ts';
import { isDataGivenUp, isLocallyMade } from '../../contracts/objects/local-volumes.ts';
import type { Log } from '../ports/log.ts';
import type { PersistentFolders } from '../ports/persistent-folders.ts';
import { startVolumePasses, type VolumePassesDeps } from './volume-passes.ts';

export interface VolumeRemoverDeps extends VolumePassesDeps {
  readonly folders: Pick<PersistentFolders, 'remove'>;
  readonly log: Log;
  /** Names of volumes that are to go and of which nothing is left here. */
  readonly onGone: (volumes: readonly string[]) => void;
}

const AGAIN_MS = 5000;

export function startVolumeRemover(deps: VolumeRemoverDeps): { close(): Promise<void> } {
  return startVolumePasses<string>(deps, {
    pauseMs: AGAIN_MS,
    /** Only what somebody gave up: a volume that is deleted without that keeps its data. */
    isDue: (volume) =>
      isLocallyMade(volume) && volume.metadata.deletionTimestamp !== undefined && isDataGivenUp(volume),
    async attempt({ metadata: { name } }, closing) {
      try {
        await deps.folders.remove(name, closing);
        return { isDone: true, word: name };
      } catch (cause) {
        if (!closing.aborted)
          deps.log.warn('a volume cannot be removed yet', { volume: name, detail: errorText(cause) });
        return { isDone: false };
      }
    },
    tell: deps.onGone,
  });
}
