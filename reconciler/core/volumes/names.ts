/** What the binding writes on claims and volumes. Source: Kubernetes, component-helpers/storage/volume/pv_helpers.go. */
import type { PersistentVolume, PersistentVolumeClaim } from '../../../contracts/objects/index.ts';

/** Of a claim: its binding was carried out; from then on a missing volume is a lost one. */
export const BIND_COMPLETED = 'pv.kubernetes.io/bind-completed';
/** Of a volume: not a person, but the binding chose its claim, and may undo it. */
export const BOUND_BY_CONTROLLER = 'pv.kubernetes.io/bound-by-controller';
/** Of a claim: the node that the scheduler chose for its first pod. */
export const SELECTED_NODE = 'volume.kubernetes.io/selected-node';

/** Of a claim: what is in its volume may go with it. Ours. */
export const DELETE_DATA = 'plumbline.dev/delete-data';
/** Keeps a volume of ours until its node has removed what is in it. */
export const DATA_FINALIZER = 'plumbline.dev/volume-data';
/** Reason of a volume's status: its node says that nothing of it is left. */
export const DATA_DELETED = 'DataDeleted';

/** Reason of a volume's status: its tender could not do on the share what was to be done. */
export const SHARE_FAILED = 'ShareFailed';

/** Whether the volume is bound to the claim or kept for it. Source: Kubernetes, IsVolumeBoundToClaim. */
export function isFor({ spec: { claimRef } }: PersistentVolume, { metadata }: PersistentVolumeClaim): boolean {
  return (
    claimRef !== undefined &&
    claimRef.namespace === metadata.namespace &&
    claimRef.name === metadata.name &&
    (claimRef.uid === undefined || claimRef.uid === metadata.uid)
  );
}

export function withAnnotations<T extends PersistentVolume | PersistentVolumeClaim>(
  object: T,
  set: Readonly<Record<string, string | undefined>>,
): T {
  const annotations = Object.fromEntries(
    Object.entries<string | undefined>({ ...object.metadata.annotations, ...set }).filter(
      (entry): entry is [string, string] => entry[1] !== undefined,
    ),
  );
  return { ...object, metadata: { ...object.metadata, annotations } };
}
