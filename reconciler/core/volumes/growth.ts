/**
 * Growth of a volume that is held to its size. The volume's capacity is written first, and beside it the one before;
 * its node then lets it grow, and only then has the claim what it asked for. Source: Kubernetes, external-resizer
 * (markForPendingNodeExpansion), kubelet (NodeExpandVolume) and pkg/volume/util resize_util.go.
 */
import {
  findCondition,
  SIZE_BEFORE_GROWTH,
  type PersistentVolumeClaim,
  type PersistentVolumeClaimStatus,
  type StoredPersistentVolume,
  type StoredPersistentVolumeClaim,
} from '../../../contracts/objects/index.ts';
import type { GrowingVolume } from '../../../contracts/agent/index.ts';
import { enforcedBytes, diskOf, sizeBeforeGrowth } from '../../../contracts/objects/local-volumes.ts';
import { withAnnotations } from './names.ts';

/** Type of a claim's condition. */
export const RESIZE_PENDING = 'FileSystemResizePending';
const WAITS = 'Waiting for user to (re-)start a pod to finish file system resize of volume on node.';

export function resizePending({ status }: StoredPersistentVolumeClaim): {
  readonly type: string;
  readonly status: 'True';
  readonly message: string;
} {
  return {
    type: RESIZE_PENDING,
    status: 'True',
    message: findCondition(status?.conditions, RESIZE_PENDING)?.message ?? WAITS,
  };
}

/** The volume with a larger capacity, which its node is to give it. */
export function growing(volume: StoredPersistentVolume, storage: string): StoredPersistentVolume {
  const before = sizeBeforeGrowth(volume) ?? volume.spec.capacity.storage;
  const larger = { ...volume, spec: { ...volume.spec, capacity: { ...volume.spec.capacity, storage } } };
  return enforcedBytes(volume) === undefined ? larger : withAnnotations(larger, { [SIZE_BEFORE_GROWTH]: before });
}

/** The volume without the mark, where its own node says that it has as much as it should by now. */
export function grownVolume(
  volume: StoredPersistentVolume,
  node: string,
  { bytes }: GrowingVolume,
): StoredPersistentVolume | undefined {
  const wanted = enforcedBytes(volume);
  return wanted !== undefined &&
    sizeBeforeGrowth(volume) !== undefined &&
    diskOf(volume) === node &&
    (bytes ?? 0) >= wanted
    ? withAnnotations(volume, { [SIZE_BEFORE_GROWTH]: undefined })
    : undefined;
}

/** The claim's status with what its volume's own node says keeps it from growing, where that is news. */
export function stuckGrowth(
  volume: StoredPersistentVolume,
  claim: StoredPersistentVolumeClaim,
  node: string,
  { message }: GrowingVolume,
): PersistentVolumeClaimStatus | undefined {
  const { status } = claim;
  const pending = findCondition(status?.conditions, RESIZE_PENDING);
  if (status === undefined || pending === undefined || message === undefined || pending.message === message)
    return undefined;
  if (diskOf(volume) !== node || volume.spec.claimRef?.uid !== claim.metadata.uid) return undefined;
  return {
    ...status,
    conditions: (status.conditions ?? []).map((one) => (one === pending ? { ...pending, message } : one)),
  };
}

/** Of a claim that waits for its volume to grow: what it has, and what it asks for. */
export function growthOf({
  spec,
  status,
}: PersistentVolumeClaim): { readonly from: string; readonly to: string; readonly message: string } | undefined {
  const pending = findCondition(status?.conditions, RESIZE_PENDING);
  const [from = '', to] = [status?.capacity?.['storage'], spec.resources.requests.storage];
  return pending && { from, to, message: pending.message ?? '' };
}
