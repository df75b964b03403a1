/** Pods' files on a Linux machine. */
import { chmod, chown, mkdir, open, readdir, readFile, realpath, rm, rmdir, stat, statfs, writeFile } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { podFolder, volumeFolder, type NodeFolders } from '../../core/pod/layout.ts';
import { logFolder } from '../../core/pod/layout.ts';
import { messagesOf } from '../../core/logs/cri-log.ts';
import type { VolumePlan } from '../../core/pod/volumes.ts';
import type { PodFiles } from '../../ports/pod-files.ts';
import type { RunCommand } from '../../ports/run-command.ts';
import { makeFolder, removeTree } from './durable.ts';
import { writeVolumeFiles } from './volume-files.ts';

const TMPFS_MAGIC = 0x0102_1994;
const RAMFS_MAGIC = 0x8584_58f6;
const TERMINATION_BYTES = 4096;
const TAIL_BYTES = 2048;
const TAIL_LINES = 80;
const CGROUP_ROOT = '/sys/fs/cgroup';

export function podFiles(folders: NodeFolders, run: RunCommand): PodFiles {
  async function mount(argv: readonly string[], signal: AbortSignal): Promise<void> {
    const result = await run(argv, { signal });
    if (result.code !== 0) throw new Error(`${argv.join(' ')}: ${result.stderr.trim()}`);
  }

  async function syncVolume(plan: VolumePlan, signal: AbortSignal): Promise<void> {
    switch (plan.kind) {
      case 'files': return writeVolumeFiles(plan.path, plan.files, plan.group);
      case 'host': return checkHostPath(plan.path, plan.type);
      case 'empty': {
        await makeFolder(plan.path, 0o777);
        if (plan.medium === 'memory' && !(await isMountPoint(plan.path))) {
          await mount(['mount', '-t', 'tmpfs', '-o', `mode=0777${plan.sizeBytes === undefined ? '' : `,size=${Math.ceil(plan.sizeBytes)}`}`, 'tmpfs', plan.path], signal);
        }
        if (plan.group !== undefined) await chown(plan.path, 0, plan.group);
        // The setgid bit hands the group on to what is made inside.
        await chmod(plan.path, plan.group === undefined ? 0o777 : 0o2777);
      }
    }
  }

  return {
    async prepare(signal) {
      await makeFolder(folders.state, 0o700);
      await makeFolder(folders.run, 0o700);
      await makeFolder(folders.podLogs, 0o755);
      if (!(await isInMemory(folders.run))) await mount(['mount', '-t', 'tmpfs', '-o', 'mode=0700,nosuid,nodev', 'tmpfs', folders.run], signal);
    },

    async syncVolumes(plans, signal) {
      for (const plan of plans) {
        await syncVolume(plan, signal).catch((cause: unknown) => {
          throw new Error(`MountVolume.SetUp failed for volume "${plan.name}" : ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
        });
      }
    },

    async prepareContainer(files) {
      await makeFolder(dirname(files.terminationFile), 0o755);
      await makeFolder(files.logFolder, 0o755);
      // The container writes it as whoever it runs as.
      await writeFile(files.terminationFile, '');
      await chmod(files.terminationFile, 0o666);
      if (files.hostsFile) {
        await makeFolder(dirname(files.hostsFile.path), 0o755);
        await writeFile(files.hostsFile.path, files.hostsFile.text, { mode: 0o644 });
      }
      for (const { volume, path } of files.subPaths) await makeSubPath(volume, path);
    },

    async terminationMessage(path) {
      return readEnd(path, TERMINATION_BYTES);
    },

    async logTail(path) {
      const text = await readEnd(path, TAIL_BYTES * 4);
      const lines = messagesOf(text.split('\n')).slice(-TAIL_LINES).join('\n');
      return lines.slice(-TAIL_BYTES);
    },

    async remove(pod, cgroupParent, signal) {
      const memory = podFolder(folders, pod.uid, 'memory');
      for (const name of await readdir(join(memory, 'volumes')).catch(() => [])) {
        const path = volumeFolder(folders, pod.uid, name, 'memory');
        if (await isMountPoint(path)) await mount(['umount', path], signal);
      }
      await removeTree(memory);
      await removeTree(podFolder(folders, pod.uid, 'disk'));
      await removeTree(logFolder(folders, pod));
      await removeCgroups(cgroupParent);
    },

    async list() {
      const found = await Promise.all([folders.state, folders.run].map((folder) => readdir(join(folder, 'pods')).catch(() => [])));
      return [...new Set(found.flat())];
    },

    async tidyLogs(pod, keep) {
      const root = logFolder(folders, pod);
      for (const container of await readdir(root).catch(() => [])) {
        for (const file of await readdir(join(root, container)).catch(() => [])) {
          if (!keep.has(`${container}/${file.split('.')[0] ?? ''}`)) await rm(join(root, container, file), { force: true });
        }
      }
    },
  };
}

async function isInMemory(path: string): Promise<boolean> {
  const { type } = await statfs(path);
  return type === TMPFS_MAGIC || type === RAMFS_MAGIC;
}

async function isMountPoint(path: string): Promise<boolean> {
  try {
    const [own, above] = await Promise.all([stat(path), stat(dirname(path))]);
    return own.dev !== above.dev;
  } catch {
    return false;
  }
}

type HostPathType = Extract<VolumePlan, { kind: 'host' }>['type'];

async function checkHostPath(path: string, type: HostPathType): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  switch (type) {
    case '': return;
    case 'DirectoryOrCreate':
      if (!found) await mkdir(path, { recursive: true, mode: 0o755 });
      else if (!found.isDirectory()) throw new Error(`hostPath type check failed: ${path} is not a directory`);
      return;
    case 'Directory':
      if (!found?.isDirectory()) throw new Error(`hostPath type check failed: ${path} is not a directory`);
      return;
    case 'FileOrCreate':
      if (!found) await (await open(path, 'a', 0o644)).close();
      else if (!found.isFile()) throw new Error(`hostPath type check failed: ${path} is not a file`);
      return;
    case 'File':
      if (!found?.isFile()) throw new Error(`hostPath type check failed: ${path} is not a file`);
  }
}

/** A link that a container put into its volume must not lead the next one out of it. */
async function makeSubPath(volume: string, path: string): Promise<void> {
  const root = await realpath(volume);
  const found = await realpath(path).catch(() => undefined);
  if (found === undefined) {
    const parent = await realpath(dirname(path)).catch(() => undefined);
    if (parent !== undefined && parent !== root && !parent.startsWith(`${root}${sep}`)) throw new Error(`subPath ${path} leaves its volume`);
    await mkdir(path, { recursive: true, mode: 0o755 });
  } else if (found !== root && !found.startsWith(`${root}${sep}`)) throw new Error(`subPath ${path} leaves its volume`);
}

async function readEnd(path: string, bytes: number): Promise<string> {
  const content = await readFile(path).catch(() => Buffer.alloc(0));
  return content.subarray(-bytes).toString('utf8');
}

/** The pod's own cgroup is empty once its containers' are gone. `parent`: `/plumbline/podUID`, or a slice's name. */
async function removeCgroups(parent: string): Promise<void> {
  const path = parent.startsWith('/') ? parent : slicePath(parent);
  const hierarchies = (await readdir(CGROUP_ROOT).catch(() => [])).map((name) => join(CGROUP_ROOT, name));
  await Promise.all([CGROUP_ROOT, ...hierarchies].map((root) => rmdir(join(root, path)).catch(() => undefined)));
}

/** `a-b.slice` is in `a.slice`. Source: systemd.slice(5). */
function slicePath(slice: string): string {
  const parts = slice.replace(/\.slice$/, '').split('-');
  return parts.map((_part, index) => `/${parts.slice(0, index + 1).join('-')}.slice`).join('');
}
