/**
 * What a pod template reads of ConfigMaps and Secrets, as a hash in an annotation of the template: changed data is a new
 * template, and so a rollout that its pods' health holds up, and that a revert takes back. It is asked for since
 * kubernetes#22368; docs/adr/0010 says why it is made of Git's state, and with a key.
 */
import { createHmac } from 'node:crypto';
import {
  CONFIG_HASH,
  objectKey,
  readKey,
  type ConfigMap,
  type KubeObject,
  type ObjectKey,
  type PodTemplateSpec,
  type Secret,
} from '../../../contracts/objects/index.ts';
import { podReferences } from '../../../contracts/objects/pod-references.ts';
import { isOpaqueSecret } from '../secrets/opaque.ts';
import { canonicalJson } from '../storage/canonical-json.ts';

/** Annotation of a workload: `in-place` leaves its template as it is, and its pods' files follow what is referenced. */
export const CONFIG_UPDATE = 'plumbline.dev/config-update';

type Config = ConfigMap | Secret;
/** Finds an object in the state that the workload is of. */
export type ConfigLookup = (key: ObjectKey<'ConfigMap'> | ObjectKey<'Secret'>) => KubeObject | undefined;

/**
 * Makes hashes, `KEY.HASH` where KEY says which key they are made with; remembers those of objects for as long as they
 * live.
 */
export class ConfigHasher {
  readonly #key: Uint8Array;
  readonly #id: string;
  readonly #known = new WeakMap<Config, Map<string, string>>();

  constructor(key: Uint8Array) {
    this.#key = key;
    this.#id = this.#mac('key').slice(0, 8);
  }

  /** Undefined for a template that reads nothing, or a Secret that nobody has opened. What is absent counts as that. */
  hashOf({ spec }: PodTemplateSpec, namespace: string, lookup: ConfigLookup): string | undefined {
    const read = new Map<ReturnType<typeof keyOf>, { isWhole: boolean; readonly keys: Set<string> }>();
    for (const { kind, name, keys, path } of podReferences(spec)) {
      // Who may pull an image is no matter of the pod that runs.
      if (kind === 'PersistentVolumeClaim' || kind === 'RuntimeClass' || path[0] === 'imagePullSecrets') continue;
      const key = keyOf(kind, namespace, name);
      const found = read.get(key) ?? { isWhole: false, keys: new Set() };
      read.set(key, found);
      found.isWhole ||= keys.length === 0;
      for (const one of keys) found.keys.add(one);
    }
    if (read.size === 0 || [...read.keys()].some((key) => isOpaqueSecret(lookup(key)))) return undefined;
    const parts = [...read]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, { isWhole, keys }]) => [key, this.#digest(lookup(key), isWhole ? 'all' : [...keys].sort())]);
    return `${this.#id}.${this.#mac(canonicalJson(parts)).slice(0, 32)}`;
  }

  #digest(object: KubeObject | undefined, keys: readonly string[] | 'all'): string {
    if (object?.kind !== 'ConfigMap' && object?.kind !== 'Secret') return 'absent';
    const known = this.#known.get(object) ?? new Map<string, string>();
    this.#known.set(object, known);
    const what = canonicalJson(keys);
    let digest = known.get(what);
    if (digest === undefined) known.set(what, (digest = this.#mac(canonicalJson(dataOf(object, keys)))));
    return digest;
  }

  #mac(text: string): string {
    return createHmac('sha256', this.#key).update(text).digest('hex');
  }
}

function keyOf(
  kind: 'ConfigMap' | 'Secret',
  namespace: string,
  name: string,
): ObjectKey<'ConfigMap'> | ObjectKey<'Secret'> {
  return kind === 'ConfigMap' ? objectKey('ConfigMap', namespace, name) : objectKey('Secret', namespace, name);
}

function dataOf(object: Config, keys: readonly string[] | 'all'): unknown {
  const wanted = keys === 'all' ? undefined : new Set(keys);
  const picked = (data: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> =>
    wanted ? Object.fromEntries(Object.entries(data).filter(([key]) => wanted.has(key))) : data;
  return object.kind === 'ConfigMap'
    ? { data: picked(object.data), binaryData: inOneForm(picked(object.binaryData)) }
    : { data: inOneForm(picked(object.data)) };
}

/** The same bytes may be written in lines of another length, or with white space around them. */
function inOneForm(data: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(data).map(([key, text]) => [key, Buffer.from(text, 'base64').toString('base64')]),
  );
}

export function configHashOf({ metadata: { annotations } }: Pick<PodTemplateSpec, 'metadata'>): string | undefined {
  return readKey(annotations, CONFIG_HASH);
}

/**
 * Whether two hashes say whether two configs are the same. One that is not there (from before there were any, or of a
 * workload that is updated in place) says nothing, and neither does one that was made with another key.
 */
export function areComparable(one: string | undefined, other: string | undefined): boolean {
  return one !== undefined && other !== undefined && one.split('.')[0] === other.split('.')[0];
}

/** The template with that hash, or with none. */
export function withConfigHash<T extends Pick<PodTemplateSpec, 'metadata'>>(template: T, hash: string | undefined): T {
  if (configHashOf(template) === hash) return template;
  const { [CONFIG_HASH]: _before, ...others } = template.metadata.annotations ?? {};
  const annotations = { ...others, ...(hash !== undefined && { [CONFIG_HASH]: hash }) };
  const { annotations: _all, ...metadata } = template.metadata;
  return {
    ...template,
    metadata: { ...metadata, ...(Object.keys(annotations).length > 0 && { annotations }) },
  };
}

/**
 * A template takes the hash of the one that it is the same as, where they cannot be compared: from then on they can be.
 * Where that one has none, as it is updated in place, it has none either: a pod that has one keeps its files.
 */
export function adoptingHash(template: PodTemplateSpec, present: PodTemplateSpec): PodTemplateSpec {
  const hash = configHashOf(present);
  return areComparable(configHashOf(template), hash) ? template : withConfigHash(template, hash);
}
