/** The machine's use of cpu and memory, from /proc. */
import { readFile } from 'node:fs/promises';
import { busyNanoseconds, memoryOf } from '../../core/node/machine-use.ts';
import type { MachineUse } from '../../ports/usage.ts';

/** Throws an Error where /proc does not have it. */
export async function machineUse(): Promise<MachineUse> {
  const [stat, meminfo] = await Promise.all(['/proc/stat', '/proc/meminfo'].map((path) => readFile(path, 'utf8')));
  const cpuNanoseconds = busyNanoseconds(stat ?? '');
  const memoryBytes = memoryOf(meminfo ?? '')?.workingSet;
  if (cpuNanoseconds === undefined || memoryBytes === undefined)
    throw new Error('/proc/stat or /proc/meminfo cannot be read: is /proc mounted?');
  return { cpuNanoseconds, memoryBytes };
}
