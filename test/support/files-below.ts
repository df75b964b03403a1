/** The files of a folder that others work in meanwhile. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Paths of all files below, with their bytes as latin1; without those below `but`. A file or folder that goes between the listing and the
 * reading is left out.
 */
export async function filesBelow(folder: string, but?: string): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  const entries = await readdir(folder, { withFileTypes: true }).catch(unlessGone);
  for (const entry of entries ?? []) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && path !== but)
      for (const [name, text] of await filesBelow(path, but)) found.set(name, text);
    const text = entry.isFile() ? await readFile(path, 'latin1').catch(unlessGone) : undefined;
    if (text !== undefined) found.set(path, text);
  }
  return found;
}

function unlessGone(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}
