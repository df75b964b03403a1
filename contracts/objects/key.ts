/** Reading object keys back. */
import { isKind, type Kind } from './kinds.ts';
import type { ObjectKey } from './object-key.ts';

export * from './object-key.ts';

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
  if (kind === undefined || namespace === undefined || !name || rest.length > 0 || !isKind(kind)) throw new RangeError(`not an object key: ${key}`);
  return { kind, namespace, name };
}
