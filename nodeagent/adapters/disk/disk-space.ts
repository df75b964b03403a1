/** The node's disks: the file systems themselves, pods' files on them, and the runtime's word on the rest. */
import { open, rm, stat, statfs, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { logFolder, podFolder, volumeFolder, type NodeFolders } from '../../core/pod/layout.ts';
import type { DiskUse } from '../../core/node/disk.ts';
import type { DiskSpace, RuntimeDisk } from '../../ports/disk-space.ts';
import { writeAll } from './durable.ts';
import { treeSize } from './tree-size.ts';

/** Entries of one pod that are counted. */
const MAX_ENTRIES = 200_000;
const CHUNK_BYTES = 256 * 1024;
/** Less than that is not worth to be held. */
const LITTLE_BYTES = 64 * 1024;

export function diskSpace(folders: NodeFolders, runtime: RuntimeDisk): DiskSpace {
  const reserve = join(folders.state, 'reserve');
  let imageFolder: string | undefined;
  return {
    async read(signal) {
      const node = await useOf(folders.state);
      // While the runtime does not answer, and where its folder is out of sight, the node's own disk stands for both.
      imageFolder ??= await runtime.imageFolder(signal).catch(() => undefined);
      const images = imageFolder === undefined ? undefined : await useOf(imageFolder).catch(() => undefined);
      return { node, images: images ?? node };
    },
    imagesInUse: (signal) => runtime.imagesInUse(signal),
    writtenByContainers: (signal) => runtime.writtenByContainers(signal),
    async reserve(bytes) {
      if ((await stat(reserve).catch(() => undefined))?.size !== bytes) await fill(reserve, bytes);
    },
    async giveBack() {
      const held = (await stat(reserve).catch(() => undefined))?.size;
      if (held === undefined) return false;
      if (held < 2 * LITTLE_BYTES) await rm(reserve, { force: true });
      else await truncate(reserve, Math.floor(held / 2));
      return true;
    },
    volumeOf: (pod, volume) => treeSize(volumeFolder(folders, pod.uid, volume, 'disk'), MAX_ENTRIES),
    logsOf: (pod, container) => treeSize(join(logFolder(folders, pod), container), MAX_ENTRIES),
    async filesOf(pod) {
      const [files, logs] = await Promise.all([
        treeSize(podFolder(folders, pod.uid, 'disk'), MAX_ENTRIES),
        treeSize(logFolder(folders, pod), MAX_ENTRIES),
      ]);
      return {
        bytes: files.bytes + logs.bytes,
        files: files.files + logs.files,
        whole: files.whole && logs.whole,
      };
    },
  };
}

async function useOf(folder: string): Promise<DiskUse> {
  const { blocks, bavail, bsize, files, ffree } = await statfs(folder);
  return { bytes: blocks * bsize, freeBytes: bavail * bsize, inodes: files, freeInodes: ffree };
}

/** A file that really takes its bytes of the disk. Gone when it cannot. */
async function fill(path: string, bytes: number): Promise<void> {
  const file = await open(path, 'w', 0o600);
  try {
    const chunk = Buffer.alloc(CHUNK_BYTES);
    for (let at = 0; at < bytes; at += CHUNK_BYTES)
      await writeAll(file, chunk.subarray(0, Math.min(CHUNK_BYTES, bytes - at)), at);
    await file.datasync();
  } catch (cause) {
    await rm(path, { force: true });
    throw cause;
  } finally {
    await file.close();
  }
}
