/** Storage classes: which one is meant where a claim names none. */
import { readKey, type StorageClass } from '../../../contracts/objects/index.ts';

/** Source: Kubernetes, pkg/volume/util IsDefaultStorageClassAnnotation. */
export const DEFAULT_CLASS_ANNOTATION = 'storageclass.kubernetes.io/is-default-class';

export function isDefaultClass({ metadata }: StorageClass): boolean {
  return readKey(metadata.annotations, DEFAULT_CLASS_ANNOTATION) === 'true';
}
