/**
 * What a pod's volumes hold. ConfigMap and Secret volumes are files that follow their object; Secrets stay in memory.
 */
import type { Pod } from '../../../contracts/objects/index.ts';
import { parseQuantity } from '../../../contracts/objects/quantity-value.ts';
import type { Resolved } from './env.ts';
import { volumeFolder, type Medium, type NodeFolders } from './layout.ts';
import type { PodObjects } from './objects.ts';

type Volume = NonNullable<Pod['spec']['volumes']>[number];

export interface VolumeFile {
  /** Relative to the volume; no step of it is `.`, `..` or empty. */
  readonly path: string;
  readonly mode: number;
  readonly content: Buffer;
}
export type VolumePlan =
  /** `sizeBytes`: limit of a memory-backed one. */
  | {
      readonly kind: 'empty';
      readonly name: string;
      readonly path: string;
      readonly medium: Medium;
      readonly sizeBytes: number | undefined;
      readonly group: number | undefined;
    }
  | {
      readonly kind: 'host';
      readonly name: string;
      readonly path: string;
      readonly type: '' | 'DirectoryOrCreate' | 'Directory' | 'FileOrCreate' | 'File';
    }
  | {
      readonly kind: 'files';
      readonly name: string;
      readonly path: string;
      readonly medium: Medium;
      readonly files: readonly VolumeFile[];
      readonly group: number | undefined;
    };

/** Why not, in kubelet's words for a FailedMount event. */
export function planVolumes(pod: Pod, objects: PodObjects, folders: NodeFolders): Resolved<readonly VolumePlan[]> {
  const plans: VolumePlan[] = [];
  for (const volume of pod.spec.volumes ?? []) {
    const plan = planVolume(volume, pod, objects, folders);
    if (!plan.ok)
      return { ok: false, message: `MountVolume.SetUp failed for volume "${volume.name}" : ${plan.message}` };
    plans.push(plan.value);
  }
  return { ok: true, value: plans };
}

/** Changes when an object behind the pod's volumes changed: the volumes are written anew then. */
export function volumesVersion(pod: Pod, objects: PodObjects): string {
  return (pod.spec.volumes ?? [])
    .flatMap((volume) => {
      if (volume.configMap)
        return [`c/${volume.configMap.name}@${versionOf(objects.configMap(volume.configMap.name))}`];
      if (volume.secret)
        return [`s/${volume.secret.secretName}@${versionOf(objects.secret(volume.secret.secretName))}`];
      return [];
    })
    .join();
}

function versionOf(
  object:
    | { readonly metadata: { readonly uid?: string | undefined; readonly resourceVersion?: string | undefined } }
    | undefined,
): string {
  return object ? `${object.metadata.uid ?? ''}.${object.metadata.resourceVersion ?? ''}` : '-';
}

/** Where a volume of the pod is, for mounting. */
export function volumePath(volume: Volume, uid: string, folders: NodeFolders): string {
  if (volume.hostPath) return volume.hostPath.path;
  const medium: Medium = volume.secret || volume.emptyDir?.medium === 'Memory' ? 'memory' : 'disk';
  return volumeFolder(folders, uid, volume.name, medium);
}

function planVolume(volume: Volume, pod: Pod, objects: PodObjects, folders: NodeFolders): Resolved<VolumePlan> {
  const path = volumePath(volume, pod.metadata.uid ?? '', folders);
  const group = pod.spec.securityContext?.fsGroup;
  if (volume.emptyDir) {
    const { medium, sizeLimit } = volume.emptyDir;
    const sizeBytes = sizeLimit === undefined ? undefined : Math.ceil(parseQuantity(sizeLimit));
    return {
      ok: true,
      value: {
        kind: 'empty',
        name: volume.name,
        path,
        medium: medium === 'Memory' ? 'memory' : 'disk',
        sizeBytes,
        group,
      },
    };
  }
  if (volume.hostPath)
    return { ok: true, value: { kind: 'host', name: volume.name, path, type: volume.hostPath.type } };
  if (volume.configMap) {
    const map = objects.configMap(volume.configMap.name);
    if (!map && !volume.configMap.optional)
      return { ok: false, message: `configmap "${volume.configMap.name}" not found` };
    const contents = new Map<string, Buffer>();
    for (const [key, text] of Object.entries(map?.data ?? {})) contents.set(key, Buffer.from(text, 'utf8'));
    for (const [key, base64] of Object.entries(map?.binaryData ?? {})) contents.set(key, Buffer.from(base64, 'base64'));
    const files = project(contents, volume.configMap);
    return files.ok
      ? { ok: true, value: { kind: 'files', name: volume.name, path, medium: 'disk', files: files.value, group } }
      : files;
  }
  if (volume.secret) {
    const secret = objects.secret(volume.secret.secretName);
    if (!secret && !volume.secret.optional)
      return { ok: false, message: `secret "${volume.secret.secretName}" not found` };
    const contents = new Map(
      Object.entries(secret?.data ?? {}).map(([key, base64]) => [key, Buffer.from(base64, 'base64')]),
    );
    const files = project(contents, volume.secret);
    return files.ok
      ? { ok: true, value: { kind: 'files', name: volume.name, path, medium: 'memory', files: files.value, group } }
      : files;
  }
  return { ok: false, message: 'the volume has no source' };
}

interface Projection {
  readonly defaultMode: number;
  readonly optional: boolean;
  readonly items?:
    readonly { readonly key: string; readonly path: string; readonly mode?: number | undefined }[] | undefined;
}

function project(contents: ReadonlyMap<string, Buffer>, from: Projection): Resolved<readonly VolumeFile[]> {
  if (!from.items) return placed([...contents].map(([path, content]) => ({ path, content, mode: from.defaultMode })));
  const files: VolumeFile[] = [];
  for (const item of from.items) {
    const content = contents.get(item.key);
    if (!content && from.optional) continue;
    if (!content) return { ok: false, message: `references non-existent config key: ${item.key}` };
    files.push({ path: item.path, content, mode: item.mode ?? from.defaultMode });
  }
  return placed(files);
}

/**
 * The files at their paths in short form; of two at one path the later. Refused are paths that leave the volume, that
 * are the volume itself, that begin with `..` (there it keeps its versions), and files in files. Source: Kubernetes
 * pkg/volume/util/atomic_writer.go, validatePath.
 */
function placed(files: readonly VolumeFile[]): Resolved<readonly VolumeFile[]> {
  const byPath = new Map<string, VolumeFile>();
  for (const file of files) {
    const steps = file.path.split('/').filter((step) => step !== '' && step !== '.');
    if (file.path.startsWith('/') || steps.includes('..'))
      return { ok: false, message: `path ${file.path} leaves the volume` };
    if (steps[0] === undefined || steps[0].startsWith('..'))
      return { ok: false, message: `path ${file.path} is no name for a file of a volume` };
    const path = steps.join('/');
    byPath.set(path, { ...file, path });
  }
  for (const path of byPath.keys()) {
    for (let end = path.indexOf('/'); end >= 0; end = path.indexOf('/', end + 1)) {
      if (byPath.has(path.slice(0, end)))
        return { ok: false, message: `path ${path} is in ${path.slice(0, end)}, which is a file` };
    }
  }
  return { ok: true, value: [...byPath.values()] };
}
