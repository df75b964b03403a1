/** What the binding writes on claims and volumes. Source: Kubernetes, component-helpers/storage/volume/pv_helpers.go. */
import {
  HOSTNAME_LABEL,
  LOCAL_PROVISIONER,
  readKey,
  type PersistentVolume,
  type PersistentVolumeClaim,
} from '../../../contracts/objects/index.ts';

/** Of a claim: its binding was carried out; from then on a missing volume is a lost one. */
export const BIND_COMPLETED = 'pv.kubernetes.io/bind-completed';
/** Of a volume: not a person, but the binding chose its claim, and may undo it. */
export const BOUND_BY_CONTROLLER = 'pv.kubernetes.io/bound-by-controller';
/** Of a claim: the node that the scheduler chose for its first pod. */
export const SELECTED_NODE = 'volume.kubernetes.io/selected-node';
/** Of a volume: who made it. */
export const PROVISIONED_BY = 'pv.kubernetes.io/provisioned-by';

/** Of a claim: what is in its volume may go with it. Ours. */
export const DELETE_DATA = 'plumbline.dev/delete-data';
/** Of a volume: uid of the claim that said so, or whose owner did, when it was deleted. Ours. */
export const DATA_GIVEN_UP = 'plumbline.dev/data-given-up';
/** Keeps a volume of ours until its node has removed what is in it. */
export const DATA_FINALIZER = 'plumbline.dev/volume-data';
/** Reason of a volume's status: its node says that nothing of it is left. */
export const DATA_DELETED = 'DataDeleted';

/** Whether a folder on a node was made for it. */
export function isLocallyMade({ metadata }: Pick<PersistentVolume, 'metadata'>): boolean {
  return readKey(metadata.annotations, PROVISIONED_BY) === LOCAL_PROVISIONER;
}

/** Whether what is in it may be removed, once the volume is deleted. */
export function isDataGivenUp({ metadata, spec }: PersistentVolume): boolean {
  const uid = spec.claimRef?.uid;
  return uid !== undefined && readKey(metadata.annotations, DATA_GIVEN_UP) === uid;
}

/** The one node that a volume of ours is on; undefined for any other volume. */
export function homeOf(volume: PersistentVolume): string | undefined {
  if (!isLocallyMade(volume)) return undefined;
  const [term] = volume.spec.nodeAffinity?.required?.nodeSelectorTerms ?? [];
  return term?.matchExpressions?.find(({ key }) => key === HOSTNAME_LABEL)?.values?.[0];
}

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
