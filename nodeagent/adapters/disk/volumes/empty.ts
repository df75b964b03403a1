/** Folders for a pod's containers to write. */
import { chmod, chown } from 'node:fs/promises';
import { makeFolder } from '../durable.ts';
import type { Mounts } from '../mounts.ts';
import type { VolumePlanOf } from '../../../core/pod/volumes/index.ts';

export async function makeEmpty(plan: VolumePlanOf<'empty'>, mounts: Mounts, signal: AbortSignal): Promise<void> {
  const { path, medium, sizeBytes, group } = plan;
  await makeFolder(path, 0o777);
  if (medium === 'memory')
    await mounts.memory(path, ['mode=0777', ...(sizeBytes === undefined ? [] : [`size=${sizeBytes}`])], signal);
  await openTo(path, group);
}

/** What is written there counts for the container that does, where the machine has the controller of huge pages. */
export async function makeHugePages(
  { path, pageBytes, sizeBytes, group }: VolumePlanOf<'hugePages'>,
  mounts: Mounts,
  signal: AbortSignal,
): Promise<void> {
  await makeFolder(path, 0o777);
  await mounts.hugePages(path, [`pagesize=${pageBytes}`, `size=${sizeBytes}`, 'mode=0777'], signal);
  await openTo(path, group);
}

async function openTo(path: string, group: number | undefined): Promise<void> {
  if (group !== undefined) await chown(path, 0, group);
  // The setgid bit hands the group on to what is made inside.
  await chmod(path, group === undefined ? 0o777 : 0o2777);
}
