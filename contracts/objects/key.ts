/**
 * Object keys: `resource/namespace/name`, such as `deployments.apps/default/web`; the namespace is empty for
 * cluster-scoped kinds (`nodes//node-1`). A key names one object whatever version of its group it is written in. Nobody
 * else puts keys together or takes them apart. Free of schemas: a node agent uses it.
 */
import { IDENTITIES, isKind, kindOfResource, type Kind, type ResourceOf } from './identity.ts';
import type { KubeObject, ObjectsByKind, StoredOf } from './kinds.ts';

export type ObjectKey<K extends Kind = Kind> = `${ResourceOf<K>}/${string}/${string}`;
/** The kind that a key's type tells: `Pod` of `ObjectKey<'Pod'>`, and of `'pods/default/web'`. */
export type KindOfKey<Key extends ObjectKey> = Key extends `${infer Resource extends keyof KindByResource}/${string}`
  ? KindByResource[Resource]
  : never;
/** The object of a key, by the kind that the key's type tells. */
export type ObjectAt<Key extends ObjectKey> = ObjectsByKind[KindOfKey<Key>];
export type StoredAt<Key extends ObjectKey> = StoredOf<KindOfKey<Key>>;
type KindByResource = { readonly [K in Kind as ResourceOf<K>]: K };

export function objectKey<K extends Kind>(kind: K, namespace: string | undefined, name: string): ObjectKey<K> {
  const resource: ResourceOf<K> = IDENTITIES[kind].resource;
  return `${resource}/${namespace ?? ''}/${name}`;
}

export function keyOf<T extends KubeObject>(object: T): ObjectKey<T['kind']> {
  return objectKey<T['kind']>(object.kind, object.metadata.namespace, object.metadata.name);
}

export interface KeyParts<K extends Kind = Kind> {
  readonly kind: K;
  /** Empty for cluster-scoped kinds. */
  readonly namespace: string;
  readonly name: string;
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

/** The key for programs that read the CLI's JSON, a form that stays: as for people, but `Node//web`. */
export function kindKey(key: ObjectKey): string {
  const { kind, namespace, name } = parseKey(key);
  return `${kind}/${namespace}/${name}`;
}

/** The key for people: `Deployment/default/web`, and `Node/web` for kinds without a namespace. */
export function displayKey(key: ObjectKey): string {
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
  const first = key.indexOf('/');
  const second = key.indexOf('/', first + 1);
  const kind = first > 0 ? kindOfResource(key.slice(0, first)) : undefined;
  if (kind === undefined || second < 0 || second === key.length - 1 || key.includes('/', second + 1)) return undefined;
  return { kind, namespace: key.slice(first + 1, second), name: key.slice(second + 1) };
}
