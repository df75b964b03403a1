/** What volumes that are made for claims have in common. */
import {
  LOCAL_PROVISIONER,
  type ClaimRef,
  type PersistentVolumeClaim,
  type StorageClass,
  type StoredPersistentVolumeClaim,
} from '../../../contracts/objects/index.ts';
import { isNfsProvisioner } from '../../../contracts/objects/nfs-volumes.ts';

/** Whether a volume may be made for a claim of that class, or was made before the store was lost. None has labels. */
export function mayBeMade({ spec }: PersistentVolumeClaim, { provisioner }: StorageClass): boolean {
  return (provisioner === LOCAL_PROVISIONER || isNfsProvisioner(provisioner)) && spec.selector === undefined;
}

/** Why none is made now, nor a free one taken. */
export function notHeard(node: string): string {
  return `node ${node} has not told yet which volumes it has`;
}

/** Name of the volume that is made for the claim of that uid: it names a folder, too. */
export function madeName(uid: string): string {
  return `pvc-${uid}`;
}

/** Bound to this very claim. */
export function claimRefOf({ namespace, name, uid }: StoredPersistentVolumeClaim['metadata']): ClaimRef {
  return { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace: namespace ?? '', name, uid };
}
