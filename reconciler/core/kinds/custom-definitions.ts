/** From CustomResourceDefinitions to the registry of kinds that they make. */
import {
  kindOf,
  kindOfResource,
  KindRegistry,
  NO_CUSTOM_KINDS,
  resourceName,
  type CustomKindOptions,
  type CustomResourceDefinition,
} from '../../../contracts/objects/index.ts';
import { once } from '../structural/limits.ts';
import { schemaSemantics } from '../structural/semantics.ts';

/**
 * The kinds of these definitions, in order of their names. `taken`: those that make nothing, as their kind is
 * built in, or an earlier one's.
 */
export function definedKinds<D extends CustomResourceDefinition>(
  definitions: Iterable<D>,
): { readonly kinds: KindRegistry; readonly taken: readonly D[] } {
  const ordered = [...definitions].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  if (ordered.length === 0) return { kinds: NO_CUSTOM_KINDS, taken: [] };
  const words = new Set<string>();
  const [made, taken]: [CustomKindOptions[], D[]] = [[], []];
  for (const definition of ordered) {
    const options = kindOptions(definition);
    const word = `${options.group}/${options.kind}`;
    // A stored definition may be older than a kind of ours.
    if (words.has(word) || isBuiltIn(options)) taken.push(definition);
    else {
      words.add(word);
      made.push(options);
    }
  }
  return { kinds: new KindRegistry(made), taken };
}

/** Whether there is such a kind here without any definition. */
export function isBuiltIn({ group, plural, kind }: Pick<CustomKindOptions, 'group' | 'plural' | 'kind'>): boolean {
  return (kindOfResource(resourceName(group, plural)) ?? kindOf(`${group}/`, kind)) !== undefined;
}

function kindOptions({ spec }: CustomResourceDefinition): CustomKindOptions {
  const { group, names, scope, versions } = spec;
  const stored = versions.find(({ storage }) => storage) ?? versions[0];
  // It is asked for by a version that is served.
  const shown = stored?.served === false ? (versions.find(({ served }) => served) ?? stored) : stored;
  return {
    group,
    version: shown?.name ?? '',
    plural: names.plural,
    kind: names.kind,
    shortNames: [...new Set([...(names.singular === undefined ? [] : [names.singular]), ...(names.shortNames ?? [])])],
    scope,
    semantics: stored ? semanticsOf(stored.schema.openAPIV3Schema) : {},
    versions: versions
      .filter(({ served }) => served)
      .map(({ name, schema, additionalPrinterColumns: columns }) => ({
        name,
        schema: schema.openAPIV3Schema,
        ...(columns && { columns }),
      })),
  };
}

/** The kinds are asked for anew with every change of a definition, and of the others the schemas are the same. */
const semanticsOf = once((schema: object) => schemaSemantics(schema));
