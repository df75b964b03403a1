/** Rules for what of an object may change once it exists. Source: Kubernetes' update validation, by kind. */
import type { ConfigMap, Kind, ObjectsByKind, Pod, Secret } from '../../../contracts/objects/index.ts';
import type { FieldPath } from '../manifests/yaml-tree.ts';
import { readKey } from '../../../contracts/objects/own-key.ts';
import { equal, isObject, type JsonObject } from '../fields/json.ts';

/** What a plan would make of a live object. `applied`: what was put in force last, where that is known. */
export interface Change<K extends Kind> {
  readonly wanted: ObjectsByKind[K];
  /** What of `wanted` the manifest itself says. */
  readonly written: JsonObject;
  readonly live: ObjectsByKind[K];
  readonly applied: ObjectsByKind[K] | undefined;
}

export interface FixedField<K extends Kind> {
  /** The field that is at fault. */
  readonly path: readonly string[];
  /** What is wrong with the change, to follow the object's name; undefined where nothing is. */
  broken(change: Change<K>): string | undefined;
  readonly hint: string;
}

const RENAME = 'give it a new name, or delete it in one commit and add it in the next';

/**
 * The value at `path` stays. What the manifest does not name was chosen for it and does not count, nor does what the
 * manifest did not change: somebody else may have written the live one.
 */
export function neverChanges(...path: readonly string[]): FixedField<Kind> {
  return {
    path,
    hint: RENAME,
    broken({ written, live, applied }): string | undefined {
      const [after, before] = [fieldAt(written, path), fieldAt(live, path)];
      if (after === undefined || before === undefined || equal(after, before)) return undefined;
      return applied && equal(fieldAt(applied, path), after) ? undefined : cannotChange(path);
    },
  };
}

/** The value at a path of field names; undefined where there is none. */
export function fieldAt(object: unknown, path: FieldPath): unknown {
  return path.reduce<unknown>((at, step) => (isObject(at) ? readKey(at, String(step)) : undefined), object);
}

function cannotChange(path: readonly string[]): string {
  return `${path.join('.')} cannot be changed once it exists`;
}

/** Where a pod runs is chosen for it, unless its manifest says it. */
export const POD_SPEC: FixedField<'Pod'> = {
  path: ['spec'],
  hint: 'of a Pod only container images can change, and schedulingGates can be taken away; use a Deployment, or give it a new name',
  broken({ wanted, live, applied }): string | undefined {
    const after = specThatStays(wanted.spec);
    const { nodeName, ...rest } = specThatStays(live.spec);
    if (equal(after, wanted.spec.nodeName === undefined ? rest : { ...rest, nodeName })) return undefined;
    return applied && equal(specThatStays(applied.spec), after) ? undefined : cannotChange(['spec']);
  },
};

/** The spec without what may change: images, and gates. */
function specThatStays({
  containers,
  initContainers,
  schedulingGates: _gates,
  ...rest
}: Pod['spec']): Partial<Pod['spec']> {
  const strip = (list: Pod['spec']['containers']): Pod['spec']['containers'] =>
    list.map(
      ({ image: _image, imagePullPolicy: _policy, ...container }) =>
        container as typeof container & (typeof list)[number],
    );
  return { ...rest, containers: strip(containers), ...(initContainers && { initContainers: strip(initContainers) }) };
}

/** Source: Kubernetes, KEP-3521: gates are taken away, never added. */
export const POD_GATES: FixedField<'Pod'> = {
  path: ['spec'],
  hint: RENAME,
  broken({ wanted, live, applied }): string | undefined {
    const has = (pod: Pod | undefined, gate: string): boolean =>
      pod?.spec.schedulingGates?.some(({ name }) => name === gate) ?? false;
    const added = (wanted.spec.schedulingGates ?? []).find(({ name }) => !has(live, name));
    if (!added || has(applied, added.name)) return undefined;
    return `the scheduling gate ${added.name} cannot be added once it exists`;
  },
};

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
  frozen(['data'], 'cannot be changed, as it is marked immutable', (live, wanted) =>
    equal(live.data ?? {}, wanted.data ?? {}),
  ),
  frozen(['binaryData'], 'cannot be changed, as it is marked immutable', (live, wanted) =>
    equal(fieldAt(live, ['binaryData']) ?? {}, fieldAt(wanted, ['binaryData']) ?? {}),
  ),
  frozen(['immutable'], 'cannot be taken back', (_live, wanted) => wanted.immutable === true),
];

function frozen(
  path: readonly string[],
  message: string,
  isKept: (live: ConfigMap | Secret, wanted: ConfigMap | Secret) => boolean,
): FixedField<'ConfigMap' | 'Secret'> {
  return {
    path,
    hint: 'use a new name for the new content, and refer to that',
    broken: ({ wanted, live }) =>
      live.immutable === true && !isKept(live, wanted) ? `${path.join('.')} ${message}` : undefined,
  };
}
