/** Up and down the chain of owners, by what each kind owns. */
import {
  type StoredAt,
  type Kind,
  type KubeObject,
  type ObjectKey,
  type OwnerReference,
  type Stored,
  type StoredOf,
  type StoredPod,
} from '../../../contracts/objects/index.ts';
import { fieldAt } from '../diff/fixed-fields.ts';
import { controllerOf, ownerKey } from '../workloads/owners.ts';
import { descriptorOf, DESCRIPTORS } from './index.ts';

/** Reading live objects; the store's view is one. */
export interface OwnerView {
  get<Key extends ObjectKey>(key: Key): StoredAt<Key> | undefined;
  ownedBy<K extends Kind>(kind: K, ownerUid: string): readonly StoredOf<K>[];
}

/** The controller of an object, or what a reference names; undefined when it is gone, or another has its name. */
export function controllerIn(
  view: OwnerView,
  namespace: string | undefined,
  reference: OwnerReference | undefined,
): Stored | undefined {
  const key = reference && ownerKey(namespace, reference);
  const found: Stored | undefined = key && view.get(key);
  return found?.metadata.uid === reference?.uid ? found : undefined;
}

/** The controller, its controller, and so on: nearest first. Ends, whatever references say, as kinds own downwards. */
export function ownerChain(view: OwnerView, object: Stored): Stored[] {
  const chain: Stored[] = [];
  for (let at = object; ;) {
    const owner = controllerIn(view, at.metadata.namespace, controllerOf(at.metadata));
    if (!owner || !DESCRIPTORS[owner.kind].owns.includes(at.kind)) return chain;
    chain.push(owner);
    at = owner;
  }
}

/** Objects that it is the controller of, kind by kind. */
export function childrenOf(view: OwnerView, object: Stored): readonly Stored[] {
  return DESCRIPTORS[object.kind].owns.flatMap((kind): readonly Stored[] => view.ownedBy(kind, object.metadata.uid));
}

/** Children, their children, and so on: each before its own. */
export function descendantsOf(view: OwnerView, object: Stored): Stored[] {
  return childrenOf(view, object).flatMap((child) => [child, ...descendantsOf(view, child)]);
}

/** The pods that an object is or has, through whatever it owns. */
export function podsOf(view: OwnerView, object: Stored): StoredPod[] {
  return [object, ...descendantsOf(view, object)].filter((one): one is StoredPod => one.kind === 'Pod');
}

/** How many pods an object wants; undefined for one of a kind that is not scaled. */
export function replicasOf(object: KubeObject): number | undefined {
  const { scale } = descriptorOf(object.kind);
  if (scale === 'none') return undefined;
  const replicas = fieldAt(object, scale.replicas);
  return typeof replicas === 'number' ? replicas : undefined;
}
