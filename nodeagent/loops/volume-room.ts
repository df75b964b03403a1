/** Tells how much of the disk there is for volumes that are held to their sizes. */
import { errorText } from '../../contracts/errors.ts';
import { enforcedBytes } from '../../contracts/objects/local-volumes.ts';
import { homeOf } from '../../contracts/objects/made-volumes.ts';
import { isNewsOfRoom } from '../core/node/disk.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { PersistentFolders } from '../ports/persistent-folders.ts';
import type { AssignmentStore } from './assignment-store.ts';
import { startBeat } from './beat.ts';

export interface VolumeRoomDeps {
  readonly assignment: Pick<AssignmentStore, 'current'>;
  readonly folders: Pick<PersistentFolders, 'room'>;
  readonly clock: Clock;
  readonly log: Log;
  /** Called after the first look, and when it has become another. */
  readonly onRoom: (bytes: number) => void;
}

/** As the disk is looked at. */
const LOOK_EVERY_MS = 10_000;

export function startVolumeRoom({ assignment, folders, clock, log, onRoom }: VolumeRoomDeps): {
  close(): Promise<void>;
} {
  let told: number | undefined;
  return startBeat({
    clock,
    pauseMs: LOOK_EVERY_MS,
    closing: new AbortController(),
    async look() {
      const view = assignment.current();
      // What is counted here is taken off again for each volume that the control plane knows of, and for no other.
      const own = view
        .list('PersistentVolume')
        .filter((volume) => homeOf(volume) === view.node && enforcedBytes(volume) !== undefined);
      try {
        const bytes = await folders.room(own.map(({ metadata }) => metadata.name));
        if (!isNewsOfRoom(bytes, told)) return;
        told = bytes;
        onRoom(bytes);
      } catch (cause) {
        log.warn('the room for volumes cannot be looked at', { detail: errorText(cause) });
      }
    },
  });
}
