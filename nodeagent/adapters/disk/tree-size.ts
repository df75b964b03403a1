/** How much a folder holds. What it says is of what was counted. */
import { lstat, opendir } from 'node:fs/promises';
import type { Holding } from '../../core/node/disk.ts';
import { mountOf, openFolder, pathOf } from './descriptors.ts';

const BLOCK_BYTES = 512;
/** Each holds two descriptors while what is below it is counted. */
const MAX_DEPTH = 100;

export interface TreeSize extends Holding {
  /** False where there is more than was counted. */
  readonly whole: boolean;
}

/**
 * Bytes on disk below `path`, at most `maxEntries` entries and 100 folders deep: a container chooses both. No link is
 * followed and no mount entered. 0 where there is no folder.
 */
export async function treeSize(path: string, maxEntries: number): Promise<TreeSize> {
  let entries = 0;
  let bytes = 0;
  let whole = true;
  const count = async (at: string, mount: string | undefined, depth: number): Promise<void> => {
    const folder = await openFolder(at).catch(() => undefined);
    if (!folder) return;
    try {
      const own = await mountOf(folder);
      if (mount !== undefined && own !== mount) return;
      for await (const entry of await opendir(pathOf(folder))) {
        entries += 1;
        if (entries > maxEntries) {
          whole = false;
          return;
        }
        // What goes away meanwhile counts for nothing.
        bytes += ((await lstat(pathOf(folder, entry.name)).catch(() => undefined))?.blocks ?? 0) * BLOCK_BYTES;
        if (!entry.isDirectory()) continue;
        if (depth < MAX_DEPTH) await count(pathOf(folder, entry.name), own, depth + 1);
        else whole = false;
      }
    } finally {
      await folder.close();
    }
  };
  await count(path, undefined, 0);
  return { bytes, files: Math.min(entries, maxEntries), whole };
}
