/**
 * Objects of kinds that the revision brings along: which kinds these are, and each object held against its definition.
 * Here and not where files are parsed, so that a parse depends on its own file alone.
 */
import {
  customKey,
  DEFAULT_NAMESPACE,
  groupOf,
  namesOf,
  unstructured,
  type CustomKey,
  type CustomKind,
  type CustomResourceDefinition,
  type KindRegistry,
  type ObjectKey,
  type UnstructuredJson,
} from '../../../contracts/objects/index.ts';
import type { JsonObject } from '../fields/json.ts';
import { groupBy } from '../group-by.ts';
import { definedKinds, isBuiltIn } from '../kinds/custom-definitions.ts';
import type { Paced } from '../paced.ts';
import { withDefaults } from '../structural/defaults.ts';
import { Budget, MAX_DEFAULTS } from '../structural/limits.ts';
import { validateObject } from '../structural/validate.ts';
import { isNamespaceName } from './checks/check-object.ts';
import type { Tell } from './findings.ts';
import { placeIn, positionOf } from './marks.ts';
import type { Suggestions } from './suggest.ts';
import type { CustomManifest, CustomState, DesiredCustom, DesiredState, ParsedFile, Position } from './types.ts';
import { shortened } from './wording.ts';
import { pathText, type FieldPath } from './yaml-tree.ts';

interface Composing {
  /** Keys of objects that are written, and were refused. */
  readonly refused: readonly ObjectKey[];
  /** Whether every file could be read. */
  readonly complete: boolean;
  readonly suggestions: Suggestions;
  readonly tell: Tell;
}

/** Its pauses: schemas come from strangers, and may make much work of few objects. */
export function* composeCustom(
  files: readonly ParsedFile[],
  state: DesiredState,
  composing: Composing,
): Paced<{ readonly custom: CustomState; readonly kinds: KindRegistry }> {
  const kinds = registryOf(state, composing.tell);
  const groups = { refused: refusedGroups(composing.refused), kinds: groupBy(kinds.all, ({ group }) => group) };
  const budget = new Budget();
  const custom = new Map<CustomKey, DesiredCustom>();
  for (const manifest of files.flatMap((file) => file.custom)) {
    const kind = kindOfManifest(manifest, kinds, groups, composing);
    const desired = kind && (yield* desiredOf(manifest, kind, budget, composing));
    if (!desired) continue;
    const first = custom.get(desired.key);
    if (!first) custom.set(desired.key, desired);
    else
      composing.tell(
        'error',
        'DuplicateObject',
        desired.position,
        `${titleOf(desired)} is already at ${first.position.file}:${first.position.line}`,
        'remove one of the two',
      );
  }
  return { custom, kinds };
}

function registryOf(state: DesiredState, tell: Tell): KindRegistry {
  const definitions = [...state.values()].flatMap((desired) =>
    desired.object.kind === 'CustomResourceDefinition' ? [{ ...desired.object, desired }] : [],
  );
  const { kinds, taken } = definedKinds<CustomResourceDefinition & Pick<(typeof definitions)[number], 'desired'>>(
    definitions,
  );
  for (const { spec, desired } of taken)
    // Of one of ours it has been told where the file was read.
    if (!isBuiltIn({ group: spec.group, plural: spec.names.plural, kind: spec.names.kind }))
      tell(
        'error',
        'KindTaken',
        positionOf(desired, 'spec', 'names', 'kind'),
        `another definition makes the kind ${spec.names.kind} of group ${spec.group} already`,
        'keep one of the two, or give this one another name',
      );
  return kinds;
}

/** What there is to know of a group before an object of it is looked at. */
interface Groups {
  readonly refused: ReadonlySet<string>;
  readonly kinds: ReadonlyMap<string, readonly CustomKind[]>;
}

/** Undefined where the object cannot be of any kind, which is told unless it follows from another mistake. */
function kindOfManifest(
  manifest: CustomManifest,
  kinds: KindRegistry,
  groups: Groups,
  { complete, suggestions, tell }: Composing,
): CustomKind | undefined {
  const { apiVersion, kind } = manifest.object;
  const group = groupOf(apiVersion);
  const found = kinds.named(group, kind);
  if (!found) {
    if (!complete || groups.refused.has(group)) return undefined;
    const close = suggestions.closest(kind, () => (groups.kinds.get(group) ?? []).map((one) => one.kind));
    tell(
      'error',
      'UnknownKind',
      placeOf(manifest, ['kind']),
      `${shortened(kind)} of group ${shortened(group)} is a custom resource, and no CustomResourceDefinition in the repository defines it`,
      close === undefined
        ? 'commit its CustomResourceDefinition beside it, or remove it'
        : `did you mean ${close}? If not, commit its CustomResourceDefinition beside it, or remove it`,
    );
    return undefined;
  }
  const version = apiVersion.slice(group.length + 1);
  if (found.versions.some(({ name }) => name === version)) return found;
  tell(
    'error',
    'WrongApiVersion',
    placeOf(manifest, ['apiVersion']),
    `${kind} has no apiVersion ${shortened(apiVersion)}`,
    found.versions.length > 0
      ? `write apiVersion: ${found.versions.map(({ name }) => `${group}/${name}`).join(' or ')}`
      : 'its definition serves no version: write served: true there',
  );
  return undefined;
}

/** Groups of definitions that are written, and were refused: nobody knows what these would have defined. */
function refusedGroups(refused: readonly ObjectKey[]): ReadonlySet<string> {
  return new Set(namesOf('CustomResourceDefinition', refused).map((name) => name.slice(name.indexOf('.') + 1)));
}

/** The object as its definition has it; undefined where it breaks that, which is told. */
function* desiredOf(
  manifest: CustomManifest,
  kind: CustomKind,
  budget: Budget,
  { suggestions, tell }: Composing,
): Paced<DesiredCustom | undefined> {
  const { apiVersion, metadata } = manifest.object;
  const { namespace, name } = metadata;
  let sound = true;
  const wrong = (code: Parameters<Tell>[1], path: FieldPath, message: string, hint?: string): void => {
    sound = false;
    tell(
      'error',
      code,
      placeOf(manifest, path, code === 'UnknownField' ? 'key' : undefined),
      `${pathText(path)} ${message}`,
      hint,
    );
  };
  if (!kind.namespaced && namespace !== undefined)
    wrong(
      'NamespaceNotAllowed',
      ['metadata', 'namespace'],
      `may not be set: ${kind.kind} objects are in no namespace`,
      'remove it',
    );
  if (kind.namespaced && namespace !== undefined && !isNamespaceName(namespace))
    wrong(
      'InvalidValue',
      ['metadata', 'namespace'],
      "must consist of lower case letters, digits and '-', at most 63 characters",
    );
  const written: JsonObject = manifest.object;
  const { schema } = kind.versions.find((version) => `${kind.group}/${version.name}` === apiVersion) ?? {};
  const meant = new Set<string>();
  const addedBefore = budget.added;
  const whole = schema ? withDefaults(schema, written, budget) : written;
  if (budget.pauseIsDue()) yield;
  if (budget.added - addedBefore > MAX_DEFAULTS)
    wrong('ObjectTooLarge', ['kind'], `gets more than ${MAX_DEFAULTS} characters by defaults of its definition`);
  for (const { code, path, message, known } of schema ? yield* validateObject(schema, whole, budget) : []) {
    const close = known && suggestions.closest(String(path.at(-1)), () => known);
    if (close !== undefined) meant.add(pathText([...path.slice(0, -1), close]));
    // Who misspelt a field did not forget it.
    if (code !== 'MissingField' || !meant.has(pathText(path)))
      wrong(code, path, message, close === undefined ? undefined : `did you mean ${close}?`);
  }
  if (budget.isSpent)
    wrong(
      'ObjectTooLarge',
      ['kind'],
      'cannot be checked any more: the custom objects of this commit take too long, or get too much by defaults',
      'split the repository, or have simpler schemas',
    );
  if (!sound) return undefined;
  const place = kind.namespaced ? { namespace: namespace ?? manifest.namespace ?? DEFAULT_NAMESPACE } : {};
  const object = unstructured(kind.resource, {
    ...(whole as unknown as UnstructuredJson),
    metadata: { ...metadata, ...place },
  });
  const marks = Object.fromEntries(
    [
      ['metadata', 'name'],
      ['metadata', 'namespace'],
    ].map((path) => {
      const { line, column } = manifest.places.at(path);
      return [pathText(path), [line, column] as const];
    }),
  );
  return {
    key: customKey(kind.resource, place.namespace, name),
    object,
    written,
    position: manifest.position,
    marks,
    ...(manifest.app !== undefined && { app: manifest.app }),
  };
}

function placeOf({ position, places }: CustomManifest, path: FieldPath, part?: 'key'): Position {
  const { line, column } = places.at(path, part);
  return placeIn(position, line, column);
}

function titleOf({ object }: DesiredCustom): string {
  const { namespace, name } = object.metadata;
  return namespace === undefined ? `${object.kind} ${name}` : `${object.kind} ${name} in namespace ${namespace}`;
}
