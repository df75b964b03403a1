/** Volumes that are made for claims, of whatever kind. Free of schemas: a node agent uses it. */
import { diskOf, isLocallyMade } from './local-volumes.ts';
import { isMadeOnShare, tenderOf } from './nfs-volumes.ts';
import type { PersistentVolume } from './storage.ts';

export function isMade(volume: Pick<PersistentVolume, 'metadata' | 'spec'>): boolean {
  return isLocallyMade(volume) || isMadeOnShare(volume);
}

/**
 * The one node that holds a volume of ours, and does what is to be done for it: the one whose disk it is on, or the
 * tender of one on a share. Undefined for any other volume.
 */
export function homeOf(volume: PersistentVolume): string | undefined {
  if (isLocallyMade(volume)) return diskOf(volume);
  return isMadeOnShare(volume) ? tenderOf(volume) : undefined;
}
