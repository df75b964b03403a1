/** Processor time of a control plane, and of all that runs for it. */
import { readdir, readFile } from 'node:fs/promises';
import type { Fleet } from '../../test/e2e/fleet.ts';
import { cpuSeconds } from '../scale/processes.ts';

/** The control plane is the process that has this home on its command line; its Redis and its `ssh` are children of it. */
export async function planeCpuSeconds(fleet: Fleet): Promise<number> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const parents = new Map<number, number>();
  let plane: number | undefined;
  for (const pid of pids) {
    try {
      const [stat, argv] = await Promise.all([
        readFile(`/proc/${pid}/stat`, 'utf8'),
        readFile(`/proc/${pid}/cmdline`, 'utf8'),
      ]);
      parents.set(pid, Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
      const words = argv.split('\0');
      if (words.includes('up') && words[words.indexOf('--home') + 1] === fleet.home && words[0] === process.execPath)
        plane = pid;
    } catch {
      // It ended while it was looked at.
    }
  }
  if (plane === undefined) throw new Error('no control plane runs');
  const isOfPlane = (pid: number): boolean => {
    for (let up: number | undefined = pid; up !== undefined && up > 1; up = parents.get(up))
      if (up === plane) return true;
    return false;
  };
  const seconds = await Promise.all([...parents.keys()].filter(isOfPlane).map((pid) => cpuSeconds(pid).catch(() => 0)));
  return seconds.reduce((sum, one) => sum + one, 0);
}
