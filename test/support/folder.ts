/** Temporary folders of tests. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { interrupted, whenInterrupted } from './interruption.ts';

/** A new, empty folder: the caller's to remove, and removed when this process is interrupted. */
export function makeFolder(prefix: string): string {
  interrupted.throwIfAborted();
  const folder = mkdtempSync(join(tmpdir(), prefix));
  whenInterrupted(folder, () => rmSync(folder, { recursive: true, force: true, maxRetries: 10 }));
  return folder;
}
