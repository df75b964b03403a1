/** Makes and removes the folders of volumes on shares that this node tends, and tells how that went. */
import type { TendedVolume } from '../../contracts/agent/index.ts';
import { errorText } from '../../contracts/errors.ts';
import { shareFolder, shareWork } from '../../contracts/objects/nfs-volumes.ts';
import type { Log } from '../ports/log.ts';
import type { ShareFolders } from '../ports/share-folders.ts';
import { startVolumePasses, type VolumePassesDeps } from './volume-passes.ts';

export interface ShareTenderDeps extends VolumePassesDeps {
  readonly shares: ShareFolders;
  readonly log: Log;
  /** All that something is to be done for, whenever something is new of one. */
  readonly onTended: (volumes: readonly TendedVolume[]) => void;
}

const AGAIN_MS = 5000;

export function startShareTender(deps: ShareTenderDeps): { close(): Promise<void> } {
  const { shares, log } = deps;
  const closing = new AbortController();
  const tidied = shares.tidy(closing.signal).catch((cause: unknown) => {
    if (!closing.signal.aborted) log.warn('shares stay mounted', { detail: errorText(cause) });
  });
  const passes = startVolumePasses<TendedVolume>(deps, {
    pauseMs: AGAIN_MS,
    isDue: (volume) => shareWork(volume) !== undefined,
    async attempt(volume, signal) {
      await tidied;
      const { name } = volume.metadata;
      const [folder, work] = [shareFolder(volume), shareWork(volume)];
      if (folder === undefined || work === undefined) return { isDone: true };
      try {
        await shares[work](folder, signal);
        return { isDone: true, word: { name, is: work === 'make' ? 'made' : 'removed' } };
      } catch (cause) {
        return { isDone: false, word: { name, is: 'failed', message: errorText(cause) } };
      }
    },
    tell(volumes) {
      log.info('volumes on shares', { volumes });
      deps.onTended(volumes);
    },
  });
  return {
    async close() {
      closing.abort();
      await Promise.all([tidied, passes.close()]);
    },
  };
}
