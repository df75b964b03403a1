/** The pods that an object stands for, and what those refer to by name. */
import type { Container, PodSpec } from '../../../contracts/objects/index.ts';
import type { Reference } from '../kinds/descriptor.ts';
import type { FieldPath } from './yaml-tree.ts';

export interface PodTemplate {
  readonly spec: PodSpec;
  /** Where `spec` is in the object. */
  readonly path: FieldPath;
  readonly labels: Readonly<Record<string, string>>;
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

/** Every ConfigMap and Secret that the pod needs to start. */
export function configReferences(template: PodTemplate): Reference[] {
  const references: Reference[] = [];
  for (const { container, path } of containersOf(template)) {
    for (const [i, { valueFrom }] of (container.env ?? []).entries()) {
      const at = [...path, 'env', i, 'valueFrom'];
      const { configMapKeyRef: c, secretKeyRef: s } = valueFrom ?? {};
      if (c)
        references.push({
          kind: 'ConfigMap',
          name: c.name,
          keys: [c.key],
          optional: c.optional,
          path: [...at, 'configMapKeyRef', 'name'],
        });
      if (s)
        references.push({
          kind: 'Secret',
          name: s.name,
          keys: [s.key],
          optional: s.optional,
          path: [...at, 'secretKeyRef', 'name'],
        });
    }
    for (const [i, { configMapRef: c, secretRef: s }] of (container.envFrom ?? []).entries()) {
      if (c)
        references.push({
          kind: 'ConfigMap',
          name: c.name,
          keys: [],
          optional: c.optional,
          path: [...path, 'envFrom', i, 'configMapRef', 'name'],
        });
      if (s)
        references.push({
          kind: 'Secret',
          name: s.name,
          keys: [],
          optional: s.optional,
          path: [...path, 'envFrom', i, 'secretRef', 'name'],
        });
    }
  }
  for (const [i, { configMap: c, secret: s }] of (template.spec.volumes ?? []).entries()) {
    const at = [...template.path, 'volumes', i];
    if (c)
      references.push({
        kind: 'ConfigMap',
        name: c.name,
        keys: (c.items ?? []).map((item) => item.key),
        optional: c.optional,
        path: [...at, 'configMap', 'name'],
      });
    if (s)
      references.push({
        kind: 'Secret',
        name: s.secretName,
        keys: (s.items ?? []).map((item) => item.key),
        optional: s.optional,
        path: [...at, 'secret', 'secretName'],
      });
  }
  return references;
}
