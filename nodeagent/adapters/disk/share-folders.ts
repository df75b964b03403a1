/**
 * Folders of shares of NFS servers. A share is mounted for as long as something is done on it, apart from where pods
 * have their volumes, and nothing on it is followed: a container may have put links there, which would lead about on
 * this machine.
 *
 * At the top of a share is noted which volumes a folder is, an entry for each: several may be one folder, where a class
 * says so, and only the last of them removes it. An agent that was cut off from everybody and comes back late finds no
 * entry of its volume, and leaves alone what has the folder's name by then.
 */
import { createHash } from 'node:crypto';
import { chmod, lstat, mkdir, open, opendir, readdir, rename, rmdir, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { DEFAULT_MODE, SHARE_NOTES, type ShareFolder } from '../../../contracts/objects/nfs-volumes.ts';
import { LOCAL_NAME } from '../../../contracts/objects/local-volumes.ts';
import { nfsMount } from '../../core/pod/volumes/nfs.ts';
import type { ShareFolders } from '../../ports/share-folders.ts';
import { openFolder, pathOf } from './descriptors.ts';
import { makeFolder } from './durable.ts';
import type { Mounts } from './mounts.ts';
import { removeTree } from './remove-tree.ts';
import { createTurns } from './turns.ts';
import { runMountNfs } from './volumes/nfs.ts';

/** A server that falls silent is an error after some 15 s, and holds none of the agent's few threads for good. */
const PATIENCE = ['soft', 'timeo=50', 'retrans=2'];
const NOTES_MODE = 0o700;

export function shareFolders(
  root: string,
  mounts: Pick<Mounts, 'network' | 'removeNetworkBeneath' | 'isMounted'>,
): ShareFolders {
  const inTurn = createTurns();

  /** With the share mounted, and its top opened. */
  async function onShare(
    { volume, server, share, mountOptions }: ShareFolder,
    signal: AbortSignal,
    act: (top: FileHandle) => Promise<void>,
  ): Promise<void> {
    if (!LOCAL_NAME.test(volume)) throw new Error(`${volume} is no name of a volume that is made here`);
    return inTurn(volume, async () => {
      const point = join(root, volume);
      const { source, options } = nfsMount({ server, path: share, readOnly: false }, [...mountOptions, ...PATIENCE]);
      await mounts.removeNetworkBeneath(point, signal);
      try {
        await makeFolder(point, NOTES_MODE);
        await runMountNfs(source, point, options, mounts, signal);
        // What is done must not be done on this machine's own disk.
        if (!(await mounts.isMounted(point))) throw new Error(`${source} is not mounted`);
        const top = await openFolder(point);
        try {
          await act(top);
        } finally {
          await top.close();
        }
      } finally {
        await mounts.removeNetworkBeneath(point, new AbortController().signal);
        await rmdir(point);
      }
    });
  }

  return {
    async tidy(signal) {
      await mounts.removeNetworkBeneath(root, signal);
      for (const name of await readdir(root).catch(() => [])) await rmdir(join(root, name));
    },

    make: (folder, signal) =>
      onShare(folder, signal, async (top) => {
        const notes = await openWay(top, [SHARE_NOTES, noteOf(folder.folder)], NOTES_MODE);
        try {
          // Whatever has the name by now stays unopened: of a link or a pipe the entry is as good.
          await open(pathOf(notes, folder.volume), 'wx', 0o600).then((entry) => entry.close(), unlessThere);
        } finally {
          await notes.close();
        }
        const made = await openWay(top, folder.folder.split('/'), DEFAULT_MODE);
        try {
          await permit(made, folder.mode);
        } finally {
          await made.close();
        }
      }),

    remove: (folder, signal) =>
      onShare(folder, signal, async (top) => {
        const own = await openWay(top, [SHARE_NOTES]).catch(noneAsUndefined);
        if (!own) return;
        try {
          const gone = pathOf(own, `gone-${folder.volume}`);
          await takeAway(top, own, folder, gone);
          // Of an agent that was killed before it was done there may be one.
          await removeTree(gone, signal);
        } finally {
          await own.close();
        }
      }),
  };
}

/** If the volume's entry is there: takes the folder out of its place, where no other volume is it, then the entry. */
async function takeAway(
  top: FileHandle,
  own: FileHandle,
  { volume, folder, onDelete }: ShareFolder,
  gone: string,
): Promise<void> {
  const notes = await openWay(own, [noteOf(folder)]).catch(noneAsUndefined);
  if (!notes) return;
  try {
    if (!(await lstat(pathOf(notes, volume)).catch(noneAsUndefined))) return;
    if (await hasOneEntry(notes))
      await moveAway(top, folder, (parent, name) =>
        onDelete === 'archive' ? archiveOf(parent, name, volume) : Promise.resolve(gone),
      );
    await unlink(pathOf(notes, volume));
  } finally {
    await notes.close();
  }
  await rmdir(pathOf(own, noteOf(folder))).catch((cause: NodeJS.ErrnoException) => {
    // Another volume has it still, or since.
    if (cause.code !== 'ENOTEMPTY' && cause.code !== 'EEXIST') throw cause;
  });
}

async function moveAway(
  top: FileHandle,
  folder: string,
  to: (parent: FileHandle, name: string) => Promise<string>,
): Promise<void> {
  const parts = folder.split('/');
  const name = parts.pop() ?? '';
  const parent = await openWay(top, parts).catch(noneAsUndefined);
  if (!parent) return;
  try {
    if (await isFolder(pathOf(parent, name))) await rename(pathOf(parent, name), await to(parent, name));
  } finally {
    await parent.close();
  }
}

/** Beside it; under a name of its own where one of an earlier volume is there. */
async function archiveOf(parent: FileHandle, name: string, volume: string): Promise<string> {
  const plain = pathOf(parent, `archived-${name}`);
  return (await lstat(plain).catch(noneAsUndefined)) ? pathOf(parent, `archived-${name}-${volume}`) : plain;
}

/** Names the place of a folder's entries. */
function noteOf(folder: string): string {
  return createHash('sha256').update(folder).digest('hex').slice(0, 32);
}

/** Opens what is below, part by part; with `mode` those that are missing are made. No part may be a link. */
async function openWay(top: FileHandle, parts: readonly string[], mode?: number): Promise<FileHandle> {
  let place = await openFolder(pathOf(top, '.'));
  try {
    for (const part of parts) {
      const at = pathOf(place, part);
      if (mode !== undefined) await mkdir(at, { mode }).catch(unlessThere);
      const next = await openFolder(at);
      await place.close();
      place = next;
    }
    return place;
  } catch (cause) {
    await place.close();
    throw cause;
  }
}

/** However many there are: a container may have put them there. */
async function hasOneEntry(folder: FileHandle): Promise<boolean> {
  const entries = await opendir(pathOf(folder));
  try {
    return (await entries.read()) !== null && (await entries.read()) === null;
  } finally {
    await entries.close();
  }
}

/** An empty one only: what somebody has been in keeps what they gave it. */
async function permit(folder: FileHandle, mode: number | undefined): Promise<void> {
  const entries = await opendir(pathOf(folder));
  try {
    if ((await entries.read()) !== null) return;
  } finally {
    await entries.close();
  }
  // mkdir leaves out what the umask says.
  await chmod(pathOf(folder), mode ?? DEFAULT_MODE).catch((cause: NodeJS.ErrnoException) => {
    // Somebody else's, on a server that takes root for nobody: as good as it was, unless more was asked for.
    if (mode !== undefined || cause.code !== 'EPERM') throw cause;
  });
}

async function isFolder(path: string): Promise<boolean> {
  return (await lstat(path).catch(noneAsUndefined))?.isDirectory() === true;
}

function unlessThere(cause: NodeJS.ErrnoException): void {
  if (cause.code !== 'EEXIST') throw cause;
}

function noneAsUndefined(cause: NodeJS.ErrnoException): undefined {
  if (cause.code === 'ENOENT') return undefined;
  throw cause;
}
