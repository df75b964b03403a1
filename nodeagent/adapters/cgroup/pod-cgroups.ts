/**
 * Cgroups of pods, version 1 and 2. With the systemd driver a slice's files are written as well: systemd leaves them as
 * they are until somebody changes the slice. Source: the kernel's cgroup-v1/pids.rst and cgroup-v2.rst.
 */
import { constants } from 'node:fs';
import { readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CGROUP_KNOBS, type CgroupFile, type CgroupKnob } from '../../core/pod/cgroup-values.ts';
import { pidsLimits } from '../../core/pod/pids.ts';
import type { PodLimits } from '../../core/pod/pod-limits.ts';
import type { PodCgroups } from '../../ports/pod-cgroups.ts';
import { cgroupPath } from './cgroup-path.ts';

/** `root`: where the hierarchies are mounted. A machine without a controller has no such limits. */
export function podCgroups(root = '/sys/fs/cgroup'): PodCgroups {
  return {
    async limit(parent, limits, how) {
      const path = cgroupPath(parent);
      await limitPids(root, path);
      if (limits) for (const knob of CGROUP_KNOBS) await turn(root, path, knob, limits, how);
    },
    async processesIn(parent) {
      for (const folder of [join(root, 'pids'), root]) {
        const text = await read(join(folder, cgroupPath(parent), 'pids.current'));
        if (text !== undefined) return Number(text);
      }
      return undefined;
    },
    async remove(parent) {
      const path = cgroupPath(parent);
      const hierarchies = (await readdir(root).catch(() => [])).map((name) => join(root, name));
      await Promise.all([root, ...hierarchies].map((folder) => rmdir(join(folder, path)).catch(() => undefined)));
    },
  };
}

async function turn(
  root: string,
  path: string,
  { amount, v1, v2, use }: CgroupKnob,
  limits: PodLimits,
  how: 'set' | 'raise',
): Promise<void> {
  const wanted = amount(limits);
  for (const [version, file] of Object.entries({ v1, v2 }) as ['v1' | 'v2', CgroupFile][]) {
    const cgroup = join(root, file.controller, path);
    const text = await read(join(cgroup, file.file));
    if (text === undefined) continue;
    const now = file.read(text);
    if (now === wanted || (how === 'raise' && now > wanted)) return;
    const holds = use && wanted < now ? Number((await read(join(cgroup, use[version]))) ?? 0) : 0;
    if (holds > wanted)
      throw new Error(`attempting to set pod memory limit (${wanted}) below current usage (${holds})`);
    await write(cgroup, file.file, file.write(wanted));
    return;
  }
}

async function limitPids(root: string, path: string): Promise<void> {
  const [pidMax, threadsMax] = await Promise.all(
    ['pid_max', 'threads-max'].map(async (name) => Number(await readFile(`/proc/sys/kernel/${name}`, 'utf8'))),
  );
  const limits = pidsLimits({ pidMax: pidMax ?? 0, threadsMax: threadsMax ?? 0 });
  for (const folder of [join(root, 'pids'), root]) {
    if (!(await write(join(folder, path), 'pids.max', String(limits.pod)))) continue;
    await write(join(folder, dirname(path)), 'pids.max', String(limits.pods));
    return;
  }
}

/** Undefined where there is no such file: that is no cgroup of this hierarchy then. */
async function read(path: string): Promise<string | undefined> {
  return await readFile(path, 'utf8').catch(unlessMissing);
}

/** Tells whether there is such a file: it is never made. */
async function write(cgroup: string, file: string, text: string): Promise<boolean> {
  return await writeFile(join(cgroup, file), text, { flag: constants.O_WRONLY | constants.O_TRUNC }).then(
    () => true,
    (cause: unknown) => {
      unlessMissing(cause);
      return false;
    },
  );
}

function unlessMissing(cause: unknown): undefined {
  if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
}
