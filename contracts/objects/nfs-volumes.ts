/**
 * Volumes that are folders of a share of an NFS server, made for a claim. Free of schemas: a node agent uses it. What is
 * to be done on the share is done by one node's agent at a time, the volume's tender. Source of the parameters:
 * kubernetes-csi/csi-driver-nfs docs/driver-parameters.md, kubernetes-sigs/nfs-subdir-external-provisioner README.
 */
import { isDataGivenUp, LOCAL_NAME } from './local-volumes.ts';
import { readKey } from './own-key.ts';
import type { PersistentVolume, PersistentVolumeClaim } from './storage.ts';
import {
  NFS_FOLDER_MADE,
  NFS_FOLDER_MODE,
  NFS_ON_DELETE,
  NFS_PROVISIONERS,
  NFS_SHARE,
  PROVISIONED_BY,
  TENDED_BY,
} from './well-known.ts';

/** What becomes of a folder whose data was given up: it is removed, renamed, or left. */
export type OnDelete = 'delete' | 'archive' | 'retain';

/** A folder that a volume is, and how its share is mounted. */
export interface ShareFolder {
  readonly volume: string;
  readonly server: string;
  /** Absolute, on the server. */
  readonly share: string;
  /** Relative to the share; no step of it is empty, `.` or `..`, and the first is not {@link SHARE_NOTES}. */
  readonly folder: string;
  /** Permissions that a class asks for; undefined for {@link DEFAULT_MODE}, where the server allows it. */
  readonly mode: number | undefined;
  readonly onDelete: OnDelete;
  readonly mountOptions: readonly string[];
}

/** Folder at the top of a share where agents note which volumes a folder is. */
export const SHARE_NOTES = '.plumbline';
/** Containers write as whoever they run as. */
export const DEFAULT_MODE = 0o777;
const MOST_FOLDER_BYTES = 1024;
const MOST_NAME_BYTES = 255;

export type NfsProvisioner = (typeof NFS_PROVISIONERS)[number];

export function isNfsProvisioner(name: string | undefined): name is NfsProvisioner {
  return NFS_PROVISIONERS.some((one) => one === name);
}

/** What a class may write for what differs from claim to claim: csi-driver-nfs' words, and those of `pathPattern`. */
const WORD =
  /\$\{(pvc?\.metadata\.name|pvc\.metadata\.namespace|\.PVC\.(?:name|namespace|(?:labels|annotations)\.[^}]+))\}/g;

/** The folder that a class's pattern means; it may be none that can be: {@link folderTrouble}. */
export function folderOf(
  pattern: string,
  volume: string,
  { metadata }: Pick<PersistentVolumeClaim, 'metadata'>,
): string {
  const words = new Map([
    ['pv.metadata.name', volume],
    ['pvc.metadata.name', metadata.name],
    ['pvc.metadata.namespace', metadata.namespace],
    ['.PVC.name', metadata.name],
    ['.PVC.namespace', metadata.namespace],
  ]);
  const text = pattern.replace(WORD, (_all, word: string) => {
    const [, , from, ...name] = word.split('.');
    return (
      (from === 'labels' || from === 'annotations' ? readKey(metadata[from], name.join('.')) : words.get(word)) ?? ''
    );
  });
  return text.replace(/^\/+|\/+$/g, '');
}

/** Why a class cannot have the pattern, whatever its claims are. */
export function patternTrouble(pattern: string): string | undefined {
  if (pattern.replace(WORD, '').includes('${')) return 'has a ${...} that is not known';
  const folder = pattern.replace(WORD, 'x').replace(/^\/+|\/+$/g, '');
  return folder === '' ? undefined : folderTrouble(folder);
}

/** Why it cannot be the folder of a volume; undefined where it can. */
export function folderTrouble(folder: string): string | undefined {
  const parts = folder.split('/');
  if (folder.length === 0 || Buffer.byteLength(folder) > MOST_FOLDER_BYTES)
    return `must have 1 to ${MOST_FOLDER_BYTES} bytes`;
  if (parts.some((part) => part === '' || part === '.' || part === '..'))
    return "must be a relative path without '.', '..' and empty parts";
  if (parts.some((part) => Buffer.byteLength(part) > MOST_NAME_BYTES))
    return `must not have a part of more than ${MOST_NAME_BYTES} bytes`;
  if (/[\0-\x1f\x7f]/.test(folder)) return 'must not have control characters';
  return parts[0] === SHARE_NOTES ? `must not begin with ${SHARE_NOTES}, which is the agents' own` : undefined;
}

/** Whether it was made on a share, or will be. */
export function isMadeOnShare(volume: Pick<PersistentVolume, 'metadata' | 'spec'>): boolean {
  return shareFolder(volume) !== undefined;
}

/** Undefined for a volume of any other kind, and for one that says something impossible of itself. */
export function shareFolder({ metadata, spec }: Pick<PersistentVolume, 'metadata' | 'spec'>): ShareFolder | undefined {
  const { annotations, name } = metadata;
  const share = readKey(annotations, NFS_SHARE);
  const provisioner = readKey(annotations, PROVISIONED_BY);
  const { nfs } = spec;
  if (nfs === undefined || share === undefined || !isNfsProvisioner(provisioner)) return undefined;
  const top = share.endsWith('/') ? share : `${share}/`;
  const folder = nfs.path.startsWith(top) ? nfs.path.slice(top.length) : '';
  if (!LOCAL_NAME.test(name) || folderTrouble(folder) !== undefined) return undefined;
  const mode = readKey(annotations, NFS_FOLDER_MODE);
  const onDelete = readKey(annotations, NFS_ON_DELETE);
  return {
    volume: name,
    server: nfs.server,
    share,
    folder,
    mode: mode !== undefined && /^[0-7]{1,4}$/.test(mode) ? Number.parseInt(mode, 8) : undefined,
    onDelete: onDelete === 'delete' || onDelete === 'archive' ? onDelete : 'retain',
    mountOptions: spec.mountOptions ?? [],
  };
}

/** The node whose agent does what is to be done on the share, and holds the volume meanwhile and afterwards. */
export function tenderOf(volume: Pick<PersistentVolume, 'metadata'>): string | undefined {
  return readKey(volume.metadata.annotations, TENDED_BY);
}

/** What the tender is to do. A folder that was made once is not made again: an empty one would hide that it is lost. */
export function shareWork(volume: PersistentVolume): 'make' | 'remove' | undefined {
  const folder = shareFolder(volume);
  if (folder === undefined) return undefined;
  const { annotations, deletionTimestamp } = volume.metadata;
  if (deletionTimestamp === undefined) return readKey(annotations, NFS_FOLDER_MADE) === 'true' ? undefined : 'make';
  return isDataGivenUp(volume) && folder.onDelete !== 'retain' ? 'remove' : undefined;
}
