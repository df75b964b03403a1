/** The kinds that there are beside the built-in ones: what a CustomResourceDefinition says of a kind, as a value. */
import { untypedSemantics, type FieldSemantics } from './field-semantics.ts';
import { findKind, kindLookup, kindOf, kindOfResource, resourceName, type KindIdentity } from './identity.ts';

export interface CustomKind extends KindIdentity {
  /** How values outside metadata are merged, compared and owned: `x-kubernetes-*`. Free maps and whole lists when empty. */
  readonly semantics: FieldSemantics;
  /** Those that manifests may name, `version` among them unless there is none. */
  readonly versions: readonly CustomVersion[];
}

/** What a definition says of one version of a kind. */
export interface CustomVersion {
  readonly name: string;
  /** OpenAPI v3, as it is written; when absent, all but metadata is free. */
  readonly schema?: Readonly<Record<string, unknown>>;
  /** Shown by `plumb get`, after the name. */
  readonly columns?: readonly CustomColumn[];
}

/** An `additionalPrinterColumns` entry. */
export interface CustomColumn {
  readonly name: string;
  readonly type: string;
  readonly jsonPath: string;
  /** Columns above 0 are shown with `-o wide`. */
  readonly priority?: number | undefined;
}

/** What is said of a kind to register it. */
export interface CustomKindOptions {
  /** A DNS name with a dot: groups without one are Kubernetes' own. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly shortNames?: readonly string[];
  readonly scope: 'Namespaced' | 'Cluster';
  readonly semantics?: FieldSemantics;
  /** When absent: `version` alone, without a schema. */
  readonly versions?: readonly CustomVersion[];
}

const LABEL = /^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/;
const GROUP = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+$/;
const KIND = /^[A-Z][A-Za-z0-9]{0,62}$/;

/** Never changes: other kinds are another registry. Built-in kinds are not in it, and come before it where words are looked up. */
export class KindRegistry {
  /** In the order of registration. */
  readonly all: readonly CustomKind[];
  readonly #byResource: ReadonlyMap<string, CustomKind>;
  readonly #lookup: ReturnType<typeof kindLookup>;

  /**
   * Throws RangeError for names that Kubernetes does not take, and for a resource or a kind that is there already:
   * nobody takes over a built-in one.
   */
  constructor(kinds: readonly CustomKindOptions[] = []) {
    const byResource = new Map<string, CustomKind>();
    const words = new Set<string>();
    for (const options of kinds) {
      const kind = customKind(options);
      const word = `${kind.group}/${kind.kind}`;
      if (kindOfResource(kind.resource) ?? kindOf(kind.apiVersion, kind.kind))
        throw new RangeError(`${kind.resource} is a built-in kind`);
      if (byResource.has(kind.resource) || words.has(word))
        throw new RangeError(`${kind.resource} (${word}) is registered twice`);
      byResource.set(kind.resource, kind);
      words.add(word);
    }
    this.all = [...byResource.values()];
    this.#byResource = byResource;
    this.#lookup = kindLookup(Object.fromEntries(byResource));
  }

  /** The kind of an object or a reference; another version of the group is the same kind. */
  named(group: string, kind: string): CustomKind | undefined {
    return this.#named(this.#lookup.named(group, kind));
  }

  ofResource(resource: string): CustomKind | undefined {
    return this.#byResource.get(resource);
  }

  /** As {@link findKind}, which has the first word. */
  find(word: string): CustomKind | undefined {
    return findKind(word) === undefined ? this.#named(this.#lookup.find(word)) : undefined;
  }

  /** Of all objects of a resource. */
  semanticsOf(resource: string): FieldSemantics {
    const { fields: metadata } = untypedSemantics();
    const { fields, ...semantics } = this.#byResource.get(resource)?.semantics ?? {};
    return { ...semantics, fields: { ...fields, ...metadata } };
  }

  #named(resource: string | undefined): CustomKind | undefined {
    return resource === undefined ? undefined : this.#byResource.get(resource);
  }
}

export const NO_CUSTOM_KINDS = new KindRegistry();

function customKind({
  group,
  version,
  plural,
  kind,
  shortNames = [],
  scope,
  semantics = {},
  versions = [{ name: version }],
}: CustomKindOptions): CustomKind {
  const check = (what: string, text: string, pattern: RegExp): void => {
    if (text.length > 253 || !pattern.test(text)) throw new RangeError(`${what} ${JSON.stringify(text)} of a kind`);
  };
  check('group', group, GROUP);
  check('version', version, LABEL);
  check('plural', plural, LABEL);
  check('kind', kind, KIND);
  for (const name of shortNames) check('short name', name, LABEL);
  return {
    kind,
    group,
    version,
    apiVersion: `${group}/${version}`,
    plural,
    resource: resourceName(group, plural),
    shortNames,
    namespaced: scope === 'Namespaced',
    semantics,
    versions,
  };
}
