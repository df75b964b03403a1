/**
 * Garbage collection of every kind by its owners: see core/workloads/collection.ts for the rules.
 *
 * Nothing is deleted on an incomplete view. An owner is written before what it owns, and the view follows the store's
 * one ordered stream from a complete list on; so a view that holds a dependent and not its owner knows that the owner
 * was deleted. After Redis was lost, a recovery gives every owner the uid that its dependents name before any
 * controller runs; an owner's kind that it left out would cost running pods, so a test holds the two together.
 */
import {
  keyOf,
  objectKey,
  isKind,
  KINDS,
  type Kind,
  type ObjectKey,
  type Stored,
} from '../../contracts/objects/index.ts';
import { abandonedOf, COLLECTED_KINDS, planCollection, waitsForDependents } from '../core/workloads/collection.ts';
import { clusterSettings } from './cluster-settings.ts';
import type { Controller, StoreView } from './runtime/controller.ts';

/** What the object owned or waits for, and what waited for it. Runs on every change of anything. */
function concerned(object: Stored, view: StoreView, event: 'put' | 'delete'): readonly ObjectKey[] {
  if (event === 'delete') return [...dependents(object, view), ...waitingOwners(object, view)];
  return waitsForDependents(object) ? dependents(object, view) : [];
}

function dependents({ metadata }: Stored, view: StoreView): readonly ObjectKey[] {
  return COLLECTED_KINDS.flatMap((kind) => view.dependents<Kind>(kind, metadata.uid).map(keyOf));
}

function waitingOwners({ metadata }: Stored, view: StoreView): readonly ObjectKey[] {
  return (metadata.ownerReferences ?? []).flatMap(({ kind, name, uid }) => {
    if (!isKind(kind)) return [];
    const key = objectKey(kind, KINDS[kind].namespaced ? metadata.namespace : undefined, name);
    const owner: Stored | undefined = view.get(key);
    return owner?.metadata.uid === uid && waitsForDependents(owner) ? [key] : [];
  });
}

function abandonedFinalizers(view: StoreView): readonly string[] {
  return clusterSettings(view).sync.abandonedFinalizers ?? [];
}

/** Whatever waits for a finalizer that the settings give up. */
function givenUp(view: StoreView): readonly ObjectKey[] {
  const abandoned = abandonedFinalizers(view);
  if (abandoned.length === 0) return [];
  const all = COLLECTED_KINDS.flatMap((kind): readonly Stored[] => view.list<Kind>(kind));
  return all.filter((object) => abandonedOf(object, abandoned).length > 0).map(keyOf);
}

export const garbageCollector: Controller = {
  name: 'garbage-collector',
  kind: COLLECTED_KINDS,
  concerns: (object, previous) => ownership(object) !== ownership(previous),
  watches: {
    ...Object.fromEntries(COLLECTED_KINDS.map((kind) => [kind, concerned])),
    Cluster: (cluster, view, event) => [...concerned(cluster, view, event), ...givenUp(view)],
  },
  decide(key, { view }) {
    const object: Stored | undefined = view.get(key);
    return object ? planCollection(object, view, abandonedFinalizers(view)) : { steps: [] };
  },
};

/** All of an object that a pass looks at, as a text. */
function ownership({ metadata: { deletionTimestamp, finalizers, ownerReferences } }: Stored): string {
  return JSON.stringify([deletionTimestamp, finalizers, ownerReferences]);
}
