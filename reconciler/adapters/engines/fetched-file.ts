/** What a program left that fetched something. It may have put anything in the place of the folder, or of the file. */
import { constants } from 'node:fs';
import { open, readdir, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;
/** A link, a pipe that nobody writes to, another thing than a folder, nothing, what is nobody's to read. */
const OTHER_THINGS: readonly unknown[] = ['ELOOP', 'ENXIO', 'ENOTDIR', 'ENOENT', 'EACCES'];

/**
 * The archive of the folder: nothing outside of it is read, and nothing is waited for. Undefined where there is no file of
 * at most `most` bytes.
 */
export async function fetchedFile(folder: string, most: number): Promise<Buffer | undefined> {
  return await withOpened(folder, O_DIRECTORY, async ({ fd }) => {
    // By what is open, whatever has its name by now.
    const place = `/proc/self/fd/${fd}`;
    const name = (await readdir(place)).find((each) => each.endsWith('.tgz'));
    if (name === undefined) return undefined;
    return await withOpened(join(place, name), O_NONBLOCK, async (file) => {
      const found = await file.stat();
      return found.isFile() && found.size <= most ? await file.readFile() : undefined;
    });
  });
}

async function withOpened<T>(
  path: string,
  flag: number,
  read: (file: FileHandle) => Promise<T | undefined>,
): Promise<T | undefined> {
  let file: FileHandle;
  try {
    file = await open(path, O_RDONLY | O_NOFOLLOW | flag);
  } catch (error) {
    if (OTHER_THINGS.includes((error as NodeJS.ErrnoException).code)) return undefined;
    throw error;
  }
  try {
    return await read(file);
  } finally {
    await file.close();
  }
}
