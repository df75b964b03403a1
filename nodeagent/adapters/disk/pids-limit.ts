/** Limits of processes on cgroups, version 1 and 2. Source: the kernel's cgroup-v1/pids.rst and cgroup-v2.rst. */
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pidsLimits } from '../../core/pod/pids.ts';

/** `path`: of a pod's cgroup below each hierarchy. A machine without the controller has no limits. */
export async function limitPids(cgroupRoot: string, path: string): Promise<void> {
  const [pidMax, threadsMax] = await Promise.all(
    ['pid_max', 'threads-max'].map(async (name) => Number(await readFile(`/proc/sys/kernel/${name}`, 'utf8'))),
  );
  const limits = pidsLimits({ pidMax: pidMax ?? 0, threadsMax: threadsMax ?? 0 });
  for (const root of [join(cgroupRoot, 'pids'), cgroupRoot]) {
    if (!(await write(join(root, path), limits.pod))) continue;
    await write(join(root, dirname(path)), limits.pods);
    return;
  }
}

/** Tells whether the cgroup counts processes. */
async function write(cgroup: string, limit: number): Promise<boolean> {
  try {
    // Not made where it is missing: that is no cgroup of this hierarchy then.
    await writeFile(join(cgroup, 'pids.max'), String(limit), { flag: 'r+' });
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw cause;
  }
}
