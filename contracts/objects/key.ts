/**
 * Object keys: `resource/namespace/name`, such as `deployments.apps/default/web`; the namespace is empty for
 * cluster-scoped kinds (`nodes//node-1`). A key names one object whatever version of its group it is written in. Nobody
 * else puts keys together or takes them apart. Free of schemas: a node agent uses it.
 */
import { IDENTITIES, isKind, kindOfResource, type Kind, type ResourceOf } from './identity.ts';
import type { KubeObject, ObjectsByKind, StoredOf } from './kinds.ts';
import { isCustom, RESOURCE, type AnyObject, type Unstructured } from './unstructured.ts';

export type ObjectKey<K extends Kind = Kind> = `${ResourceOf<K>}/${string}/${string}`;
/** The kind that a key's type tells: `Pod` of `ObjectKey<'Pod'>`, and of `'pods/default/web'`. */
export type KindOfKey<Key extends ObjectKey> = Key extends `${infer Resource extends keyof KindByResource}/${string}`
  ? KindByResource[Resource]
  : never;
/** The object of a key, by the kind that the key's type tells. */
export type ObjectAt<Key extends ObjectKey> = ObjectsByKind[KindOfKey<Key>];
export type StoredAt<Key extends ObjectKey> = StoredOf<KindOfKey<Key>>;
declare const CUSTOM: unique symbol;
/** Key of an object of a custom kind: `widgets.example.com/default/web`. Made by {@link customKey} and `keyOf` alone. */
export type CustomKey = string & { readonly [CUSTOM]: true };

/** Of an object of any kind. */
export type AnyKey = ObjectKey | CustomKey;

type KindByResource = { readonly [K in Kind as ResourceOf<K>]: K };

export function objectKey<K extends Kind>(kind: K, namespace: string | undefined, name: string): ObjectKey<K> {
  const resource: ResourceOf<K> = IDENTITIES[kind].resource;
  return `${resource}/${namespace ?? ''}/${name}`;
}

/** Key of what an object of `namespace` names: of its own namespace, where there are namespaces of the kind. */
export function namedKey<K extends Kind>(kind: K, namespace: string | undefined, name: string): ObjectKey<K> {
  return objectKey(kind, IDENTITIES[kind].namespaced ? namespace : undefined, name);
}

/** Throws RangeError for a resource that is a built-in one, or has no group. */
export function customKey(resource: string, namespace: string | undefined, name: string): CustomKey {
  const key = `${resource}/${namespace ?? ''}/${name}`;
  if (!isCustomKey(key)) throw new RangeError(`not the key of a custom object: ${key}`);
  return key;
}

/** The key that an object's type tells. */
export type KeyOf<T extends AnyObject> = T extends Unstructured
  ? CustomKey
  : T extends KubeObject
    ? ObjectKey<T['kind']>
    : never;

export function keyOf<T extends AnyObject>(object: T): KeyOf<T> {
  const any: AnyObject = object;
  const { namespace, name } = any.metadata;
  const key = isCustom(any) ? customKey(any[RESOURCE], namespace, name) : objectKey(any.kind, namespace, name);
  // The object's type says which of them it is.
  return key as KeyOf<T>;
}

export interface KeyParts<K extends Kind = Kind> {
  readonly kind: K;
  /** Empty for cluster-scoped kinds. */
  readonly namespace: string;
  readonly name: string;
}

/** Whether the text is a key of an object of a custom kind, registered or not. */
export function isCustomKey(text: AnyKey): text is CustomKey;
export function isCustomKey(text: string): text is CustomKey;
export function isCustomKey(text: string): text is CustomKey {
  const parts = cut(text);
  return parts !== undefined && /.\../.test(parts.resource) && kindOfResource(parts.resource) === undefined;
}

/** Splits a key; throws RangeError for text that is no key. */
export function parseKey<Key extends ObjectKey>(key: Key): KeyParts<KindOfKey<Key>>;
export function parseKey(key: string): KeyParts;
export function parseKey(key: string): KeyParts {
  const parts = split(key);
  if (!parts) throw new RangeError(`not an object key: ${key}`);
  return parts;
}

/** The kind alone; throws RangeError as {@link parseKey} where it is none of ours. */
export function kindOfKey<Key extends ObjectKey>(key: Key): KindOfKey<Key> {
  const kind = kindOfResource(key.slice(0, Math.max(0, key.indexOf('/'))));
  if (kind === undefined) throw new RangeError(`not an object key: ${key}`);
  // The key's type says the kind, and the table says it by the key's text.
  return kind as KindOfKey<Key>;
}

export function isKeyOf<K extends Kind>(key: ObjectKey, ...kinds: readonly K[]): key is ObjectKey<K> {
  return kinds.some((kind) => kind === kindOfKey(key));
}

/** Names of those keys that are of `kind`, in their order. */
export function namesOf(kind: Kind, keys: Iterable<ObjectKey>): string[] {
  return [...keys].filter((key) => isKeyOf(key, kind)).map((key) => parseKey(key).name);
}

/** Whether {@link parseKey} takes it. */
export function isObjectKey(text: string): text is ObjectKey {
  return split(text) !== undefined;
}

/** `default/web`; of a cluster-scoped object, `/web`. */
export function namespacedName({ metadata }: KubeObject): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}

/**
 * The key for programs that read the CLI's JSON, a form that stays: as for people, but `Node//web`. Of a custom object
 * it is the key itself.
 */
export function kindKey(key: AnyKey): string {
  if (isCustomKey(key)) return key;
  const { kind, namespace, name } = parseKey(key);
  return `${kind}/${namespace}/${name}`;
}

/**
 * The key for people: `Deployment/default/web`, and `Node/web` for kinds without a namespace; of a custom object
 * `widgets.example.com/default/web`.
 */
export function displayKey(key: AnyKey): string {
  if (isCustomKey(key)) return key.replace('//', '/');
  const { kind, namespace, name } = parseKey(key);
  return namespace === '' ? `${kind}/${name}` : kindKey(key);
}

/**
 * A key as older versions wrote it (`Kind/namespace/name`, without the group), or as it is written now: as it is
 * written now. Undefined for text that is neither. For what was kept or is said by a version before this one.
 */
export function keyFromOlder(text: string): ObjectKey | undefined {
  if (isObjectKey(text)) return text;
  const slash = text.indexOf('/');
  const kind = text.slice(0, Math.max(0, slash));
  const key = isKind(kind) ? `${IDENTITIES[kind].resource}${text.slice(slash)}` : '';
  return isObjectKey(key) ? key : undefined;
}

function split(key: string): KeyParts | undefined {
  const parts = cut(key);
  const kind = parts && kindOfResource(parts.resource);
  return kind && { kind, namespace: parts.namespace, name: parts.name };
}

interface Cut {
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
}

function cut(key: string): Cut | undefined {
  const first = key.indexOf('/');
  const second = key.indexOf('/', first + 1);
  if (first <= 0 || second < 0 || second === key.length - 1 || key.includes('/', second + 1)) return undefined;
  return { resource: key.slice(0, first), namespace: key.slice(first + 1, second), name: key.slice(second + 1) };
}
