/** Owner references. Source: Kubernetes meta/v1 OwnerReference. */
import {
  customKey,
  groupOf,
  kindOf,
  KINDS,
  objectKey,
  type AnyKey,
  type KindRegistry,
  type KubeObject,
  type ObjectKey,
  type ObjectMeta,
  type OwnerReference,
  type Stored,
} from '../../../contracts/objects/index.ts';

export function controllerOf(meta: ObjectMeta): OwnerReference | undefined {
  return meta.ownerReferences?.find((owner) => owner.controller === true);
}

/**
 * Key of what a reference of an object in `namespace` names: a kind is one with its group, and an owner with a namespace
 * is in that of the object, and nowhere else. Undefined for what we cannot judge: a kind that is neither ours nor in
 * `kinds`; one with a namespace, named by an object without.
 */
export function ownerKey(namespace: string | undefined, reference: Named): ObjectKey | undefined;
export function ownerKey(namespace: string | undefined, reference: Named, kinds: KindRegistry): AnyKey | undefined;
export function ownerKey(
  namespace: string | undefined,
  { apiVersion, kind: word, name }: Named,
  kinds?: KindRegistry,
): AnyKey | undefined {
  const kind = kindOf(apiVersion, word);
  const identity = kind ? KINDS[kind] : kinds?.named(groupOf(apiVersion), word);
  if (!identity || (identity.namespaced && namespace === undefined)) return undefined;
  const home = identity.namespaced ? namespace : undefined;
  return kind ? objectKey(kind, home, name) : customKey(identity.resource, home, name);
}
type Named = Pick<OwnerReference, 'apiVersion' | 'kind' | 'name'>;

/** The reference that makes `owner` the controller of another object. */
export function controllerRef(owner: Stored): OwnerReference {
  return {
    apiVersion: owner.apiVersion,
    kind: owner.kind,
    name: owner.metadata.name,
    uid: owner.metadata.uid,
    controller: true,
    blockOwnerDeletion: true,
  };
}

/** The object with `owner` as its controller besides the owners it has. */
export function adoptedBy<T extends KubeObject>(object: T, owner: Stored): T {
  return {
    ...object,
    metadata: {
      ...object.metadata,
      ownerReferences: [...(object.metadata.ownerReferences ?? []), controllerRef(owner)],
    },
  };
}

/** The object without the references to `ownerUid`. */
export function releasedFrom<T extends KubeObject>(object: T, ownerUid: string): T {
  const ownerReferences = (object.metadata.ownerReferences ?? []).filter((owner) => owner.uid !== ownerUid);
  return { ...object, metadata: { ...object.metadata, ownerReferences } };
}

/** Older first; then by name, so that the order is total. */
export function byAge(a: Stored, b: Stored): number {
  if (a.metadata.creationTimestamp !== b.metadata.creationTimestamp)
    return (
      Date.parse(a.metadata.creationTimestamp) - Date.parse(b.metadata.creationTimestamp) ||
      compareText(a.metadata.name, b.metadata.name)
    );
  return compareText(a.metadata.name, b.metadata.name);
}

/** In the order of {@link byAge}; each time is read once, which counts where there are thousands. */
export function sortedByAge<T extends Stored>(objects: readonly T[]): T[] {
  return objects
    .map((object) => ({ object, at: Date.parse(object.metadata.creationTimestamp) }))
    .sort((a, b) => a.at - b.at || compareText(a.object.metadata.name, b.object.metadata.name))
    .map(({ object }) => object);
}

export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
