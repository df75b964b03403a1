/** The node's disks: the file systems themselves, pods' files on them, and the runtime's word on the rest. */
import { statfs } from 'node:fs/promises';
import { logFolder, podFolder, type NodeFolders } from '../../core/pod/layout.ts';
import type { DiskUse } from '../../core/node/disk.ts';
import type { DiskSpace, RuntimeDisk } from '../../ports/disk-space.ts';
import { treeSize } from './tree-size.ts';

/** Entries of one pod that are counted. */
const MAX_ENTRIES = 200_000;

export function diskSpace(folders: NodeFolders, runtime: RuntimeDisk): DiskSpace {
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
    async filesOf(pod) {
      const [files, logs] = await Promise.all([treeSize(podFolder(folders, pod.uid, 'disk'), MAX_ENTRIES), treeSize(logFolder(folders, pod), MAX_ENTRIES)]);
      return files + logs;
    },
  };
}

async function useOf(folder: string): Promise<DiskUse> {
  const { blocks, bavail, bsize, files, ffree } = await statfs(folder);
  return { bytes: blocks * bsize, freeBytes: bavail * bsize, inodes: files, freeInodes: ffree };
}
