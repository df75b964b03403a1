/**
 * Removes what containers left in a folder. No link is followed, no mount is entered, and neither the number of entries
 * nor their depth takes memory or descriptors: a container chooses both.
 */
import { randomUUID } from 'node:crypto';
import { opendir, rename, rmdir, unlink, type FileHandle } from 'node:fs/promises';
import { mountOf, openFolder, pathOf } from './descriptors.ts';

/** Folders deeper than this are moved up to the top first. */
const MAX_DEPTH = 32;

/** Idempotent. Throws an Error at a mount, with what is before it gone, and the signal's reason once that aborts. */
export async function removeTree(path: string, signal: AbortSignal): Promise<void> {
  const root = await openFolder(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return undefined;
    throw cause;
  });
  if (!root) return;
  try {
    const mount = await mountOf(root);
    const empty = async (folder: FileHandle, depth: number): Promise<void> => {
      // A listing may miss what was moved in, or shift while it loses entries: it is read until it is empty.
      for (let left = true; left;) {
        left = false;
        for await (const entry of await opendir(pathOf(folder))) {
          signal.throwIfAborted();
          left = true;
          const at = pathOf(folder, entry.name);
          if (!entry.isDirectory()) await unlink(at);
          else if (depth < MAX_DEPTH) await removeFolder(at, depth + 1);
          // Under a name that nothing in it can have taken.
          else await rename(at, pathOf(root, randomUUID()));
        }
      }
    };
    const removeFolder = async (at: string, depth: number): Promise<void> => {
      const folder = await openFolder(at);
      try {
        if ((await mountOf(folder)) !== mount) throw new Error(`${path} has something mounted in it`);
        await empty(folder, depth);
      } finally {
        await folder.close();
      }
      await rmdir(at);
    };
    await empty(root, 0);
  } finally {
    await root.close();
  }
  await rmdir(path);
}
