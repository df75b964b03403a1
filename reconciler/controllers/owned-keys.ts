/** From an object to the objects it concerns, and from a selector to the objects it may take. */
import { isDeepStrictEqual } from 'node:util';
import {
  isKeyOf,
  keyOf,
  selectorMatches,
  type Kind,
  type LabelSelector,
  type ObjectKey,
  type Selector,
  type Stored,
  type StoredOf,
  type StoredPod,
} from '../../contracts/objects/index.ts';
import { descriptorOf } from '../core/kinds/index.ts';
import { controllerOf, ownerKey } from '../core/workloads/owners.ts';
import { HASH_LABEL } from '../core/workloads/template.ts';
import type { StoreView } from './runtime/controller.ts';

/**
 * The controller of `object`, when it is of `kind` and is there: what is left of one that is gone is the garbage
 * collector's. For an object without one, every `kind` of its namespace whose selector wants it.
 */
export function controllerKeys(kind: Kind, object: Stored, view: StoreView): readonly ObjectKey[] {
  const controller = controllerOf(object.metadata);
  if (controller) {
    const key = ownerKey(object.metadata.namespace, controller);
    return key !== undefined && isKeyOf(key, kind) && view.get(key) !== undefined ? [key] : [];
  }
  const { selector } = descriptorOf(kind);
  if (selector === 'none') return [];
  const candidates: readonly Stored[] = view.list(kind, object.metadata.namespace);
  return candidates
    .filter((candidate) => {
      const wanted = selector.of(candidate);
      return wanted !== undefined && selectorMatches(wanted, object.metadata.labels);
    })
    .map(keyOf);
}

/** Whether `after` is `before` with a node, and nothing else changed: to who counts pods it says nothing. */
export function isBinding(after: Stored, before: Stored): boolean {
  if (after.kind !== 'Pod' || before.kind !== 'Pod') return false;
  if (after.spec.nodeName === undefined || before.spec.nodeName !== undefined) return false;
  const rest = ({ metadata, spec, ...more }: StoredPod): unknown => ({
    ...more,
    metadata: { ...metadata, resourceVersion: '', generation: 0, managedFields: undefined },
    spec: { ...spec, nodeName: undefined },
  });
  return isDeepStrictEqual(rest(before), rest(after));
}

/** Objects of the namespace that the selector may match; narrowed by one label where the selector names one. */
export function selected<K extends Kind>(
  kind: K,
  namespace: string,
  selector: Selector,
  view: StoreView,
): readonly StoredOf<K>[] {
  const labels = selector.matchLabels ?? {};
  const [key, value] = HASH_LABEL in labels ? [HASH_LABEL, labels[HASH_LABEL]] : (Object.entries(labels)[0] ?? []);
  return key !== undefined && value !== undefined
    ? view.labelled(kind, key, value, namespace)
    : view.list(kind, namespace);
}

/** Those without a controller. */
export function orphans<K extends Kind>(
  kind: K,
  namespace: string,
  selector: LabelSelector,
  view: StoreView,
): readonly StoredOf<K>[] {
  return selected(kind, namespace, selector, view).filter((object) => controllerOf(object.metadata) === undefined);
}
