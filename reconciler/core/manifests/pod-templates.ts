/** The pods that an object stands for. */
import type { Container, PodSpec } from '../../../contracts/objects/index.ts';
import type { FieldPath } from './yaml-tree.ts';

export interface PodTemplate {
  readonly spec: PodSpec;
  /** Where `spec` is in the object. */
  readonly path: FieldPath;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Names of volumes that the controller adds to each pod. */
  readonly addedVolumes?: readonly string[];
}

export interface PlacedContainer {
  readonly container: Container;
  readonly path: FieldPath;
  readonly init: boolean;
}

/** Init containers, then containers, each with its path in the object. */
export function containersOf({ spec, path }: PodTemplate): PlacedContainer[] {
  return [
    ...(spec.initContainers ?? []).map((container, i) => ({
      container,
      path: [...path, 'initContainers', i],
      init: true,
    })),
    ...spec.containers.map((container, i) => ({ container, path: [...path, 'containers', i], init: false })),
  ];
}
