/** Folders of shares of NFS servers, each of one volume. */
import type { ShareFolder } from '../../contracts/objects/nfs-volumes.ts';

export interface ShareFolders {
  /** Takes away what an agent before this one left mounted. */
  tidy(signal: AbortSignal): Promise<void>;
  /** Makes it where it is not there yet, and notes on the share that the volume is this folder. Idempotent. */
  make(folder: ShareFolder, signal: AbortSignal): Promise<void>;
  /**
   * Removes it with what is in it, or archives it. It stays where the volume is not noted to be this folder, and where
   * another volume is the same one. No link is followed. Idempotent.
   */
  remove(folder: ShareFolder, signal: AbortSignal): Promise<void>;
}
