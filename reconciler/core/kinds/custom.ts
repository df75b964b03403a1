/** What is done with kinds that are registered, where built-in ones have their descriptors. See docs/adr/0008. */
import {
  isCustomKey,
  type AnyKey,
  type AnyStored,
  type CustomKey,
  type KindRegistry,
  type ObjectKey,
  type StoredAt,
  type StoredUnstructured,
  type Unstructured,
} from '../../../contracts/objects/index.ts';
import { isObject } from '../fields/json.ts';
import { heldDeletion } from '../health/held-deletion.ts';
import { degraded, healthy, progressing, type Health } from '../health/health.ts';

/** Live objects of custom kinds, registered or not; beside what is read by kind. */
export interface CustomView {
  readonly kinds: KindRegistry;
  get(key: CustomKey): StoredUnstructured | undefined;
  /** Of all resources or of one, everywhere or in one namespace; ordered by key. */
  list(resource?: string, namespace?: string): readonly StoredUnstructured[];
  /** Those that have this uid among their owners. */
  dependents(ownerUid: string): readonly StoredUnstructured[];
  /**
   * Whether an object with this uid, which what is in `namespace` could have named as its owner, was seen to go. That is
   * known of the last ones only; false says nothing.
   */
  isGone(uid: string, namespace: string | undefined): boolean;
}

/** A view of all objects, by key. */
export interface AnyReader {
  readonly custom: Pick<CustomView, 'get'>;
  get<Key extends ObjectKey>(key: Key): StoredAt<Key> | undefined;
}

export function objectAt(view: AnyReader, key: AnyKey): AnyStored | undefined {
  return isCustomKey(key) ? view.custom.get(key) : view.get(key);
}

/** The condition that most controllers of custom resources tell with. Source: Kubernetes API conventions, "Typical status properties". */
const READY = 'Ready';
/** Characters of it: a default of a definition may be any text, and what is said here is stored with the Source. */
const MAX_SAID = 1000;

/**
 * As its condition `Ready` says, where that is about the present generation; without one it is well when it is there,
 * as Argo CD has it for kinds that it has no check for.
 */
export function customHealth(object: Unstructured): Health {
  const deletion = heldDeletion(object);
  if (deletion) return deletion;
  const ready = conditionsOf(object).find(({ type }) => type === READY);
  if (!ready) return healthy('is stored');
  const { generation } = object.metadata;
  const words = [ready['reason'], ready['message']]
    .filter((text) => typeof text === 'string' && text !== '')
    .join(': ');
  const said = words.length > MAX_SAID ? `${words.slice(0, MAX_SAID - 1)}…` : words;
  if (typeof ready['observedGeneration'] === 'number' && ready['observedGeneration'] < (generation ?? 0))
    return progressing('its newest version has not been looked at yet');
  switch (ready['status']) {
    case 'True':
      return healthy(said || 'is ready');
    case 'False':
      return degraded(said || 'is not ready');
    default:
      return progressing(said || 'it is not known whether it is ready');
  }
}

/** What of `status.conditions` is one: others write it, and nothing holds them to a shape. */
export function conditionsOf(object: Unstructured): readonly Readonly<Record<string, unknown>>[] {
  const { status } = object;
  const conditions = isObject(status) ? status['conditions'] : undefined;
  return Array.isArray(conditions) ? conditions.filter(isObject) : [];
}
