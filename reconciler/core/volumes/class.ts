/** Storage classes: those of the repository and those that are always there. */
import {
  LOCAL_PROVISIONER,
  readKey,
  type PersistentVolumeClaim,
  type StorageClass,
} from '../../../contracts/objects/index.ts';

/** Source: Kubernetes, pkg/volume/util IsDefaultStorageClassAnnotation. */
export const DEFAULT_CLASS_ANNOTATION = 'storageclass.kubernetes.io/is-default-class';

export function isDefaultClass({ metadata }: StorageClass): boolean {
  return readKey(metadata.annotations, DEFAULT_CLASS_ANNOTATION) === 'true';
}

/** The first is the default where the repository names none. The second is what k3s calls its own: both make folders. */
const BUILT_IN: readonly StorageClass[] = ['local', 'local-path', 'local-enforced'].map((name) => ({
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  metadata: { name },
  provisioner: LOCAL_PROVISIONER,
  reclaimPolicy: 'Delete',
  allowVolumeExpansion: true,
  volumeBindingMode: 'WaitForFirstConsumer',
  ...(name === 'local-enforced' && { parameters: { size: 'enforced' } }),
}));

export class StorageClasses {
  readonly #byName: ReadonlyMap<string, StorageClass>;
  /** The class of claims that name none. Source: Kubernetes, GetDefaultClass: of several the newest. */
  readonly default: StorageClass | undefined;

  /** One of the repository takes the place of a built-in one with its name. */
  constructor(written: readonly StorageClass[]) {
    this.#byName = new Map([...BUILT_IN, ...written].map((one) => [one.metadata.name, one]));
    const [newest] = written.filter(isDefaultClass).sort(byNewest);
    this.default = newest ?? this.#byName.get('local');
  }

  named(name: string): StorageClass | undefined {
    return this.#byName.get(name);
  }

  /** Of a claim; undefined where it wants none, or one that there is not. */
  of({ spec }: Pick<PersistentVolumeClaim, 'spec'>): StorageClass | undefined {
    const { storageClassName } = spec;
    return storageClassName === undefined ? this.default : this.named(storageClassName);
  }
}

function byNewest({ metadata: a }: StorageClass, { metadata: b }: StorageClass): number {
  const [timeOfA, timeOfB] = [a.creationTimestamp ?? '', b.creationTimestamp ?? ''];
  return timeOfA === timeOfB ? (a.name < b.name ? -1 : 1) : timeOfA > timeOfB ? -1 : 1;
}
