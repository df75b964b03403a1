/**
 * Which lists are maps in disguise, and what names their entries. Source: the `x-kubernetes-list-map-keys` and patch
 * merge keys of Kubernetes' OpenAPI document.
 */
import { readKey } from '../../../contracts/objects/index.ts';
import { isObject } from './json.ts';

interface ListKey {
  /** The first that all entries have is used. Fields after the first of a row may be absent. */
  readonly fields: readonly (readonly string[])[];
  /**
   * Whether two writers may each own entries; otherwise the list belongs to one writer whole, and the key only makes
   * patches small.
   */
  readonly shared: boolean;
}

const LIST_KEYS: Readonly<Record<string, ListKey>> = {
  containers: { fields: [['name']], shared: true },
  initContainers: { fields: [['name']], shared: true },
  volumes: { fields: [['name']], shared: true },
  env: { fields: [['name']], shared: true },
  ports: {
    fields: [
      ['containerPort', 'protocol'],
      ['port', 'protocol'],
    ],
    shared: true,
  },
  volumeMounts: { fields: [['mountPath']], shared: true },
  conditions: { fields: [['type']], shared: true },
  ownerReferences: { fields: [['uid']], shared: true },
  imagePullSecrets: { fields: [['name']], shared: true },
  hostAliases: { fields: [['ip']], shared: true },
  topologySpreadConstraints: { fields: [['topologyKey', 'whenUnsatisfiable']], shared: true },
  containerStatuses: { fields: [['name']], shared: true },
  initContainerStatuses: { fields: [['name']], shared: true },
  tolerations: {
    fields: [
      ['key', 'operator', 'effect', 'value'],
      ['operator', 'effect', 'value'],
    ],
    shared: false,
  },
  taints: { fields: [['key', 'effect', 'value']], shared: false },
  envFrom: {
    fields: [
      ['configMapRef', 'secretRef', 'prefix'],
      ['secretRef', 'prefix'],
    ],
    shared: false,
  },
  matchExpressions: { fields: [['key', 'operator']], shared: false },
  items: { fields: [['key']], shared: false },
};

/** Fields that Kubernetes fills when they are absent, so that the written and the filled entry have one key. */
const KEY_DEFAULTS: Readonly<Record<string, string>> = { protocol: 'TCP', operator: 'Equal' };

/** Whether entries of the list `field` that only the live object has are left alone. */
export function isSharedList(field: string): boolean {
  return readKey(LIST_KEYS, field)?.shared === true;
}

/**
 * The keys of all lists given, in their order; undefined when one of them cannot be keyed (no rule, a doubled key, not
 * objects).
 */
export function keyLists(
  field: string,
  lists: readonly (readonly unknown[])[],
): readonly (readonly string[])[] | undefined {
  for (const fields of readKey(LIST_KEYS, field)?.fields ?? []) {
    const keyed = lists.map((list) => keysOf(fields, list));
    if (keyed.every((k) => k !== undefined)) return keyed;
  }
  return undefined;
}

function keysOf(fields: readonly string[], list: readonly unknown[]): string[] | undefined {
  const keys: string[] = [];
  for (const entry of list) {
    const [first = ''] = fields;
    if (!isObject(entry) || readKey(entry, first) === undefined) return undefined;
    keys.push(JSON.stringify(fields.map((f) => readKey(entry, f) ?? readKey(KEY_DEFAULTS, f) ?? null)));
  }
  return new Set(keys).size === keys.length ? keys : undefined;
}

/** How people name an entry: its name, port or path; undefined where only its position names it. */
export function entryLabel(field: string, entry: unknown): string | undefined {
  const [first] =
    readKey(LIST_KEYS, field)?.fields.find(
      ([name]) => isObject(entry) && name !== undefined && readKey(entry, name) !== undefined,
    ) ?? [];
  if (first === undefined || !isObject(entry)) return undefined;
  const value = readKey(entry, first);
  if (typeof value !== 'string' && typeof value !== 'number') return undefined;
  const protocol =
    field === 'ports' &&
    entry['protocol'] !== undefined &&
    entry['protocol'] !== 'TCP' &&
    typeof entry['protocol'] === 'string'
      ? `/${entry['protocol']}`
      : '';
  return `${value}${protocol}`;
}
