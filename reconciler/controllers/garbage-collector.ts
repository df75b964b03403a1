/**
 * Garbage collection of every kind by its owners: see core/workloads/collection.ts for the rules.
 *
 * Nothing is deleted on an incomplete view. An owner is written before what it owns, and the view follows the store's
 * one ordered stream from a complete list on; so a view that holds a dependent and not its owner knows that the owner
 * was deleted. After Redis was lost, a recovery gives every owner the uid that its dependents name before any
 * controller runs; an owner's kind that it left out would cost running pods, so a test holds the two together.
 */
import { keyOf, objectKey, type Kind, type ObjectKey, type Stored } from '../../contracts/objects/index.ts';
import { abandonedOf, COLLECTED_KINDS, planCollection, waitsForDependents } from '../core/workloads/collection.ts';
import { clusterSettings } from './cluster-settings.ts';
import type { Controller, StoreView } from './runtime/controller.ts';

/** Of `kind`: what the object owned or waits for, and what waited for it. Runs on every change of anything. */
function concerned(kind: Kind, object: Stored, view: StoreView, event: 'put' | 'delete'): readonly ObjectKey[] {
  if (event === 'delete') return [...dependents(kind, object, view), ...waitingOwners(kind, object, view)];
  return waitsForDependents(object) ? dependents(kind, object, view) : [];
}

function dependents(kind: Kind, object: Stored, view: StoreView): readonly ObjectKey[] {
  return view.dependents<Kind>(kind, object.metadata.uid).map(keyOf);
}

function waitingOwners(kind: Kind, { metadata }: Stored, view: StoreView): readonly ObjectKey[] {
  return (metadata.ownerReferences ?? []).flatMap((reference) => {
    if (reference.kind !== kind) return [];
    const namespaces = [metadata.namespace, undefined];
    return namespaces.flatMap((namespace) => {
      const key = objectKey(kind, namespace, reference.name);
      const owner: Stored | undefined = view.get<Kind>(key);
      return owner?.metadata.uid === reference.uid && waitsForDependents(owner) ? [key] : [];
    });
  });
}

function abandonedFinalizers(view: StoreView): readonly string[] {
  return clusterSettings(view).sync.abandonedFinalizers ?? [];
}

function collector(kind: Kind): Controller {
  const watched = COLLECTED_KINDS.map((other) => [
    other,
    (object: Stored, view: StoreView, event: 'put' | 'delete'): readonly ObjectKey[] => {
      const keys = concerned(kind, object, view, event);
      if (object.kind !== 'Cluster') return keys;
      const abandoned = abandonedFinalizers(view);
      return [
        ...keys,
        ...view
          .list<Kind>(kind)
          .filter((one) => abandonedOf(one, abandoned).length > 0)
          .map(keyOf),
      ];
    },
  ]);
  return {
    name: `garbage-collector-${kind.toLowerCase()}`,
    kind,
    watches: Object.fromEntries(watched) as Controller['watches'],
    decide(key, { view }) {
      const object: Stored | undefined = view.get<Kind>(key);
      return object ? planCollection(object, view, abandonedFinalizers(view)) : { steps: [] };
    },
  };
}

export const garbageCollectors: readonly Controller[] = COLLECTED_KINDS.map(collector);
