/** Files that can be made again, as many as a bound lets be. */
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Removes files, those first that were not touched for longest, until those left have no more bytes together. */
export async function shrink(dir: string, maxBytes: number): Promise<void> {
  const files: { readonly path: string; readonly size: number; readonly used: number }[] = [];
  for (const name of await readdir(dir)) {
    const path = join(dir, name);
    const found = await stat(path).catch(() => undefined);
    if (found?.isFile() === true) files.push({ path, size: found.size, used: found.mtimeMs });
  }
  files.sort((a, b) => b.used - a.used);
  let sum = 0;
  for (const { path, size } of files) {
    sum += size;
    if (sum > maxBytes) await rm(path, { force: true });
  }
}
