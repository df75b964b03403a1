/** A pod's volumes: a walk over the table of their sources. */
import type { KubeObject, Pod, Volume, VolumeSourceName } from '../../../../contracts/objects/index.ts';
import { volumeReferences, type PodReference } from '../../../../contracts/objects/pod-references.ts';
import type { Resolved } from '../resolved.ts';
import { volumeFolder, type NodeFolders } from '../layout.ts';
import type { PodObjects } from '../objects.ts';
import { EPHEMERAL, PERSISTENT_VOLUME_CLAIM } from './claim.ts';
import { CONFIG_MAP } from './config-map.ts';
import { DOWNWARD_API } from './downward-api.ts';
import { EMPTY_DIR } from './empty-dir.ts';
import { HOST_PATH } from './host-path.ts';
import { IMAGE } from './image.ts';
import { NFS } from './nfs.ts';
import { PROJECTED } from './projected.ts';
import { SECRET } from './secret.ts';
import type { Source, VolumeContext, VolumeMount, VolumeSource } from './source.ts';

const SOURCES: { readonly [S in VolumeSourceName]: VolumeSource<S> } = {
  configMap: CONFIG_MAP,
  downwardAPI: DOWNWARD_API,
  emptyDir: EMPTY_DIR,
  ephemeral: EPHEMERAL,
  hostPath: HOST_PATH,
  image: IMAGE,
  nfs: NFS,
  persistentVolumeClaim: PERSISTENT_VOLUME_CLAIM,
  projected: PROJECTED,
  secret: SECRET,
};

export type VolumePlan = VolumeMount & {
  readonly name: string;
  readonly path: string;
  /** The pod's fsGroup. */
  readonly group: number | undefined;
};

export type VolumePlanOf<K extends VolumePlan['kind']> = Extract<VolumePlan, { kind: K }>;

/** Why not, in kubelet's words for a FailedMount event. */
export function planVolumes(pod: Pod, objects: PodObjects, folders: NodeFolders): Resolved<readonly VolumePlan[]> {
  const plans: VolumePlan[] = [];
  for (const volume of pod.spec.volumes ?? []) {
    const mount = sourceOf(volume)?.mount({ pod, objects }) ?? { ok: false, message: 'the volume has no source' };
    if (!mount.ok)
      return { ok: false, message: `MountVolume.SetUp failed for volume "${volume.name}" : ${mount.message}` };
    plans.push({
      ...mount.value,
      name: volume.name,
      path: volumePath(volume, pod.metadata.uid ?? '', folders),
      group: pod.spec.securityContext?.fsGroup,
    });
  }
  return { ok: true, value: plans };
}

/** Changes when what the pod's volumes tell of changed: they are written anew then. */
export function volumesVersion(pod: Pod, objects: PodObjects): string {
  const volumes = pod.spec.volumes ?? [];
  const ofObjects = volumes
    .flatMap((volume) => volumeReferences(volume, pod.metadata.name))
    .map(({ kind, name }) => {
      const { metadata } = namedBy(objects, kind, name) ?? {};
      return `${kind}/${name}@${metadata ? `${metadata.uid ?? ''}.${metadata.resourceVersion ?? ''}` : '-'}`;
    });
  const { labels, annotations } = pod.metadata;
  const ofPod = volumes.some((volume) => sourceOf(volume)?.tellsOfPod)
    ? [JSON.stringify([labels, annotations, objects.allocatable()])]
    : [];
  return [...ofObjects, ...ofPod].join();
}

function namedBy(objects: PodObjects, kind: PodReference['kind'], name: string): KubeObject | undefined {
  switch (kind) {
    case 'ConfigMap':
      return objects.configMap(name);
    case 'Secret':
      return objects.secret(name);
    case 'PersistentVolumeClaim':
      return objects.claim(name);
    case 'RuntimeClass':
      return objects.runtimeClass(name);
  }
}

/** Where a volume of the pod is, for mounting. */
export function volumePath(volume: Volume, uid: string, folders: NodeFolders): string {
  const place = sourceOf(volume)?.place ?? { medium: 'disk' };
  return 'path' in place ? place.path : volumeFolder(folders, uid, volume.name, place.medium);
}

/** Whether containers may not write it, whatever they ask for. */
export function isReadOnly(volume: Volume): boolean {
  return sourceOf(volume)?.readOnly ?? false;
}

/** Whether nobody can write it, whatever a mount of it says. */
export function isSealed(volume: Volume): boolean {
  return sourceOf(volume)?.sealed ?? false;
}

/** Whether making the pod's volumes may fail for a reason that is not the machine's. */
export function volumesMayFail(pod: Pod): boolean {
  return (pod.spec.volumes ?? []).some((volume) => sourceOf(volume)?.mayFail);
}

/** The volume's source, with what it says filled in. */
interface BoundSource {
  readonly place: ReturnType<VolumeSource<VolumeSourceName>['place']>;
  readonly readOnly: boolean;
  readonly sealed: boolean;
  readonly mayFail: boolean;
  readonly tellsOfPod: boolean;
  mount(context: VolumeContext): Resolved<VolumeMount>;
}

function sourceOf(volume: Volume): BoundSource | undefined {
  for (const name of Object.keys(SOURCES) as VolumeSourceName[]) {
    const bound = bind(volume, name);
    if (bound) return bound;
  }
  return undefined;
}

function bind<S extends VolumeSourceName>(volume: Volume, name: S): BoundSource | undefined {
  const said = volume[name] as Source<S> | undefined;
  if (said === undefined) return undefined;
  const { place, mount, readOnly, sealed, mayFail, tellsOfPod }: VolumeSource<S> = SOURCES[name];
  return {
    place: place(said),
    readOnly: typeof readOnly === 'function' ? readOnly(said) : readOnly,
    sealed: sealed ?? false,
    mayFail: typeof mayFail === 'function' ? mayFail(said) : mayFail,
    tellsOfPod: tellsOfPod?.(said) ?? false,
    mount: (context) => mount(said, context, volume.name),
  };
}
