/** The scalars of a document, in the order they are written: the order of SOPS' digest. */
import type { FieldPath, YamlNode, YamlScalar } from '../manifests/yaml-tree.ts';

export interface Leaf {
  readonly path: FieldPath;
  readonly node: YamlScalar;
}

export function leavesOf(node: YamlNode, path: FieldPath = []): Leaf[] {
  switch (node.kind) {
    case 'scalar':
      return [{ path, node }];
    case 'list':
      return node.items.flatMap((item, i) => leavesOf(item, [...path, i]));
    case 'map':
      return [...node.fields].flatMap(([name, field]) => leavesOf(field.node, [...path, name]));
  }
}
