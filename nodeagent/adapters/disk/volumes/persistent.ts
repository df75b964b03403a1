/** Data that outlives the pod, shown in the pod's folder by a bind mount: what is removed with the pod is the mount. */
import type { VolumePlanOf } from '../../../core/pod/volumes/index.ts';
import type { Mounts } from '../mounts.ts';
import { giveToGroup } from '../ownership.ts';
import type { ShownFolders } from '../persistent-folders.ts';
import { checkHostPath } from './host-path.ts';

/** Throws an Error in kubelet's words. Idempotent. */
export async function showPersistent(
  plan: VolumePlanOf<'persistent'>,
  mounts: Mounts,
  signal: AbortSignal,
  kept: Pick<ShownFolders, 'show'>,
): Promise<void> {
  const { from, path, group, changePolicy } = plan;
  if (from.is === 'made') await kept.show(from, path, signal);
  else {
    await checkHostPath({ ...plan, kind: 'host', path: from.path, type: from.type });
    await mounts.bind(from.path, path, signal);
  }
  const sets = from.is === 'made' || from.setsGroup;
  if (group !== undefined && sets) await giveToGroup(path, group, changePolicy, signal);
}
