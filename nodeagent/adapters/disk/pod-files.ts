/** Pods' files on a Linux machine. */
import { access, chmod, readdir, realpath, rename, rm, statfs, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errorText } from '../../../contracts/errors.ts';
import {
  endingFile,
  imageVolumesMark,
  logFolder,
  MEDIA,
  podFolder,
  podsFolder,
  terminationFolder,
  type NodeFolders,
} from '../../core/pod/layout.ts';
import { messagesOf } from '../../core/logs/cri-log.ts';
import { podOfLogFolder } from '../../core/pod/identity.ts';
import type { ImageFiles } from '../../ports/image-files.ts';
import type { PodFiles } from '../../ports/pod-files.ts';
import { readBeginning, readEnd } from './descriptors.ts';
import { makeFolder } from './durable.ts';
import type { Mounts } from './mounts.ts';
import { graceLeft } from './grace.ts';
import type { ShownFolders } from './persistent-folders.ts';
import { removeTree } from './remove-tree.ts';
import { makeVolume } from './volumes/index.ts';

const TMPFS_MAGIC = 0x0102_1994;
const RAMFS_MAGIC = 0x8584_58f6;
const TERMINATION_BYTES = 4096;
const HOST_FILE_BYTES = 64 * 1024;
const TAIL_BYTES = 2048;
const TAIL_LINES = 80;

export function podFiles(
  folders: NodeFolders,
  mounts: Mounts,
  kept: Pick<ShownFolders, 'show'>,
  images: ImageFiles,
): PodFiles {
  return {
    async prepare(signal) {
      await makeFolder(folders.state, 0o700);
      await makeFolder(folders.run, 0o700);
      await makeFolder(folders.podLogs, 0o755);
      if (!(await isInMemory(folders.run))) await mounts.memory(folders.run, ['mode=0700', 'nosuid', 'nodev'], signal);
    },

    async syncVolumes(plans, signal) {
      for (const plan of plans) {
        if (plan.kind === 'image') await makeFolder(imageVolumesMark(folders, plan.podUid), 0o700);
        await makeVolume(plan, mounts, signal, { kept, images }).catch((cause: unknown) => {
          throw new Error(`MountVolume.SetUp failed for volume "${plan.name}" : ${errorText(cause)}`, { cause });
        });
      }
    },

    isMounted: (path) => mounts.isMounted(path),

    async ofHost() {
      const text = async (path: string): Promise<string | undefined> => {
        const found = await realpath(path).catch(() => undefined);
        return found === undefined ? undefined : (await readBeginning(found, HOST_FILE_BYTES))?.toString('utf8');
      };
      return {
        hosts: (await text('/etc/hosts')) ?? '',
        etc: await text('/etc/resolv.conf'),
        behindStub: await text('/run/systemd/resolve/resolv.conf'),
      };
    },

    async prepareContainer(files, signal) {
      await makeFolder(dirname(files.terminationFile), 0o755);
      await makeFolder(files.logFolder, 0o755);
      // The container writes it as whoever it runs as.
      await writeFile(files.terminationFile, '');
      await chmod(files.terminationFile, 0o666);
      if (files.hostsFile) {
        await makeFolder(dirname(files.hostsFile.path), 0o755);
        await replaceIfOther(files.hostsFile.path, files.hostsFile.text);
      }
      for (const { volume, subPath, target } of files.subPaths) await mounts.subPath(volume, subPath, target, signal);
    },

    graceLeft: (pod, { name, id }, graceMs) => graceLeft(endingFile(folders, pod.uid, name), id, graceMs),

    async terminationMessage(path) {
      return (await readEnd(path, TERMINATION_BYTES)).toString('utf8');
    },

    async logTail(path) {
      const text = (await readEnd(path, TAIL_BYTES * 4)).toString('utf8');
      const lines = messagesOf(text.split('\n')).slice(-TAIL_LINES).join('\n');
      return lines.slice(-TAIL_BYTES);
    },

    async remove(pod, signal) {
      for (const medium of MEDIA) {
        const folder = podFolder(folders, pod.uid, medium);
        if (medium === 'network') await mounts.removeNetworkBeneath(folder, signal);
        else await mounts.removeBeneath(folder, signal);
        if (medium === 'disk' && (await isThere(imageVolumesMark(folders, pod.uid))))
          await images.release(pod.uid, signal);
        await removeTree(folder, signal);
      }
      await removeTree(logFolder(folders, pod), signal);
    },

    async list() {
      const [logs = [], ...uids] = await Promise.all(
        [folders.podLogs, ...MEDIA.map((medium) => podsFolder(folders, medium))].map((folder) =>
          readdir(folder).catch(() => []),
        ),
      );
      const unnamed = uids.flat().map((uid) => ({ namespace: '', name: '', uid }));
      const named = logs.flatMap((name) => podOfLogFolder(name) ?? []);
      return [...new Map([...unnamed, ...named].map((pod) => [pod.uid, pod])).values()];
    },

    async tidyAttempts(pod, container, upTo, keep) {
      for (const root of [logFolder(folders, pod), terminationFolder(folders, pod.uid)]) {
        for (const file of await readdir(join(root, container)).catch(() => [])) {
          const attempt = Number.parseInt(file, 10);
          if (attempt <= upTo && !keep.has(attempt)) await rm(join(root, container, file), { force: true });
        }
      }
    },
  };
}

/** The containers that it is shown in may have written to it, but not put anything in its place. */
async function replaceIfOther(path: string, text: string): Promise<void> {
  const wanted = Buffer.from(text);
  const there = await readBeginning(path, wanted.length + 1);
  if (there?.equals(wanted) === true) return;
  const draft = `${path}.new`;
  await writeFile(draft, wanted, { mode: 0o644 });
  await rename(draft, path);
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function isInMemory(path: string): Promise<boolean> {
  const { type } = await statfs(path);
  return type === TMPFS_MAGIC || type === RAMFS_MAGIC;
}
