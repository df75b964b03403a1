/**
 * Images of volumes: file systems in files. One is mounted where the first pod has it, and shown to others from there.
 * There is nothing to undo but mounts: the kernel lets go of the loop device with the last of them, whatever became of
 * the agent (LO_FLAGS_AUTOCLEAR, loop(4)). Programs that write to an image hold a lock on its folder, so that one which
 * an agent left behind and one that its successor starts are never at an image at the same time.
 */
import { chmod, lstat, open, rmdir, statfs, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errorText } from '../../../contracts/errors.ts';
import { imageBytes } from '../../../contracts/objects/local-volumes.ts';
import { roomForVolumes } from '../../core/node/disk.ts';
import {
  deviceNumber,
  fileSystemBytes,
  LOOP_COLUMNS,
  loopDevices,
  mayGrowInto,
  SUPERBLOCK,
  type LoopDevice,
} from '../../core/node/volume-image.ts';
import type { RunCommand } from '../../ports/run-command.ts';
import { makeFolder, syncFolder, writeDurably } from './durable.ts';
import { mounted, type Mounts } from './mounts.ts';
import { createTurns } from './turns.ts';

/** For one image one call at a time: who calls sees to that. */
export interface VolumeImages {
  /** Makes `folder`, which is there, one with an image of a new file system. Throws an Error where there is no room. */
  make(folder: string, capacity: number, signal: AbortSignal): Promise<void>;
  /** Whether the folder has an image. Throws an Error where something else has its name. */
  has(folder: string): Promise<boolean>;
  /**
   * Shows what is in the image at `target`, and nothing happens where it is shown there. Before it is mounted its file
   * system is checked. Throws an Error where it has errors that a person must look at.
   */
  show(folder: string, target: string, signal: AbortSignal): Promise<void>;
  /**
   * Gives the image at least so many bytes, and its file system, too, where it is in use; else that gets them before the
   * next pod has it. Idempotent. Throws an Error where there is no room, and where this kernel lets none grow in use.
   */
  grow(folder: string, capacity: number, signal: AbortSignal): Promise<void>;
  /** Bytes that it takes of the disk; 0 where there is none. */
  size(folder: string): Promise<number>;
  /** Whether it is mounted, here or elsewhere. */
  isInUse(folder: string, signal: AbortSignal): Promise<boolean>;
}

const IMAGE = 'image';
/** Beside an image in which nobody has been yet. */
const FRESH = 'fresh';
/** As local-path of k3s makes folders: containers write as whoever they run as. */
const DATA_MODE = 0o777;
/** No device of a container's own making; what is damaged is not written on. */
const OPTIONS = 'loop,nodev,errors=remount-ro';
/** A program of an agent before this one is waited for so many seconds; the exit code, where in vain, is sysexits' own. */
const LOCK = ['flock', '--timeout', '10', '--conflict-exit-code', '75'] as const;
/** What a growth has overwritten so far. It is gone before anything is mounted. */
const UNDO = 'undo';
const ANY = 255;
/** Exit codes from here on: errors are left. Source: e2fsck(8). */
const UNMENDED = 4;

export function volumeImages(run: RunCommand, mounts: Pick<Mounts, 'bind' | 'isMounted'>): VolumeImages {
  const inTurn = createTurns();

  /** Makes the image so long. What another one takes of the disk meanwhile is not there for this one. */
  function lengthen(
    folder: string,
    from: number,
    to: number,
    take: (argv: readonly string[]) => Promise<unknown>,
  ): Promise<void> {
    return inTurn(dirname(folder), async () => {
      await needRoom(folder, to - from);
      await take(['fallocate', '--length', String(to), join(folder, IMAGE)]);
    });
  }

  async function command(argv: readonly string[], signal: AbortSignal, worst = 0): Promise<string> {
    const result = await run(argv, { signal }).catch((cause: unknown) => {
      if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
      throw new Error(`this node has no ${argv[0] ?? ''}: install e2fsprogs and util-linux`, { cause });
    });
    if (argv[0] === 'flock' && result.code === 75) throw new Error('another program is at its image still');
    if (result.code === null || result.code > worst)
      throw new Error(`${argv.join(' ')}: ${(result.stderr.trim() || result.stdout.trim()).slice(-1000)}`);
    return result.stdout;
  }

  const locked = (folder: string, argv: readonly string[], signal: AbortSignal, worst?: number): Promise<string> =>
    command([...LOCK, folder, ...argv], signal, worst);

  async function devicesOf(folder: string, signal: AbortSignal): Promise<readonly LoopDevice[]> {
    const { ino, dev } = await imageOf(folder);
    const text = await command(['losetup', '--list', '--noheadings', '--output', LOOP_COLUMNS], signal);
    return loopDevices(text).filter(({ inode, on }) => inode === ino && on === deviceNumber(dev));
  }

  async function check(folder: string, signal: AbortSignal, ...how: readonly string[]): Promise<void> {
    await locked(folder, ['e2fsck', '-p', ...how, join(folder, IMAGE)], signal, UNMENDED - 1);
  }

  /** Takes back a growth that was cut off. What it noted may not reach as far as to be of use: the check tells. */
  async function rewind(folder: string, signal: AbortSignal): Promise<void> {
    const undo = join(folder, UNDO);
    const isCutOff = await isThere(undo);
    if (isCutOff) await locked(folder, ['e2undo', '-f', undo, join(folder, IMAGE)], signal, ANY);
    await check(folder, signal);
    if (isCutOff) await removeDurably(folder, UNDO);
  }

  /**
   * While nothing has it mounted. One that is cut off leaves what `e2fsck -p` mends only now and then: what was there is
   * noted first.
   */
  async function fillUnused(folder: string, signal: AbortSignal): Promise<void> {
    const [image, undo] = [join(folder, IMAGE), join(folder, UNDO)];
    await check(folder, signal, '-f');
    await locked(folder, ['resize2fs', '-z', undo, image], signal);
    await syncFile(image);
    await removeDurably(folder, UNDO);
  }

  /** While it is mounted, by the kernel, with its journal. Where the kernel does not, an Error. */
  async function fillMounted(folder: string, device: LoopDevice, signal: AbortSignal): Promise<void> {
    await locked(folder, ['losetup', '--set-capacity', device.name], signal);
    await locked(folder, ['resize2fs', device.name], signal);
  }

  async function mount(folder: string, target: string, signal: AbortSignal): Promise<void> {
    await locked(folder, ['mount', '-t', 'ext4', '-o', OPTIONS, join(folder, IMAGE), target], signal);
  }

  /** Whether nobody but this pod has it. */
  async function attach(folder: string, target: string, signal: AbortSignal): Promise<boolean> {
    await locked(folder, ['true'], signal);
    const devices = await devicesOf(folder, signal);
    if (devices.length > 0) {
      await bindFrom(devices, target, signal);
      return false;
    }
    await rewind(folder, signal);
    await makeFolder(target, 0o750);
    await mount(folder, target, signal);
    return true;
  }

  /** The rest of a growth that the image has room for. Where others have it and the kernel does not: with the next pod. */
  async function fill(folder: string, target: string, isAlone: boolean, signal: AbortSignal): Promise<void> {
    if (!(await hasRoomLeft(folder))) return;
    const [device] = await devicesOf(folder, signal);
    try {
      if (device) await fillMounted(folder, device, signal);
    } catch {
      if (!isAlone) return;
      await command(['umount', target], signal);
      await fillUnused(folder, signal);
      await mount(folder, target, signal);
    }
  }

  async function bindFrom(devices: readonly LoopDevice[], target: string, signal: AbortSignal): Promise<void> {
    const there = (await mounted()).find(
      ({ root, device }) => root === '/' && devices.some((d) => d.device === device),
    );
    if (!there)
      throw new Error(`its image is in use as ${devices.map(({ name }) => name).join()}, and not mounted here`);
    await mounts.bind(there.point, target, signal, there.device);
  }

  async function welcome(folder: string, target: string): Promise<void> {
    // Programs that want an empty folder, such as initdb, refuse one with it. e2fsck makes it anew where it needs it.
    await rmdir(join(target, 'lost+found')).catch(() => undefined);
    if (!(await isThere(join(folder, FRESH)))) return;
    await chmod(target, DATA_MODE);
    await removeDurably(folder, FRESH);
  }

  return {
    async make(folder, capacity, signal) {
      const image = join(folder, IMAGE);
      const bytes = imageBytes(capacity);
      await (await open(image, 'wx', 0o600)).close();
      // Taken now: a file system that finds no room under it later loses what was written.
      await lengthen(folder, 0, bytes, (argv) => command(argv, signal));
      await command(['mkfs.ext4', '-q', '-b', '4096', '-m', '0', '-E', 'nodiscard', image], signal);
      await writeDurably(join(folder, FRESH), '', 0o600);
    },

    has: async (folder) => (await imageOf(folder).catch(noneAsUndefined)) !== undefined,

    async show(folder, target, signal) {
      const isAlone = !(await mounts.isMounted(target)) && (await attach(folder, target, signal));
      await fill(folder, target, isAlone, signal);
      await welcome(folder, target);
    },

    async grow(folder, capacity, signal) {
      const bytes = imageBytes(capacity);
      const { size } = await imageOf(folder);
      if (size < bytes) await lengthen(folder, size, bytes, (argv) => locked(folder, argv, signal));
      const [device] = await devicesOf(folder, signal);
      if (!device || !(await hasRoomLeft(folder))) return;
      await fillMounted(folder, device, signal).catch((cause: unknown) => {
        throw new Error(`it does not grow while it is in use: ${errorText(cause)}`, { cause });
      });
    },

    size: async (folder) => (await imageOf(folder).catch(noneAsUndefined))?.size ?? 0,

    async isInUse(folder, signal) {
      return (await this.has(folder)) && (await devicesOf(folder, signal)).length > 0;
    },
  };
}

/**
 * Neither a link nor a second name of another file: a pod that was given this folder of the machine may have put it
 * there.
 */
async function imageOf(folder: string): Promise<{ ino: number; dev: number; size: number }> {
  const found = await lstat(join(folder, IMAGE));
  if (!found.isFile() || found.nlink !== 1 || found.uid !== process.geteuid?.() || (found.mode & 0o077) !== 0)
    throw new Error(`${join(folder, IMAGE)} is no image that was made here`);
  return found;
}

async function isThere(path: string): Promise<boolean> {
  return (await lstat(path).catch(noneAsUndefined)) !== undefined;
}

async function removeDurably(folder: string, name: string): Promise<void> {
  await unlink(join(folder, name));
  await syncFolder(folder);
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

function noneAsUndefined(cause: NodeJS.ErrnoException): undefined {
  if (cause.code === 'ENOENT' || cause.code === 'ENOTDIR') return undefined;
  throw cause;
}

async function hasRoomLeft(folder: string): Promise<boolean> {
  const { size } = await imageOf(folder);
  const file = await open(join(folder, IMAGE), 'r');
  try {
    const superblock = Buffer.alloc(SUPERBLOCK.bytes);
    await file.read(superblock, 0, SUPERBLOCK.bytes, SUPERBLOCK.at);
    const bytes = fileSystemBytes(superblock);
    if (bytes === undefined) throw new Error(`${join(folder, IMAGE)} has no file system in it`);
    return mayGrowInto(size, bytes);
  } finally {
    await file.close();
  }
}

/** Bytes that volumes may still take of the disk which the folder is on. */
export async function roomAt(folder: string): Promise<number> {
  const { blocks, bavail, bsize } = await statfs(folder);
  return roomForVolumes({ bytes: blocks * bsize, freeBytes: bavail * bsize });
}

async function needRoom(folder: string, bytes: number): Promise<void> {
  const room = await roomAt(dirname(folder));
  // How much there is changes all the time, and each other word would be told anew.
  if (bytes > room) throw new Error(`the node's disk has no room for ${bytes} more bytes of volumes`);
}
