/** Generators of ApplicationSets, as far as the tree is enough for them. Source: Argo CD, "Generators". */
import type { Position } from '../../manifests/index.ts';
import { isList, isObject, type JsonObject } from '../../fields/json.ts';
import { readKey } from '../../../../contracts/objects/index.ts';
import { Fields } from '../fields.ts';
import { plainOf, readLocated, textOf, within, type Located } from '../located.ts';
import { folderOf } from '../names.ts';
import { Report } from '../report.ts';
import type { SourceTree } from '../types.ts';
import { itemsOf } from '../kustomize/walk.ts';
import { pathMatcher } from '../../apps/glob.ts';
import { filled, NotEvaluated, normalized, type Parameters } from './template.ts';

/** Applications of one set: more are a mistake in a pattern. */
const MAX_ELEMENTS = 2000;
const MAX_NESTING = 3;
const LOCAL: Parameters = {
  name: 'in-cluster',
  nameNormalized: 'in-cluster',
  server: 'https://kubernetes.default.svc',
  project: '',
};

export class Generators {
  readonly #tree: SourceTree;
  readonly #isGo: boolean;
  readonly #report: Report;

  constructor(tree: SourceTree, isGo: boolean, report: Report) {
    this.#tree = tree;
    this.#isGo = isGo;
    this.#report = report;
  }

  /** Parameters of all generators; of one that cannot be carried out it is told, and it gives none. */
  all(generators: Located | undefined, outer: Parameters = {}, depth = 0): Parameters[] {
    const found = itemsOf(generators).flatMap((generator) => this.#one(generator, outer, depth));
    if (found.length > MAX_ELEMENTS && generators) this.#tooMany(generators.at);
    return found.slice(0, MAX_ELEMENTS);
  }

  #one(generator: Located, outer: Parameters, depth: number): Parameters[] {
    if (generator.kind !== 'map' || depth > MAX_NESTING) return [];
    const fields = new Fields(generator, 'generator', this.#report);
    const selector = fields.take('selector');
    fields.ignore('template');
    const [kind] = fields.entries();
    if (!kind) return [];
    const [name, { at, value }] = kind;
    fields.ignore(name);
    fields.rest();
    const found = this.#generated(name, value, at, outer, depth);
    return selector ? found.filter((each) => isSelected(selector.value, each)) : found;
  }

  #generated(name: string, value: Located, at: Located['at'], outer: Parameters, depth: number): Parameters[] {
    switch (name) {
      case 'list':
        return this.#list(value, outer);
      case 'git':
        return this.#git(value, outer);
      case 'matrix':
        return this.#matrix(value, outer, depth);
      case 'merge':
        return this.#merge(value, outer, depth);
      case 'clusters':
        this.#report.changed(at, 'a generator of clusters gives this one alone', 'there is one cluster');
        return [{ ...LOCAL, ...this.#values(value, LOCAL) }];
      case 'pullRequest':
        this.#report.lost(
          at,
          'the generator pullRequest gives no App here: which are open is not in the tree',
          'write an AppSet with the generator pullRequests, and headSha as commit of spec.source',
        );
        return [];
      default:
        this.#report.lost(
          at,
          `the generator ${name} is not carried over`,
          'it asks somebody else; write the elements as a list',
        );
        return [];
    }
  }

  #tooMany(at: Position): void {
    this.#report.tooLarge(
      at,
      `generators make more than ${MAX_ELEMENTS} elements; the first are kept`,
      'split the set',
    );
  }

  #list(value: Located, outer: Parameters): Parameters[] {
    const written = textOf(within(value, 'elementsYaml'));
    const elements =
      within(value, 'elements') ??
      (written === undefined ? undefined : readLocated(value.at.file, written, new Report())[0]);
    return itemsOf(elements).flatMap((element) => {
      const plain = plainOf(this.#filled(element, outer));
      return isObject(plain) ? [this.#isGo ? plain : flat(plain)] : [];
    });
  }

  #git(value: Located, outer: Parameters): Parameters[] {
    const git = this.#filled(value, outer);
    const directories = itemsOf(within(git, 'directories'));
    const files = itemsOf(within(git, 'files'));
    const found = [
      ...(directories.length > 0 ? this.#directories(directories) : []),
      ...(files.length > 0 ? this.#files(files) : []),
    ];
    return found.map((each) => ({ ...each, ...this.#values(value, each) }));
  }

  #directories(patterns: readonly Located[]): Parameters[] {
    const folders = new Set<string>();
    for (const path of this.#tree.paths)
      for (let folder = folderOf(path); folder !== ''; folder = folderOf(folder)) {
        if (folders.has(folder)) break;
        folders.add(folder);
      }
    const isExcluded = patterns.filter((each) => textOf(within(each, 'exclude')) === 'true').map(matcherOf);
    const isWanted = patterns.filter((each) => textOf(within(each, 'exclude')) !== 'true').map(matcherOf);
    return [...folders]
      .filter((path) => isWanted.some((matches) => matches(path)) && !isExcluded.some((matches) => matches(path)))
      .sort()
      .map((path) => this.#pathParameters(path));
  }

  #files(patterns: readonly Located[]): Parameters[] {
    const isWanted = patterns.map(matcherOf);
    return [...this.#tree.texts]
      .filter(([path]) => isWanted.some((matches) => matches(path)))
      .flatMap(([path, text]) => {
        const [document] = readLocated(path, text, this.#report);
        const values = document ? plainOf(document) : {};
        return (isList(values) ? values : [values]).flatMap((each) => {
          if (!isObject(each)) return [];
          const filename = path.slice(path.lastIndexOf('/') + 1);
          return [{ ...(this.#isGo ? each : flat(each)), ...this.#pathParameters(folderOf(path), filename) }];
        });
      });
  }

  #pathParameters(path: string, filename?: string): Parameters {
    const segments = path.split('/');
    const basename = segments.at(-1) ?? '';
    const names: JsonObject = {
      path,
      basename,
      basenameNormalized: normalized(basename),
      ...(filename !== undefined && { filename, filenameNormalized: normalized(filename) }),
    };
    if (this.#isGo) return { path: { ...names, segments } };
    const named = Object.entries(names).map(
      ([name, value]) => [name === 'path' ? 'path' : `path.${name}`, value] as const,
    );
    return Object.fromEntries([...named, ...segments.map((segment, i) => [`path[${i}]`, segment] as const)]);
  }

  /** Every element of the first with every one of the second, which may name parameters of the first. */
  #matrix(value: Located, outer: Parameters, depth: number): Parameters[] {
    const [first, second] = itemsOf(within(value, 'generators'));
    if (!first || !second) return [];
    const both: Parameters[] = [];
    for (const one of this.#one(first, outer, depth + 1)) {
      for (const two of this.#one(second, { ...outer, ...one }, depth + 1)) {
        if (both.length >= MAX_ELEMENTS) {
          this.#tooMany(value.at);
          return both;
        }
        both.push({ ...one, ...two });
      }
    }
    return both;
  }

  /** Elements of the first, with what later ones say of the element with the same keys. */
  #merge(value: Located, outer: Parameters, depth: number): Parameters[] {
    const keys = itemsOf(within(value, 'mergeKeys')).flatMap((key) => textOf(key) ?? []);
    const [base = [], ...others] = itemsOf(within(value, 'generators')).map((each) =>
      this.#one(each, outer, depth + 1),
    );
    const keyOf = (each: Parameters): string => JSON.stringify(keys.map((key) => keyed(each, key)));
    const later = others.map((each) => new Map(each.map((element) => [keyOf(element), element])));
    return base.map((element) =>
      later.reduce((merged, other) => ({ ...merged, ...other.get(keyOf(element)) }), element),
    );
  }

  /** `values` of a generator: `values.name` in templates. */
  #values(generator: Located, parameters: Parameters): Parameters {
    const values = within(generator, 'values');
    if (values?.kind !== 'map') return {};
    const plain = plainOf(this.#filled(values, parameters)) as JsonObject;
    return this.#isGo ? { values: plain } : flat({ values: plain });
  }

  #filled(node: Located, parameters: Parameters): Located {
    if (Object.keys(parameters).length === 0) return node;
    try {
      return filled(node, parameters, this.#isGo);
    } catch (error) {
      if (!(error instanceof NotEvaluated)) throw error;
      this.#report.lost(
        node.at,
        `a template of a generator is not evaluated: ${error.message}`,
        'write the elements as a list',
      );
      return node;
    }
  }
}

function matcherOf(pattern: Located): (path: string) => boolean {
  return pathMatcher(textOf(within(pattern, 'path')) ?? '');
}

function keyed(parameters: Parameters, key: string): unknown {
  const direct = readKey(parameters, key);
  if (direct !== undefined) return direct;
  return key
    .split('.')
    .reduce<unknown>((value, name) => (isObject(value) ? readKey(value, name) : undefined), parameters);
}

function isSelected(selector: Located, parameters: Parameters): boolean {
  const labels = within(selector, 'matchLabels');
  return [...(labels?.kind === 'map' ? labels.fields : [])].every(
    ([name, { value }]) => String(keyed(parameters, name)) === textOf(value),
  );
}

/** `{a: {b: 1}}` as `{'a.b': '1'}`. */
function flat(value: JsonObject, prefix = '', depth = 0): Parameters {
  const entries: [string, unknown][] = [];
  for (const [name, inner] of Object.entries(value)) {
    if (isObject(inner) && depth < 20) entries.push(...Object.entries(flat(inner, `${prefix}${name}.`, depth + 1)));
    else entries.push([`${prefix}${name}`, inner]);
  }
  return Object.fromEntries(entries);
}
