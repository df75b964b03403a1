/** Rules for what of an object may change once it exists. Source: Kubernetes' update validation, by kind. */
import type { ConfigMap, Job, Kind, ObjectsByKind, Secret } from '../../../contracts/objects/index.ts';
import { clusterDomain } from '../../../contracts/objects/cluster-domain.ts';
import type { FieldPath } from '../manifests/yaml-tree.ts';
import { readKey } from '../../../contracts/objects/own-key.ts';
import { equal, isObject } from '../fields/json.ts';
import { isOpaque } from '../secrets/opaque.ts';

/** What a plan makes of a live object. */
export interface Change<K extends Kind> {
  readonly live: ObjectsByKind[K];
  /** The live object with the commit in force: what the commit leaves to others is as it was. */
  readonly after: ObjectsByKind[K];
  /** What the commit says, with defaults. */
  readonly wanted: ObjectsByKind[K];
  /** What was put in force last, where that is known. */
  readonly applied: ObjectsByKind[K] | undefined;
}

export interface FixedField<K extends Kind> {
  /** The field that is at fault. */
  readonly path: readonly string[];
  /** What is wrong with the change, to follow the object's name; undefined where nothing is. */
  broken(change: Change<K>): string | undefined;
  readonly hint: string;
}

export const RENAME = 'give it a new name, or delete it in one commit and add it in the next';

/**
 * The value at `path` stays, once there is one: also where the commit only stops writing it, and its default would be in
 * force. What the commit did not change does not count: somebody else wrote the live one, and it is put back.
 */
export function neverChanges(...path: readonly string[]): FixedField<Kind> {
  return {
    path,
    hint: RENAME,
    broken: ({ live, after, wanted, applied }) => {
      const [before, made, now] = [live, after, wanted].map((object) => fieldAt(object, path));
      if (before === undefined || equal(before, made)) return undefined;
      if (applied && equal(fieldAt(applied, path), now)) return undefined;
      const isShort = typeof before === 'string' && typeof made === 'string';
      return `${cannotChange(path)}${isShort ? `: it is ${before}, and would be ${made}` : ''}`;
    },
  };
}

/** Pods that run keep the links and addresses that they were made with: whose those are is chosen once. */
export const POD_NETWORK: FixedField<'Cluster'> = {
  path: ['spec', 'network', 'overlay'],
  hint: 'whether pods have links of a CNI plugin of yours is chosen when a cluster is made: make a new one',
  broken: ({ live, after, wanted, applied }) => {
    const [before, made] = [live.spec.network.overlay, after.spec.network.overlay];
    if ((before === 'cni') === (made === 'cni')) return undefined;
    if (applied?.spec.network.overlay === wanted.spec.network.overlay) return undefined;
    return `spec.network.overlay cannot be changed to or from cni once the cluster exists: it is ${before}, and would be ${made}`;
  },
};

/** Pods that run ask for names below the domain that they were made with, and names are written in what people configure. */
export const CLUSTER_DOMAIN: FixedField<'Cluster'> = {
  path: ['spec', 'dns', 'domain'],
  hint: 'the domain is chosen when a cluster is made: make a new one',
  broken: ({ live, after, wanted, applied }) => {
    const [before, made] = [clusterDomain(live), clusterDomain(after)];
    if (before === made || (applied && clusterDomain(applied) === clusterDomain(wanted))) return undefined;
    return `${cannotChange(['spec', 'dns', 'domain'])}: it is ${before}, and would be ${made}`;
  },
};

/** The value at a path of field names; undefined where there is none. */
export function fieldAt(object: unknown, path: FieldPath): unknown {
  return path.reduce<unknown>((at, step) => (isObject(at) ? readKey(at, String(step)) : undefined), object);
}

export function cannotChange(path: readonly string[]): string {
  return `${path.join('.')} cannot be changed once it exists`;
}

/** An indexed Job may have more or fewer indexes together with its parallelism. Source: Kubernetes, KEP-3715. */
export const COMPLETIONS: FixedField<'Job'> = {
  path: ['spec', 'completions'],
  hint: RENAME,
  broken: (change) => {
    const isElastic = ({ spec }: Job): boolean =>
      spec.completionMode === 'Indexed' && spec.completions === spec.parallelism;
    return isElastic(change.after) ? undefined : neverChanges('spec', 'completions').broken(change);
  },
};

/** An address is kept where none is written; what stops to say `None` asks for another one. */
export const HEADLESS: FixedField<'Service'> = {
  path: ['spec'],
  hint: RENAME,
  broken: ({ wanted, live }) =>
    wanted.spec.clusterIP === undefined && live.spec.clusterIP === 'None'
      ? 'a headless Service cannot get an address once it exists'
      : undefined,
};

/** What is marked immutable keeps its content and its mark. Source: Kubernetes, ConfigMap and Secret `immutable`. */
export const IMMUTABLE_DATA: readonly FixedField<'ConfigMap' | 'Secret'>[] = [
  frozen(['data'], 'cannot be changed, as it is marked immutable', (live, after) => isSameData(live.data, after.data)),
  frozen(['binaryData'], 'cannot be changed, as it is marked immutable', (live, after) =>
    equal(fieldAt(live, ['binaryData']) ?? {}, fieldAt(after, ['binaryData']) ?? {}),
  ),
  frozen(['immutable'], 'cannot be taken back', (_live, after) => after.immutable === true),
];

/** Where a value is not opened, as in a plan without keys, only the key is known to be the same. */
function isSameData(live: ConfigMap['data'] = {}, after: ConfigMap['data'] = {}): boolean {
  const known = Object.entries(after).map(([key, text]) => {
    const before = readKey(live, key);
    return [key, before !== undefined && (isOpaque(before) || isOpaque(text)) ? before : text];
  });
  return equal(live, Object.fromEntries(known));
}

function frozen(
  path: readonly string[],
  message: string,
  isKept: (live: ConfigMap | Secret, after: ConfigMap | Secret) => boolean,
): FixedField<'ConfigMap' | 'Secret'> {
  return {
    path,
    hint: 'use a new name for the new content, and refer to that',
    broken: ({ live, after }) =>
      live.immutable === true && !isKept(live, after) ? `${path.join('.')} ${message}` : undefined,
  };
}
