/**
 * Objects of kinds that this program has no type for: those of custom resources. They pass beside the typed ones
 * (docs/adr/0008): what takes any object takes an {@link AnyObject}, and has to ask {@link isCustom} before it looks
 * further. Free of schemas: a node agent has it with the keys.
 */
import type { KubeObject, Stored } from './kinds.ts';
import type { ObjectMeta, StoredMeta } from './meta.ts';

/**
 * Under this an object of a custom kind carries its resource (`widgets.example.com`), which its `kind` does not tell. A
 * spread keeps it, JSON leaves it out: what came through JSON gets it again ({@link unstructured}).
 */
export const RESOURCE = Symbol('resource');

export interface Unstructured {
  readonly [RESOURCE]: string;
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly [field: string]: unknown;
}
export type StoredUnstructured = Unstructured & { readonly metadata: StoredMeta };

export type AnyObject = KubeObject | Unstructured;
export type AnyStored = Stored | StoredUnstructured;
/** Such an object as the store has it. */
export type StoredForm<T extends AnyObject> = T extends Unstructured
  ? StoredUnstructured
  : T extends KubeObject
    ? Stored
    : never;

export function isCustom(object: AnyStored): object is StoredUnstructured;
export function isCustom(object: AnyObject): object is Unstructured;
export function isCustom(object: AnyObject): object is Unstructured {
  return RESOURCE in object;
}

/** An object without its resource, as it is read from JSON. */
export interface UnstructuredJson {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly [field: string]: unknown;
}

/** The object as one of `resource`. */
export function unstructured<T extends UnstructuredJson>(resource: string, object: T): T & Unstructured {
  return { ...object, [RESOURCE]: resource };
}
