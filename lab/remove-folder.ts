import { rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

/** What the kernel answers while it still takes down processes and mounts that were in a folder. */
const PASSING: readonly (string | undefined)[] = ['EBUSY', 'ENOTEMPTY'];
const MOST_TRIES = 50;
const PAUSE_MS = 100;

/**
 * Removes a folder (or a file) and all that is in it, also one that processes just ended in. Rejects when it is not done
 * in some five seconds. Not rm's `maxRetries`: that tries again at every depth, for each of the tries of the folder
 * above, and does not end for hours where something deep down stays.
 */
export async function removeFolder(folder: string): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await rm(folder, { recursive: true, force: true });
    } catch (cause) {
      if (tries === MOST_TRIES || !PASSING.includes((cause as NodeJS.ErrnoException).code)) throw cause;
      await delay(PAUSE_MS);
    }
  }
}
