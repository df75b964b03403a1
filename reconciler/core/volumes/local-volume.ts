/** The volume that is made for a claim: a folder on one node, or a file system of its own in a file there. */
import { NODE_PATHS } from '../../../contracts/agent/index.ts';
import {
  PROVISIONED_BY,
  HOSTNAME_LABEL,
  LOCAL_PROVISIONER,
  VOLUME_PROTECTION,
  VOLUME_SIZE,
  type PersistentVolume,
  type StorageClass,
  type StoredPersistentVolumeClaim,
} from '../../../contracts/objects/index.ts';
import { isSizeEnforced } from '../../../contracts/objects/local-volumes.ts';
import { claimRefOf, madeName } from './made-volume.ts';
import { DATA_FINALIZER } from './names.ts';

/** Said of each, as nothing else says it. */
export function sizeWords(volume: PersistentVolume): string {
  return isSizeEnforced(volume)
    ? 'its size is enforced: it is a file system of its own, whose room on the node is taken from the start'
    : 'its size is not enforced: it is a folder of the node, and may fill its file system';
}

/**
 * The same for the same claim. It is bound to the claim from the start; its node makes the folder when the first pod
 * needs it.
 */
export function localVolume(
  { metadata, spec }: StoredPersistentVolumeClaim,
  { metadata: { name: storageClassName }, reclaimPolicy, parameters }: StorageClass,
  node: string,
): PersistentVolume {
  const name = madeName(metadata.uid);
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: {
      name,
      annotations: madeHere(parameters?.size === 'enforced'),
      finalizers: [VOLUME_PROTECTION, DATA_FINALIZER],
    },
    spec: {
      accessModes: spec.accessModes,
      capacity: { storage: spec.resources.requests.storage },
      claimRef: claimRefOf(metadata),
      persistentVolumeReclaimPolicy: reclaimPolicy,
      storageClassName,
      local: { path: localFolder(name) },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: HOSTNAME_LABEL, operator: 'In', values: [node] }] }],
        },
      },
    },
  };
}

/** What is written on each volume that is made on a node's disk. */
export function madeHere(isEnforced: boolean): Readonly<Record<string, string>> {
  return { [PROVISIONED_BY]: LOCAL_PROVISIONER, ...(isEnforced && { [VOLUME_SIZE]: 'enforced' }) };
}

export function localFolder(volume: string): string {
  return `${NODE_PATHS.volumes}/${volume}/data`;
}
