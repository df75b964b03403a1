/** Object keys: `Kind/namespace/name`; the namespace is empty for cluster-scoped kinds (`Node//node-1`). Free of schemas: a node agent uses it. */
import type { Kind, KubeObject } from './kinds.ts';

export type ObjectKey<K extends Kind = Kind> = `${K}/${string}/${string}`;

export function objectKey<K extends Kind>(kind: K, namespace: string | undefined, name: string): ObjectKey<K> {
  return `${kind}/${namespace ?? ''}/${name}`;
}

export function keyOf(object: KubeObject): ObjectKey {
  return objectKey(object.kind, object.metadata.namespace, object.metadata.name);
}
