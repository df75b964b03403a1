/**
 * The three-way merge behind apply: what Git says is set, what Git no longer says is removed, what Git never said is
 * left to whoever wrote it. Source: Kubernetes, "Declarative Management of Kubernetes Objects Using Configuration
 * Files", how apply calculates differences.
 */
import { readKey, type KubeObject } from '../../../contracts/objects/index.ts';
import { isList, isObject, type JsonObject } from './json.ts';
import { isSharedList, keyLists } from './list-keys.ts';

/** Fields of which one object has at most one: setting one takes the others away. */
const EXCLUSIVE: readonly (readonly string[])[] = [
  ['configMap', 'emptyDir', 'hostPath', 'secret'],
  ['exec', 'grpc', 'httpGet', 'sleep', 'tcpSocket'],
  ['value', 'valueFrom'],
  ['configMapKeyRef', 'fieldRef', 'secretKeyRef'],
  ['configMapRef', 'secretRef'],
];

/** Maps whose keys are people's own: no field of theirs means anything here. */
const FREE_MAPS: ReadonlySet<string> = new Set([
  'annotations',
  'binaryData',
  'data',
  'labels',
  'limits',
  'matchLabels',
  'nodeSelector',
  'requests',
  'selector',
]);

/**
 * Values that Plumbline chose for an object, by kind. They stay when the manifest stops naming them, as in Kubernetes.
 */
const ALLOCATED: { readonly [K in KubeObject['kind']]?: readonly string[] } = {
  Service: ['clusterIP', 'nodePort'],
  Pod: ['nodeName'],
};

/**
 * The live object with `desired` put in force. Its identity (uid, resourceVersion, owner references, ...) and its
 * status are kept. `applied` is what was put in force last; undefined when nobody knows, then nothing is removed.
 */
export function mergeObjects(applied: KubeObject | undefined, desired: KubeObject, live: KubeObject): KubeObject {
  const merged: Record<string, unknown> = { ...live };
  const { metadata: wantedMeta, ...wanted } = withoutStatus(desired);
  const { metadata: appliedMeta, ...was } = applied ? withoutStatus(applied) : { metadata: undefined };
  const { metadata: liveMeta, ...is } = withoutStatus(live);
  for (const name of Object.keys(is)) Reflect.deleteProperty(merged, name);
  Object.assign(merged, mergeFields(was, wanted, is, '', ALLOCATED[desired.kind] ?? []));
  merged['metadata'] = mergeMetadata(appliedMeta, wantedMeta, liveMeta);
  return (desired.kind === 'Service' && desired.spec.type === 'ClusterIP'
    ? withoutNodePorts(merged, desired)
    : merged) as unknown as KubeObject;
}

type Metadata = KubeObject['metadata'];

function withoutStatus(object: KubeObject): JsonObject & { readonly metadata: Metadata } {
  return Object.fromEntries(Object.entries(object).filter(([name]) => name !== 'status')) as JsonObject & {
    readonly metadata: Metadata;
  };
}

function mergeMetadata(applied: Metadata | undefined, desired: Metadata, live: Metadata): JsonObject {
  const merged: Record<string, unknown> = { ...live };
  for (const name of ['labels', 'annotations'] as const) {
    const result = mergeFields(applied?.[name] ?? {}, desired[name] ?? {}, live[name] ?? {}, name, []);
    if (Object.keys(result).length > 0) merged[name] = result;
    else Reflect.deleteProperty(merged, name);
  }
  return merged;
}

function mergeValue(
  applied: unknown,
  desired: unknown,
  live: unknown,
  field: string,
  kept: readonly string[],
): unknown {
  if (isObject(desired) && isObject(live))
    return mergeFields(isObject(applied) ? applied : {}, desired, live, field, kept);
  if (isList(desired) && isList(live) && isSharedList(field))
    return mergeList(isList(applied) ? applied : [], desired, live, field, kept);
  return desired;
}

function mergeFields(
  applied: JsonObject,
  desired: JsonObject,
  live: JsonObject,
  field: string,
  kept: readonly string[],
): JsonObject {
  const merged: Record<string, unknown> = {};
  const free = FREE_MAPS.has(field);
  const otherForm = field === 'strategy' && desired['type'] !== live['type'];
  const stays = (name: string): boolean => {
    if (free) return readKey(applied, name) === undefined;
    return kept.includes(name) || (readKey(applied, name) === undefined && !otherForm && !isExcluded(name, desired));
  };
  for (const [name, value] of Object.entries(live)) {
    const wanted = readKey(desired, name);
    if (wanted !== undefined) merged[name] = mergeValue(readKey(applied, name), wanted, value, name, kept);
    else if (stays(name)) merged[name] = value;
  }
  for (const [name, value] of Object.entries(desired)) {
    if (value !== undefined && !Object.hasOwn(merged, name)) merged[name] = value;
  }
  return merged;
}

function isExcluded(name: string, desired: JsonObject): boolean {
  return EXCLUSIVE.some(
    (group) => group.includes(name) && group.some((other) => readKey(desired, other) !== undefined),
  );
}

/** In the order of the manifest; entries that only the live object has come last. */
function mergeList(
  applied: readonly unknown[],
  desired: readonly unknown[],
  live: readonly unknown[],
  field: string,
  kept: readonly string[],
): readonly unknown[] {
  const keys = keyLists(field, [desired, live]);
  if (!keys?.[0] || !keys[1]) return desired;
  const [keysDesired, keysLive] = keys;
  const keysApplied = keyLists(field, [applied, desired])?.[0] ?? [];
  const appliedByKey = new Map(keysApplied.map((key, i) => [key, applied[i]]));
  const liveByKey = new Map(keysLive.map((key, i) => [key, live[i]]));
  const wanted = new Set(keysDesired);
  return [
    ...keysDesired.map((key, i) =>
      liveByKey.has(key) ? mergeValue(appliedByKey.get(key), desired[i], liveByKey.get(key), '', kept) : desired[i],
    ),
    ...keysLive.flatMap((key, i) => (wanted.has(key) || appliedByKey.has(key) ? [] : [live[i]])),
  ];
}

/** A Service that stops being a NodePort gives its node ports back, as the Kubernetes API server does. */
function withoutNodePorts(merged: Record<string, unknown>, desired: KubeObject): JsonObject {
  if (desired.kind !== 'Service' || !isObject(merged['spec']) || !isList(merged['spec']['ports'])) return merged;
  const ports = merged['spec']['ports'].map((port) =>
    isObject(port) ? Object.fromEntries(Object.entries(port).filter(([name]) => name !== 'nodePort')) : port,
  );
  return { ...merged, spec: { ...merged['spec'], ports } };
}
