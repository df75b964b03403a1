/** A file that somebody reads at any time, and that is mounted: another one cannot take its place. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

/** Puts the text in the place of one of the same length, in one write: nobody sees the file empty, or half of it. */
export async function overwrite(path: string, text: string): Promise<void> {
  const file = await open(path, constants.O_RDWR | constants.O_CREAT);
  try {
    await file.write(text, 0);
  } finally {
    await file.close();
  }
}
