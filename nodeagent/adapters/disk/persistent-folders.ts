/**
 * Data that outlives pods: a folder for each volume, with its record and either a folder `data` or an image whose size
 * is that of the volume. One is made beside its place and renamed into it, and goes the same way: whenever the agent is
 * killed, a volume is there whole or not at all, and what is left over is known by its name. A file system is made in
 * no image but a new one.
 */
import { chmod, mkdir, readdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LOCAL_NAME } from '../../../contracts/objects/local-volumes.ts';
import type { PersistentMount } from '../../core/pod/volumes/source.ts';
import type { PersistentFolders } from '../../ports/persistent-folders.ts';
import { readEnd } from './descriptors.ts';
import { makeFolder, syncFolder, writeDurably } from './durable.ts';
import type { Mounts } from './mounts.ts';
import { removeTree } from './remove-tree.ts';
import { createTurns } from './turns.ts';
import { roomAt, type VolumeImages } from './volume-images.ts';

const RECORD = 'volume.json';
/** As much as any object of Kubernetes has. */
const MOST_RECORD_BYTES = 1.5 * 2 ** 20;
const DATA = 'data';
/** As local-path of k3s makes them: containers write as whoever they run as. */
const DATA_MODE = 0o777;

export type MadeVolume = Extract<PersistentMount['from'], { is: 'made' }>;

export interface ShownFolders extends PersistentFolders {
  /** Shows a volume's data at `target`; made, with the record beside it, where it is not there yet. Idempotent. */
  show(volume: MadeVolume, target: string, signal: AbortSignal): Promise<void>;
}

export function persistentFolders(
  root: string,
  mounts: Pick<Mounts, 'bind' | 'isShown'>,
  images: VolumeImages,
): ShownFolders {
  async function make({ volume, record, bytes }: MadeVolume, signal: AbortSignal): Promise<void> {
    await makeFolder(root, 0o711);
    const draft = join(root, `.${volume}.new`);
    await removeTree(draft, signal);
    await mkdir(draft, { mode: 0o711 });
    if (bytes === undefined) {
      await mkdir(join(draft, DATA));
      // mkdir leaves out what the umask says.
      await chmod(join(draft, DATA), DATA_MODE);
    } else await images.make(draft, bytes, signal);
    await writeDurably(join(draft, RECORD), record, 0o600);
    await rename(draft, join(root, volume));
    await syncFolder(root);
  }

  // Several pods may have one volume, and each would make it.
  const inTurn = createTurns();

  async function remove(volume: string, signal: AbortSignal): Promise<void> {
    const place = placeOf(volume);
    const going = join(root, `.${volume}.gone`);
    if (await isThere(place)) {
      if ((await mounts.isShown(volume)) || (await images.isInUse(place, signal)))
        throw new Error('a pod has it mounted');
      // Of an agent that was killed in between there may be one already; the two are never of one volume's life.
      await removeTree(going, signal);
      await rename(place, going);
      await syncFolder(root);
    }
    await removeTree(going, signal);
    await removeTree(join(root, `.${volume}.new`), signal);
  }

  return {
    show: (from, target, signal) =>
      inTurn(from.volume, async () => {
        const place = placeOf(from.volume);
        if (!(await isThere(place))) await make(from, signal);
        if (await images.has(place)) await images.show(place, target, signal);
        else await mounts.bind(join(place, DATA), target, signal);
      }),

    async records() {
      const names = (await readdir(root).catch(() => [])).filter((name) => LOCAL_NAME.test(name));
      const texts = await Promise.all(names.map((name) => recordAt(join(root, name, RECORD)).catch(() => undefined)));
      return texts.filter((text) => text !== undefined);
    },

    async room(volumes) {
      await makeFolder(root, 0o711);
      // Sizes first: of one that is being made meanwhile less is told, not more.
      const taken = await Promise.all(volumes.map((volume) => images.size(placeOf(volume))));
      return taken.reduce((sum, bytes) => sum + bytes, await roomAt(root));
    },

    grow: (volume, bytes, signal) =>
      inTurn(volume, async () => {
        const place = placeOf(volume);
        if (!(await isThere(place))) throw new Error('no pod has used it yet');
        // An agent before this one may have made a folder, which nothing holds to a size.
        if (await images.has(place)) await images.grow(place, bytes, signal);
      }),

    remove: (volume, signal) => inTurn(volume, () => remove(volume, signal)),
  };

  function placeOf(volume: string): string {
    if (!LOCAL_NAME.test(volume)) throw new Error(`${volume} is no name of a volume that is made here`);
    return join(root, volume);
  }
}

/** Of a regular file alone: a pod that was given this folder of the machine may have put something else there. */
async function recordAt(path: string): Promise<string | undefined> {
  const record = await readEnd(path, MOST_RECORD_BYTES + 1);
  return record.length === 0 || record.length > MOST_RECORD_BYTES ? undefined : record.toString('utf8');
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
