/**
 * Folders of data that outlives pods. One is made beside its place and renamed into it, and goes the same way: whenever
 * the agent is killed, a volume is there whole or not at all, and what is left over is known by its name.
 */
import { chmod, mkdir, readdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LOCAL_NAME } from '../../../contracts/objects/local-volumes.ts';
import type { PersistentFolders } from '../../ports/persistent-folders.ts';
import { makeFolder, readIfThere, syncFolder, writeDurably } from './durable.ts';
import type { Mounts } from './mounts.ts';
import { removeTree } from './remove-tree.ts';

const RECORD = 'volume.json';
const DATA = 'data';
/** As local-path of k3s makes them: containers write as whoever they run as. */
const DATA_MODE = 0o777;

/** The folder of a volume's data; made, with the record beside it, where it is not there yet. Idempotent. */
export async function makePersistent(
  root: string,
  volume: string,
  record: string,
  signal: AbortSignal,
): Promise<string> {
  if (!LOCAL_NAME.test(volume)) throw new Error(`${volume} is no name of a volume that is made here`);
  const place = join(root, volume);
  if (!(await isThere(place))) {
    await makeFolder(root, 0o711);
    const draft = join(root, `.${volume}.new`);
    await removeTree(draft, signal);
    await mkdir(draft, { mode: 0o711 });
    await mkdir(join(draft, DATA));
    // mkdir leaves out what the umask says.
    await chmod(join(draft, DATA), DATA_MODE);
    await writeDurably(join(draft, RECORD), record, 0o600);
    await rename(draft, place);
    await syncFolder(root);
  }
  return join(place, DATA);
}

export function persistentFolders(root: string, mounts: Pick<Mounts, 'isShown'>): PersistentFolders {
  return {
    async records() {
      const names = (await readdir(root).catch(() => [])).filter((name) => LOCAL_NAME.test(name));
      const texts = await Promise.all(
        names.map((name) => readIfThere(join(root, name, RECORD)).catch(() => undefined)),
      );
      return texts.filter((text) => text !== undefined);
    },

    async remove(volume, signal) {
      if (!LOCAL_NAME.test(volume)) throw new Error(`${volume} is no name of a volume that is made here`);
      const place = join(root, volume);
      const going = join(root, `.${volume}.gone`);
      if (await isThere(place)) {
        if (await mounts.isShown(volume)) throw new Error('a pod has it mounted');
        // Of an agent that was killed in between there may be one already; the two are never of one volume's life.
        await removeTree(going, signal);
        await rename(place, going);
        await syncFolder(root);
      }
      await removeTree(going, signal);
      await removeTree(join(root, `.${volume}.new`), signal);
    },
  };
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
