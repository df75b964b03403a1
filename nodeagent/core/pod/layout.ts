/** Where a pod's files are on its node. */
import { containerLogPath, podLogFolder } from './identity.ts';
import type { PodIdentity } from './runtime-types.ts';

/** Folders that the agent keeps its things in: see NODE_PATHS. */
export interface NodeFolders {
  readonly state: string;
  /** Memory-backed. */
  readonly run: string;
  readonly podLogs: string;
}

/**
 * What a volume's files lie on. Those of the network may not answer: the agent mounts them apart from all that it looks
 * into.
 */
export type Medium = 'disk' | 'memory' | 'network';
export const MEDIA: readonly Medium[] = ['network', 'memory', 'disk'];

export function podsFolder(folders: NodeFolders, medium: Medium): string {
  return { disk: `${folders.state}/pods`, memory: `${folders.run}/pods`, network: `${folders.state}/mounts` }[medium];
}
export function podFolder(folders: NodeFolders, uid: string, medium: Medium): string {
  return `${podsFolder(folders, medium)}/${uid}`;
}
export function volumeFolder(folders: NodeFolders, uid: string, volume: string, medium: Medium): string {
  return `${podFolder(folders, uid, medium)}/volumes/${volume}`;
}
/** Data that outlives pods: a folder for each volume. */
export function persistentRoot(folders: NodeFolders): string {
  return `${folders.state}/volumes`;
}
/** Where shares are mounted while something is done on them for a volume. */
export function sharesRoot(folders: NodeFolders): string {
  return `${folders.state}/shares`;
}
export function hostsFile(folders: NodeFolders, uid: string): string {
  return `${podFolder(folders, uid, 'disk')}/etc-hosts`;
}
export function terminationFolder(folders: NodeFolders, uid: string): string {
  return `${podFolder(folders, uid, 'disk')}/containers`;
}
/** When a container that was told to end is ended by force. */
export function endingFile(folders: NodeFolders, uid: string, container: string): string {
  return `${podFolder(folders, uid, 'memory')}/endings/${container}`;
}
/** Is there where the pod has volumes of images, of which the runtime has to be told when it goes. */
export function imageVolumesMark(folders: NodeFolders, uid: string): string {
  return `${podFolder(folders, uid, 'disk')}/images`;
}
/** Where the operator of a node puts seccomp profiles for `seccompProfile.type: Localhost`. */
export function seccompFolder(folders: NodeFolders): string {
  return `${folders.state}/seccomp`;
}
export function terminationFile(folders: NodeFolders, uid: string, container: string, attempt: number): string {
  return `${terminationFolder(folders, uid)}/${container}/${attempt}`;
}
/**
 * Where a container's volumeMount with a subPath is shown; `index` is its place in the container's list. Its volume may
 * be one of the network.
 */
export function subPathTarget(folders: NodeFolders, uid: string, container: string, index: number): string {
  return `${podFolder(folders, uid, 'network')}/subpaths/${container}/${index}`;
}
export function logFolder(folders: NodeFolders, pod: PodIdentity): string {
  return `${folders.podLogs}/${podLogFolder(pod)}`;
}
export function logFile(folders: NodeFolders, pod: PodIdentity, container: string, attempt: number): string {
  return `${logFolder(folders, pod)}/${containerLogPath(container, attempt)}`;
}
