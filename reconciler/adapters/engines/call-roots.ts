/** Root folders of calls: each goes when its call ends, and what a process left that was killed goes later. */
import { randomUUID } from 'node:crypto';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * A call is over long before. Its age counts beside its owner: a process of another PID namespace that shares the folder is
 * not seen from here.
 */
const ABANDONED_MS = 60 * 60 * 1000;

/** A path of its own in `dir`, with the process that owns it. */
export function callRoot(dir: string): string {
  return join(dir, `${process.pid}-${randomUUID()}`);
}

/**
 * Removes roots whose process has ended and that nobody has touched for an hour. Never rejects: what stays is looked at
 * the next time. `now`: milliseconds of the clock that file times have.
 */
export async function removeAbandoned(dir: string, now: number): Promise<void> {
  for (const name of await readdir(dir).catch(() => [])) {
    const path = join(dir, name);
    const found = await stat(path).catch(() => undefined);
    if (!found || now - found.mtimeMs < ABANDONED_MS) continue;
    const owner = ownerOf(name);
    // In a container the next process often has the number of the one before.
    const isOwned = owner === process.pid ? found.mtimeMs >= now - process.uptime() * 1000 : isRunning(owner);
    if (isOwned) continue;
    await rm(path, { recursive: true, force: true }).catch(() => undefined);
  }
}

function ownerOf(name: string): number | undefined {
  const pid = /^([1-9]\d{0,9})-/.exec(name)?.[1];
  return pid === undefined ? undefined : Number(pid);
}

function isRunning(pid: number | undefined): boolean {
  if (pid === undefined) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // One that is somebody else's (EPERM) runs.
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
  }
}
