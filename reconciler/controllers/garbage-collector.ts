/**
 * Garbage collection of every kind by its owners: see core/workloads/collection.ts for the rules.
 *
 * Nothing is deleted on an incomplete view. An owner is written before what it owns, and the view follows the store's
 * one ordered stream from a complete list on; so a view that holds a dependent and not its owner knows that the owner
 * was deleted. After Redis was lost, a recovery gives every owner the uid that its dependents name before any
 * controller runs; an owner's kind that it left out would cost running pods, so a test holds the two together.
 */
import { keyOf, type AnyKey, type AnyStored, type Kind } from '../../contracts/objects/index.ts';
import { objectAt } from '../core/kinds/custom.ts';
import type { AnyDecision } from '../core/step.ts';
import { abandonedOf, COLLECTED_KINDS, planCollection, waitsForDependents } from '../core/workloads/collection.ts';
import { ownerKey } from '../core/workloads/owners.ts';
import { clusterSettings } from './cluster-settings.ts';
import type { Controller, StoreView } from './runtime/controller.ts';

/** What the object owned or waits for, and what waited for it. Runs on every change of anything. */
function concerned(object: AnyStored, view: StoreView, event: 'put' | 'delete'): readonly AnyKey[] {
  if (event === 'delete') return [...dependents(object, view), ...waitingOwners(object, view)];
  return waitsForDependents(object) ? dependents(object, view) : [];
}

function dependents({ metadata }: AnyStored, view: StoreView): readonly AnyKey[] {
  const typed = COLLECTED_KINDS.flatMap((kind): readonly AnyStored[] => view.dependents<Kind>(kind, metadata.uid));
  return [...typed, ...view.custom.dependents(metadata.uid)].map(keyOf);
}

function waitingOwners(object: AnyStored, view: StoreView): readonly AnyKey[] {
  return (object.metadata.ownerReferences ?? []).flatMap((reference) => {
    const key = ownerKey(object.metadata.namespace, reference, view.custom.kinds);
    if (key === undefined) return [];
    const owner = objectAt(view, key);
    return owner?.metadata.uid === reference.uid && waitsForDependents(owner) ? [key] : [];
  });
}

function abandonedFinalizers(view: StoreView): readonly string[] {
  return clusterSettings(view).sync.abandonedFinalizers ?? [];
}

/** Whatever waits for a finalizer that the settings give up. */
function givenUp(view: StoreView): readonly AnyKey[] {
  const abandoned = abandonedFinalizers(view);
  if (abandoned.length === 0) return [];
  const typed = COLLECTED_KINDS.flatMap((kind): readonly AnyStored[] => view.list<Kind>(kind));
  return [...typed, ...view.custom.list()].filter((object) => abandonedOf(object, abandoned).length > 0).map(keyOf);
}

export const garbageCollector: Controller = {
  name: 'garbage-collector',
  kind: COLLECTED_KINDS,
  concerns,
  watches: {
    ...Object.fromEntries(COLLECTED_KINDS.map((kind) => [kind, concerned])),
    Cluster: (cluster, view, event) => [...concerned(cluster, view, event), ...givenUp(view)],
  },
  decide: (key, { view }) => collected(key, view),
  custom: {
    concerns,
    watch: concerned,
    decide: (key, { view }) => collected(key, view),
  },
};

function collected(key: AnyKey, view: StoreView): AnyDecision {
  const object = objectAt(view, key);
  return object ? planCollection(object, view, abandonedFinalizers(view)) : { steps: [] };
}

function concerns(object: AnyStored, previous: AnyStored | undefined, view: StoreView): boolean {
  return (!previous || ownership(object) !== ownership(previous)) && hasWork(object, view);
}

/** False for what its owners hold, and has none that ends: an owner that ends or is gone asks for its dependents. */
function hasWork(object: AnyStored, view: StoreView): boolean {
  const { steps, requeueAfterMs } = planCollection(object, view, abandonedFinalizers(view));
  return steps.length > 0 || requeueAfterMs !== undefined;
}

/** All of an object that a pass looks at, as a text. */
function ownership({ metadata: { deletionTimestamp, finalizers, ownerReferences } }: AnyStored): string {
  return JSON.stringify([deletionTimestamp, finalizers, ownerReferences]);
}
