/** Gives the files of a volume to a pod's group. Source: Kubernetes, pkg/volume/volume_linux.go SetVolumeOwnership. */
import { chmod, chown, lchown, opendir, type FileHandle } from 'node:fs/promises';
import { openFolder, openPlace, pathOf } from './descriptors.ts';

const SETGID = 0o2000;
const GROUP_MAY = 0o660;
const GROUP_MAY_ENTER = 0o110;
const MODE_BITS = 0o7777;
/** Folders within each other that are gone through; a container chooses the depth. */
const MAX_DEPTH = 256;

/**
 * All below `path`, links themselves and never what they lead to. `OnRootMismatch`: nothing, where the top belongs to
 * the group already. The top is last, so that it says so only when all is done.
 */
export async function giveToGroup(
  path: string,
  group: number,
  when: 'Always' | 'OnRootMismatch',
  signal: AbortSignal,
): Promise<void> {
  const top = await openFolder(path);
  try {
    const { gid, mode } = await top.stat();
    if (when === 'OnRootMismatch' && gid === group && (mode & SETGID) !== 0) return;
    await below(top, group, 0, signal);
    await give(top, group, true);
  } finally {
    await top.close();
  }
}

async function below(folder: FileHandle, group: number, depth: number, signal: AbortSignal): Promise<void> {
  if (depth >= MAX_DEPTH) throw new Error(`the volume has more than ${MAX_DEPTH} folders within each other`);
  for await (const entry of await opendir(pathOf(folder))) {
    signal.throwIfAborted();
    if (entry.isSymbolicLink()) {
      await lchown(pathOf(folder, entry.name), (await statOf(folder, entry.name)).uid, group);
      continue;
    }
    // What the container took away or replaced meanwhile is its own doing.
    const place = await openPlace(pathOf(folder, entry.name)).catch(() => undefined);
    if (!place) continue;
    try {
      const found = await place.stat();
      if (found.isSymbolicLink()) continue;
      if (found.isDirectory()) await below(place, group, depth + 1, signal);
      await give(place, group, found.isDirectory());
    } finally {
      await place.close();
    }
  }
}

async function statOf(folder: FileHandle, name: string): Promise<{ readonly uid: number }> {
  const place = await openPlace(pathOf(folder, name));
  try {
    return await place.stat();
  } finally {
    await place.close();
  }
}

async function give(place: FileHandle, group: number, isFolder: boolean): Promise<void> {
  const { uid, gid, mode } = await place.stat();
  const wanted = (mode & MODE_BITS) | GROUP_MAY | (isFolder ? SETGID | GROUP_MAY_ENTER : 0);
  if (gid !== group) await chown(pathOf(place), uid, group);
  // A change of the group takes setgid off a file.
  if (wanted !== (mode & MODE_BITS) || gid !== group) await chmod(pathOf(place), wanted);
}
