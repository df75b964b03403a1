/**
 * The volume that is made for a claim on a share of an NFS server: a folder, which the agent of one node makes, and
 * removes or renames in the end. Any node can; one that is not ready, or cannot, hands it on to the next. Source:
 * kubernetes-csi/csi-driver-nfs pkg/nfs/controllerserver.go and kubernetes-sigs/nfs-subdir-external-provisioner, but for
 * the permissions of the folder, which are those of the latter, and the name of what is archived.
 */
import {
  NFS_FOLDER_MADE,
  NFS_FOLDER_MODE,
  NFS_ON_DELETE,
  NFS_SHARE,
  PROVISIONED_BY,
  TENDED_BY,
  VOLUME_PROTECTION,
  type PersistentVolume,
  type StorageClass,
  type StorageClassParameters,
  type StoredPersistentVolume,
  type StoredPersistentVolumeClaim,
} from '../../../contracts/objects/index.ts';
import type { PersistentVolumeClaimed, TendedVolume } from '../../../contracts/agent/index.ts';
import {
  folderOf,
  folderTrouble,
  isNfsProvisioner,
  shareFolder,
  shareWork,
  tenderOf,
  type OnDelete,
} from '../../../contracts/objects/nfs-volumes.ts';
import { homeOf } from '../../../contracts/objects/made-volumes.ts';
import type { Decision } from '../step.ts';
import { claimRefOf, madeName } from './made-volume.ts';
import { DATA_DELETED, DATA_FINALIZER, SHARE_FAILED, withAnnotations } from './names.ts';

/** `tender`: the node that makes it, where one is chosen already. A string says why there can be no such volume. */
export function shareVolume(
  claim: StoredPersistentVolumeClaim,
  storageClass: StorageClass,
  tender: string | undefined,
): PersistentVolume | string {
  const { metadata, spec } = claim;
  const { server, share, mountOptions, annotations } = shareOf(storageClass);
  const name = madeName(metadata.uid);
  const folder = folderOf(patternOf(storageClass), name, claim);
  const trouble = folderTrouble(folder);
  if (trouble !== undefined) return `its folder ${JSON.stringify(folder.slice(0, 100))} ${trouble}`;
  const volume: PersistentVolume = {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name, finalizers: [VOLUME_PROTECTION, DATA_FINALIZER] },
    spec: {
      accessModes: spec.accessModes,
      capacity: { storage: spec.resources.requests.storage },
      claimRef: claimRefOf(metadata),
      ...(mountOptions && { mountOptions }),
      persistentVolumeReclaimPolicy: storageClass.reclaimPolicy,
      storageClassName: storageClass.metadata.name,
      nfs: { server, path: `${share.replace(/\/+$/, '')}/${folder}`, readOnly: false },
    },
  };
  return withAnnotations(volume, { ...annotations, [TENDED_BY]: tender });
}

/** What all volumes of a class have alike. */
function shareOf({ provisioner, parameters = {}, mountOptions }: StorageClass) {
  const { server = '', share = '', mountPermissions = '0' } = parameters;
  return {
    server,
    share: share.replace(/(.)\/+$/, '$1'),
    mountOptions: mountOptions && [...mountOptions],
    annotations: {
      [PROVISIONED_BY]: provisioner,
      [NFS_SHARE]: share.replace(/(.)\/+$/, '$1'),
      [NFS_ON_DELETE]: onDeleteOf(provisioner, parameters),
      // `0` is csi-driver-nfs' word for leaving them alone.
      ...(Number.parseInt(mountPermissions, 8) !== 0 && { [NFS_FOLDER_MODE]: mountPermissions }),
    },
  };
}

/**
 * Where a node says that a volume is, and the rest of it as the class has it that it was made by. Undefined where that makes no
 * such volume: a node has no say in which servers are mounted, and how.
 */
export function sharePlace(
  { metadata, spec }: PersistentVolumeClaimed,
  storageClass: StorageClass | undefined,
):
  | (Pick<PersistentVolume['spec'], 'nfs' | 'mountOptions' | 'persistentVolumeReclaimPolicy'> & {
      readonly annotations: Readonly<Record<string, string>>;
    })
  | undefined {
  const { nfs, claimRef } = spec;
  if (nfs === undefined || storageClass === undefined || !isNfsProvisioner(storageClass.provisioner)) return undefined;
  const { server, mountOptions, annotations } = shareOf(storageClass);
  const place = { nfs: { server, path: nfs.path, readOnly: false }, ...(mountOptions && { mountOptions }) };
  const found = shareFolder({ metadata: { name: metadata.name, annotations }, spec: { ...spec, ...place } });
  if (found === undefined || nfs.server !== server) return undefined;
  const pattern = patternOf(storageClass);
  const isOfClaim = /\$\{\.PVC\.(?:labels|annotations)\./.test(pattern);
  if (!isOfClaim && folderOf(pattern, metadata.name, { metadata: claimRef }) !== found.folder) return undefined;
  return { ...place, persistentVolumeReclaimPolicy: storageClass.reclaimPolicy, annotations };
}

function patternOf({ provisioner, parameters }: StorageClass): string {
  const written = parameters?.subDir ?? parameters?.pathPattern ?? '';
  if (written !== '') return written;
  return provisioner === 'k8s-sigs.io/nfs-subdir-external-provisioner'
    ? '${pvc.metadata.namespace}-${pvc.metadata.name}-${pv.metadata.name}'
    : '${pv.metadata.name}';
}

function onDeleteOf(
  provisioner: StorageClass['provisioner'],
  { onDelete, archiveOnDelete }: StorageClassParameters,
): OnDelete {
  if (onDelete !== undefined) return onDelete;
  if (provisioner !== 'k8s-sigs.io/nfs-subdir-external-provisioner') return 'delete';
  return archiveOnDelete === 'false' ? 'delete' : 'archive';
}

/** While something is to be done on the share it is looked at again: nothing tells when a node is not ready any more. */
const LOOK_AGAIN_MS = 10_000;
/** After a node said that it cannot, before another one is asked. */
const HAND_ON_AFTER_MS = 10_000;

export interface Tenders {
  /** Names of nodes that are ready. */
  readonly ready: () => readonly string[];
  /** Whether there is such a node, ready or not. */
  readonly isThere: (node: string) => boolean;
}

/** Gives a volume on a share its tender, and another one where that is gone or cannot. */
export function tendSteps(volume: StoredPersistentVolume, { ready, isThere }: Tenders, now: Date): Decision {
  const tender = tenderOf(volume);
  if (shareWork(volume) === undefined && (tender === undefined || isThere(tender))) return { steps: [] };
  const names = [...ready()].sort();
  const failedAt = failureOf(volume, tender);
  const waitMs = failedAt === undefined ? 0 : failedAt.getTime() + HAND_ON_AFTER_MS - now.getTime();
  // A clock that was stepped back does not make it wait longer than it should.
  if (waitMs > 0) return { steps: [], requeueAfterMs: Math.min(waitMs, HAND_ON_AFTER_MS) };
  const keeps = tender !== undefined && names.includes(tender) && failedAt === undefined;
  const next = keeps ? tender : nextOf(names, tender);
  const requeueAfterMs = LOOK_AGAIN_MS;
  if (next === undefined || next === tender) return { steps: [], requeueAfterMs };
  return { steps: [{ do: 'update', object: withAnnotations(volume, { [TENDED_BY]: next }) }], requeueAfterMs };
}

/** The one that comes after it, and after the last the first. */
function nextOf(names: readonly string[], tender: string | undefined): string | undefined {
  return names.find((name) => tender === undefined || name > tender) ?? names[0];
}

/** When its tender said that it cannot. */
function failureOf({ status }: StoredPersistentVolume, tender: string | undefined): Date | undefined {
  const at = status?.lastPhaseTransitionTime;
  const isIts = status?.reason === SHARE_FAILED && status.message?.startsWith(wordOf(tender ?? '', '')) === true;
  return isIts && at !== undefined ? new Date(at) : undefined;
}

function wordOf(node: string, message: string): string {
  return `node ${node}: ${message}`;
}

/** The volume with what its own tender says of it, where that is news. */
export function tendedVolume(
  volume: StoredPersistentVolume,
  node: string,
  { is, message = '' }: TendedVolume,
  now: Date,
): { readonly op: 'update' | 'updateStatus'; readonly object: StoredPersistentVolume } | undefined {
  const work = shareWork(volume);
  if (work === undefined || homeOf(volume) !== node) return undefined;
  const { status } = volume;
  if (is === 'made' && work === 'make')
    return { op: 'update', object: withAnnotations(volume, { [NFS_FOLDER_MADE]: 'true' }) };
  if (is === 'removed' && work === 'remove' && status?.reason !== DATA_DELETED)
    return { op: 'updateStatus', object: { ...volume, status: { phase: 'Released', reason: DATA_DELETED } } };
  const told = wordOf(node, message);
  if (is !== 'failed' || status?.message === told || status?.reason === DATA_DELETED) return undefined;
  return {
    op: 'updateStatus',
    object: {
      ...volume,
      status: {
        phase: work === 'make' ? 'Pending' : 'Released',
        reason: SHARE_FAILED,
        message: told,
        lastPhaseTransitionTime: now.toISOString(),
      },
    },
  };
}
