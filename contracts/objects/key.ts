/**
 * Object keys: `Kind/namespace/name`; the namespace is empty for cluster-scoped kinds (`Node//node-1`). Free of
 * schemas: a node agent uses it.
 */
import { isKind, type Kind } from './identity.ts';
import type { KubeObject } from './kinds.ts';

export type ObjectKey<K extends Kind = Kind> = `${K}/${string}/${string}`;

export function objectKey<K extends Kind>(kind: K, namespace: string | undefined, name: string): ObjectKey<K> {
  return `${kind}/${namespace ?? ''}/${name}`;
}

export function keyOf(object: KubeObject): ObjectKey {
  return objectKey(object.kind, object.metadata.namespace, object.metadata.name);
}

export interface KeyParts<K extends Kind = Kind> {
  readonly kind: K;
  /** Empty for cluster-scoped kinds. */
  readonly namespace: string;
  readonly name: string;
}

/** Splits a key; throws RangeError for text that is no key. */
export function parseKey<K extends Kind>(key: ObjectKey<K>): KeyParts<K>;
export function parseKey(key: string): KeyParts;
export function parseKey(key: string): KeyParts {
  const [kind, namespace, name, ...rest] = key.split('/');
  if (kind === undefined || namespace === undefined || !name || rest.length > 0 || !isKind(kind))
    throw new RangeError(`not an object key: ${key}`);
  return { kind, namespace, name };
}

/** Whether {@link parseKey} takes it. */
export function isObjectKey(text: string): text is ObjectKey {
  const [kind, namespace, name, ...rest] = text.split('/');
  return (
    kind !== undefined &&
    isKind(kind) &&
    namespace !== undefined &&
    name !== undefined &&
    name !== '' &&
    rest.length === 0
  );
}

/** The key for people: `Deployment/default/web`, and `Node/web` for kinds without a namespace. */
export function displayKey(key: ObjectKey): string {
  const { kind, namespace, name } = parseKey(key);
  return namespace === '' ? `${kind}/${name}` : `${kind}/${namespace}/${name}`;
}
