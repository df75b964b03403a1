/** Controller owner references. Source: Kubernetes meta/v1 OwnerReference. */
import type { KubeObject, ObjectMeta, OwnerReference, Stored } from '../../../contracts/objects/index.ts';

export function controllerOf(meta: ObjectMeta): OwnerReference | undefined {
  return meta.ownerReferences?.find((owner) => owner.controller === true);
}

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

export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
