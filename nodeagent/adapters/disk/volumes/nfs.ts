/** Folders of other machines. */
import type { VolumePlanOf } from '../../../core/pod/volumes/index.ts';
import { makeFolder } from '../durable.ts';
import type { Mounts } from '../mounts.ts';

export async function mountNfs(plan: VolumePlanOf<'nfs'>, mounts: Mounts, signal: AbortSignal): Promise<void> {
  const { path, source, options } = plan;
  await makeFolder(path, 0o750);
  await runMountNfs(source, path, options, mounts, signal);
}

/**
 * By the kernel's own helper, not by mount(8), which would leave it running when it is told to end. A server that does
 * not answer is given up after the bound of `Mounts.network`, and tried again with the next attempt.
 */
export async function runMountNfs(
  source: string,
  path: string,
  options: readonly string[],
  mounts: Pick<Mounts, 'network'>,
  signal: AbortSignal,
): Promise<void> {
  const argv = ['mount.nfs', source, path, ...(options.length > 0 ? ['-o', options.join(',')] : [])];
  try {
    await mounts.network(path, argv, signal);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
    throw new Error('this node has no mount.nfs: install nfs-common (nfs-utils)', { cause });
  }
}
