/** Temporary folders of tests. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeFolder } from '../../lab/remove-folder.ts';
import { interrupted, whenInterrupted } from './interruption.ts';

/** A new, empty folder: the caller's to remove, and removed when this process is interrupted. */
export function makeFolder(prefix: string): string {
  interrupted.throwIfAborted();
  const folder = mkdtempSync(join(tmpdir(), prefix));
  whenInterrupted(folder, () => removeFolder(folder));
  return folder;
}
