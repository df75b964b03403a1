/** One source of volumes: what the pod code has to know of it, and what has to be done on the disk for it. */
import type { Pod, Volume, VolumeSourceName } from '../../../../contracts/objects/index.ts';
import type { Resolved } from '../resolved.ts';
import type { Medium } from '../layout.ts';
import type { PodObjects } from '../objects.ts';

export interface VolumeFile {
  /** Relative to the volume; no step of it is `.`, `..` or empty. */
  readonly path: string;
  readonly mode: number;
  readonly content: Buffer;
}

export interface PersistentMount {
  readonly kind: 'persistent';
  readonly from:
    /**
     * A volume of the agent's own, made where it is not there yet. `record`: the volume, kept beside its data. `bytes`:
     * what it is held to, and may fill its disk when undefined.
     */
    | {
        readonly is: 'made';
        readonly volume: string;
        readonly record: string;
        readonly bytes: number | undefined;
      }
    /** A folder of the machine's own. `sets`: whether its files are given the pod's group. */
    | {
        readonly is: 'host';
        readonly path: string;
        readonly type: Source<'hostPath'>['type'];
        readonly setsGroup: boolean;
      };
  /** When files are given the pod's group: always, or when those of the volume's top have another one. */
  readonly changePolicy: 'Always' | 'OnRootMismatch';
}

/** What to do on the disk; adapters have one way for each kind. */
export type VolumeMount =
  /** A folder for the pod's containers to write; `sizeBytes`: limit of a memory-backed one. */
  | { readonly kind: 'empty'; readonly medium: Medium; readonly sizeBytes: number | undefined }
  /** Huge pages of one size, as files. */
  | { readonly kind: 'hugePages'; readonly pageBytes: number; readonly sizeBytes: number }
  /** Something that the machine has already. */
  | { readonly kind: 'host'; readonly type: Source<'hostPath'>['type'] }
  /** What a server exports; `options`: of mount(8). */
  | { readonly kind: 'nfs'; readonly source: string; readonly options: readonly string[] }
  /** What an image that is here holds, for this pod. */
  | { readonly kind: 'image'; readonly image: string; readonly podUid: string }
  /** Data that outlives the pod, shown in its folder. */
  | PersistentMount
  /** Files that are replaced all at once; with `keeps` those that are there already stay as they are. */
  | { readonly kind: 'files'; readonly files: readonly VolumeFile[]; readonly keeps?: true };

export type Source<S extends VolumeSourceName> = NonNullable<Volume[S]>;

/** What a volume may be made of besides what its source says. */
export interface VolumeContext {
  readonly pod: Pod;
  readonly objects: PodObjects;
}

/**
 * Its schema is in contracts/objects/volumes.ts, what it refers to in pod-references.ts. Whatever is mounted for it
 * below the pod's folders is unmounted with the pod.
 */
export interface VolumeSource<S extends VolumeSourceName> {
  /** On which of the agent's folders it lies, or a path of the machine's own. */
  readonly place: (source: Source<S>) => { readonly medium: Medium } | { readonly path: string };
  /** Whether containers have it read-only, as where its content is the control plane's to write. */
  readonly readOnly: boolean | ((source: Source<S>) => boolean);
  /** Whether it is mounted here so that nobody can write it, whatever a mount of it says. */
  readonly sealed?: true;
  /** Whether it may be refused, or wait for an object: a pod whose volumes cannot be made is given no address. */
  readonly mayFail: boolean | ((source: Source<S>) => boolean);
  /** Whether it tells of the pod itself, and follows its labels and annotations. */
  readonly tellsOfPod?: (source: Source<S>) => boolean;
  /** Why not, in kubelet's words for a FailedMount event. */
  readonly mount: (source: Source<S>, context: VolumeContext, volume: string) => Resolved<VolumeMount>;
}
