/** The state of a revision with a hash, in each workload's pod template, of what it reads of ConfigMaps and Secrets. */
import { CONFIG_HASH, readKey, type KubeObject, type PodTemplateSpec } from '../../../contracts/objects/index.ts';
import { descriptorOf } from '../kinds/index.ts';
import { isObject, type JsonObject } from '../fields/json.ts';
import type { DesiredObject, DesiredState } from '../manifests/index.ts';
import type { Paced } from '../paced.ts';
import { CONFIG_UPDATE, ConfigHasher, withConfigHash } from '../workloads/config-hash.ts';

/** Of one key. What did not change since the last revision is not looked at in depth again, and is the same object. */
export class ConfigHashes {
  readonly #hasher: ConfigHasher;
  readonly #made = new WeakMap<DesiredObject, DesiredObject>();

  constructor(key: Uint8Array) {
    this.#hasher = new ConfigHasher(key);
  }

  *in(state: DesiredState): Paced<DesiredState> {
    const changed = new Map(state);
    for (const [key, desired] of state) {
      yield;
      const found = this.#hashed(desired, state);
      if (found !== desired) changed.set(key, found);
    }
    return changed;
  }

  #hashed(desired: DesiredObject, state: DesiredState): DesiredObject {
    const { object } = desired;
    const template = followedTemplate(object);
    if (!template || readKey(object.metadata.annotations, CONFIG_UPDATE) === 'in-place') return desired;
    const lookup = (key: DesiredObject['key']): KubeObject | undefined => state.get(key)?.object;
    const hash = this.#hasher.hashOf(template, object.metadata.namespace ?? '', lookup);
    if (hash === undefined) return desired;
    const before = this.#made.get(desired);
    if (before && followedTemplate(before.object)?.metadata.annotations?.[CONFIG_HASH] === hash) return before;
    const made: DesiredObject = {
      ...desired,
      object: withTemplate(object, withConfigHash(template, hash)),
      written: writtenWith(desired.written, ['spec', 'template', 'metadata', 'annotations'], hash),
    };
    this.#made.set(desired, made);
    return made;
  }
}

/** Of kinds that keep earlier templates: they replace pods one by one, and go back. */
function followedTemplate(object: KubeObject): PodTemplateSpec | undefined {
  const { owns, podTemplate } = descriptorOf(object.kind);
  const keepsEarlier = owns.includes('ReplicaSet') || owns.includes('ControllerRevision');
  return keepsEarlier && podTemplate !== 'none' ? podTemplate.of(object) : undefined;
}

function withTemplate(object: KubeObject, template: PodTemplateSpec): KubeObject {
  const { spec } = object as KubeObject & { readonly spec: object };
  return { ...object, spec: { ...spec, template } } as KubeObject;
}

function writtenWith(written: JsonObject, [field, ...rest]: readonly string[], hash: string): JsonObject {
  if (field === undefined) return { ...written, [CONFIG_HASH]: hash };
  const below = readKey(written, field);
  return { ...written, [field]: writtenWith(isObject(below) ? below : {}, rest, hash) };
}
