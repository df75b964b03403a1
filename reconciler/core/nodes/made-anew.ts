/** Objects that a recovery makes itself, as those of a store. */
import {
  keyOf,
  type KubeObject,
  type ObjectKey,
  type Stored,
  type StoredMeta,
} from '../../../contracts/objects/index.ts';
import { digest } from './fingerprint.ts';

/** The store that is being filled. */
export interface Filling {
  readonly incarnation: string;
  readonly now: Date;
}

/**
 * With a uid, so that others can refer to it: drawn from the store's incarnation and the key, so that a recovery that
 * was interrupted and is made again gives the same.
 */
export function made<T extends KubeObject>(
  object: T,
  { incarnation, now }: Filling,
  creationTimestamp = now.toISOString(),
): Stored<T> {
  const metadata: StoredMeta = {
    ...object.metadata,
    uid: uidOf(incarnation, keyOf(object)),
    resourceVersion: '0',
    generation: 1,
    creationTimestamp,
  };
  return { ...object, metadata };
}

/** RFC 9562, version 8. */
function uidOf(incarnation: string, key: ObjectKey): string {
  const hex = Buffer.from(digest(`${incarnation} ${key}`), 'latin1').toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
