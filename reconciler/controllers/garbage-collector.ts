/**
 * Garbage collection by owner: an object whose controller is gone goes too, level by level (Deployment, ReplicaSet,
 * Pod).
 *
 * An owner is written before what it owns, and the view follows the store's one ordered stream from a complete list on;
 * so a view that holds a dependent and not its owner knows that the owner was deleted. An owner of the same name with
 * another uid is another object.
 */
import { isKind, keyOf, objectKey, type Kind, type ObjectKey, type Stored } from '../../contracts/objects/index.ts';
import type { Decision } from '../core/step.ts';
import { controllerOf } from '../core/workloads/owners.ts';
import type { Controller, StoreView } from './runtime/controller.ts';

type OwnedKind = 'ReplicaSet' | 'Pod' | 'EndpointSlice';

/** The controller of an object is known to be gone. An owner of a kind that we do not keep is nothing we can judge. */
function orphaned(object: Stored, view: StoreView): boolean {
  const owner = controllerOf(object.metadata);
  if (!owner || !isKind(owner.kind)) return false;
  return view.get<Kind>(objectKey(owner.kind, object.metadata.namespace, owner.name))?.metadata.uid !== owner.uid;
}

function collector(kind: OwnedKind, owner: 'Deployment' | 'ReplicaSet' | 'Service'): Controller {
  const dependents = (object: Stored, view: StoreView): readonly ObjectKey[] =>
    view.ownedBy<Kind>(kind, object.metadata.uid).map(keyOf);
  const onDelete = (object: Stored, view: StoreView, event: 'put' | 'delete'): readonly ObjectKey[] =>
    event === 'delete' ? dependents(object, view) : [];
  return {
    name: `garbage-collector-${kind.toLowerCase()}`,
    kind,
    watches: { [owner]: onDelete },
    decide(key, { view }): Decision {
      const object = view.get<Kind>(key);
      if (!object || object.metadata.deletionTimestamp !== undefined || !orphaned(object, view)) return { steps: [] };
      return { steps: [{ do: 'delete', key, uid: object.metadata.uid }] };
    },
  };
}

export const garbageCollectors: readonly Controller[] = [
  collector('ReplicaSet', 'Deployment'),
  collector('Pod', 'ReplicaSet'),
  collector('EndpointSlice', 'Service'),
];
