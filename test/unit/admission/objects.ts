/** Stored objects and a view for the tests of the admission chain. */
import type {
  Kind,
  KubeObject,
  ObjectKey,
  Stored,
  StoredAt,
  StoredMeta,
  StoredOf,
} from '../../../contracts/objects/index.ts';
import { CustomTable } from '../../../reconciler/controllers/runtime/custom-table.ts';
import type { AdmissionView } from '../../../reconciler/core/admission/request.ts';

export const NOW = new Date('2026-01-01T00:00:00Z');

/** Accepted by the store, at version 7. */
export function stored<T extends KubeObject>(object: T, metadata: Partial<StoredMeta> = {}): Stored<T> {
  return {
    ...object,
    metadata: {
      ...object.metadata,
      uid: 'uid-1',
      resourceVersion: '7',
      generation: 1,
      creationTimestamp: '2025-12-31T00:00:00Z',
      ...metadata,
    },
  };
}

export function viewOf(objects: ReadonlyMap<ObjectKey, Stored>): AdmissionView {
  return {
    custom: new CustomTable(),
    get: <Key extends ObjectKey>(key: Key) => objects.get(key) as StoredAt<Key> | undefined,
    list: <K extends Kind>(kind: K, namespace?: string) =>
      [...objects.values()].filter(
        (object) => object.kind === kind && (namespace === undefined || object.metadata.namespace === namespace),
      ) as readonly Stored[] as readonly StoredOf<K>[],
  };
}
export const NO_VIEW = viewOf(new Map());
