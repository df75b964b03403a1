/** What the generators of an AppSet give, from the commit, and from what is known of open pull requests. */
import {
  readKey,
  selectorMatches,
  type AppSet,
  type AppSetGenerator,
  type Machine,
} from '../../../contracts/objects/index.ts';
import { isObject, type JsonObject } from '../fields/json.ts';
import { GENERATOR_NAMES } from '../manifests/checks/check-app-set.ts';
import { positionOf } from '../manifests/marks.ts';
import { isManifestName, SUBMODULE_MODE, type TreeFile } from '../manifests/select-files.ts';
import type { DesiredObject, ParsedFile, Position } from '../manifests/types.ts';
import { shortened } from '../manifests/wording.ts';
import type { Paced } from '../paced.ts';
import type { Allowance } from './allowance.ts';
import type { FileTree } from './file-tree.ts';
import { matchingPaths, type TooMuch } from './matching-paths.ts';
import { chosenOf, forgeOf, valuesOfPull, type Listed } from './pull-requests.ts';
import { folderOf } from './paths.ts';
import type { SetFindings } from './set-findings.ts';

/** An AppSet as a commit writes it. */
export interface DesiredSet {
  readonly desired: DesiredObject;
  readonly set: AppSet;
}

export interface SetElement {
  readonly name: string;
  /** What variables stand for; `name` is among them. */
  readonly values: JsonObject;
  /** For people: `a of spec.generators[0].list`. */
  readonly words: string;
  /** It is of a pull request. */
  readonly isPreview: boolean;
}

/** What a generator looks for in the tree, and found. */
export type FoundPaths = readonly string[] | TooMuch | undefined;

/** Of each generator of the set, in order; undefined of those that look for none. */
export function* findPaths({ set }: DesiredSet, tree: FileTree, work: Allowance): Paced<readonly FoundPaths[]> {
  const found: FoundPaths[] = [];
  for (const { directories, files } of set.spec.generators) {
    if (directories) found.push(yield* matchingPaths(tree, 'folders', directories, work));
    else found.push(files && (yield* matchingPaths(tree, 'files', files, work)));
  }
  return found;
}

/** Files that the set reads, which are no manifests then. */
export function filesOf({ set }: DesiredSet, found: readonly FoundPaths[]): readonly string[] {
  return set.spec.generators.flatMap(({ files }, i) => {
    const paths = found[i];
    return files && typeof paths === 'object' ? paths : [];
  });
}

export interface ElementSources {
  readonly tree: FileTree;
  readonly work: Allowance;
  /** By name; those of the commit. */
  readonly machines: readonly Machine[];
  /** What files hold that were read. */
  readonly data: ReadonlyMap<string, ParsedFile>;
  /** By generator; of one that is not there was told why. */
  readonly listings: ReadonlyMap<AppSetGenerator, Listed>;
}

/**
 * The elements, generator by generator; of what is none it is told. Names differ. Undefined where there are more than
 * there is room for.
 */
export function elementsOf(
  { desired, set }: DesiredSet,
  found: readonly FoundPaths[],
  sources: ElementSources,
  room: Allowance,
  findings: SetFindings,
): readonly SetElement[] | undefined {
  const elements = new Map<string, SetElement>();
  for (const [i, generator] of set.spec.generators.entries()) {
    const kind = kindOf(generator);
    const at = positionOf(desired, 'spec', 'generators', i, kind);
    const where = `spec.generators[${i}].${kind}`;
    const paths = generator.machines && !sources.work.take(costOf(generator.machines, sources)) ? 'work' : found[i];
    if (typeof paths === 'string') {
      findings.failed(at, `${where}: ${TOO_MUCH[paths].message}`, TOO_MUCH[paths].hint);
      continue;
    }
    const listed = sources.listings.get(generator);
    if (listed && 'unread' in listed) {
      findings.warning('SourceUnread', at, `${where} is left out: ${listed.unread}`, UNREAD_HINT);
      continue;
    }
    const raw = rawElements(generator, i, desired, paths ?? [], at, sources, (place, message, hint) => {
      findings.failed(place, `${where}: ${message}`, hint);
    });
    let count = 0;
    for (const { values, what, place } of raw) {
      count++;
      if (!room.take()) return undefined;
      if (!values) continue;
      const name = readKey(values, 'name');
      if (typeof name !== 'string' || name === '') {
        const found = name === undefined ? 'has no name' : 'has a name that is no text';
        findings.failed(place, `${where}: ${what} ${found}`, 'each element has a name of its own: name: north, or "1"');
        continue;
      }
      const first = elements.get(name);
      if (first)
        findings.failed(
          place,
          `${where}: ${what} has the name ${shortened(name)}, as has the element ${first.words}`,
          'names of elements differ, in all generators of a set: rename one, or exclude it',
        );
      else
        elements.set(name, {
          name,
          values,
          words: `${shortened(name)} of ${where}`,
          isPreview: kind === 'pullRequests',
        });
    }
    if (count === 0 && kind !== 'list' && kind !== 'pullRequests')
      findings.warning('NoElements', at, `${where} finds nothing in this commit`, NOTHING_HINT[kind]);
  }
  return [...elements.values()];
}

/** Of holding the Machines against a selector. */
function costOf({ selector = {} }: NonNullable<AppSetGenerator['machines']>, { machines }: ElementSources): number {
  const expressions = (selector.matchExpressions ?? []).map(({ values = [] }) => 1 + values.length);
  const conditions = expressions.reduce((sum, each) => sum + each, Object.keys(selector.matchLabels ?? {}).length);
  return machines.length * (1 + conditions);
}

interface RawElement {
  /** Undefined of what was told already. */
  readonly values: JsonObject | undefined;
  readonly what: string;
  readonly place: Position;
}

type Fail = (at: Position, message: string, hint: string) => void;

function* rawElements(
  one: AppSetGenerator,
  generator: number,
  desired: DesiredObject,
  paths: readonly string[],
  at: Position,
  { tree, machines: all, data, listings }: ElementSources,
  fail: Fail,
): Generator<RawElement> {
  const { list, directories, files, machines, pullRequests } = one;
  const pulls = listings.get(one);
  for (const [j, values] of (list ?? []).entries())
    yield {
      values,
      what: `element ${j + 1}`,
      place: positionOf(desired, 'spec', 'generators', generator, 'list', j),
    };
  if (directories)
    for (const path of paths)
      yield { values: { name: path.slice(path.lastIndexOf('/') + 1), path }, what: path, place: at };
  if (files)
    for (const path of paths)
      yield {
        values: valuesOfFile(path, tree.file(path), data.get(path), at, fail),
        what: path,
        place: { file: path, line: 1, column: 1 },
      };
  if (machines)
    for (const { metadata, spec } of all)
      if (selectorMatches(machines.selector ?? {}, spec.labels))
        yield {
          values: { name: metadata.name, address: spec.address, labels: spec.labels ?? {} },
          what: `Machine ${metadata.name}`,
          place: at,
        };
  if (pullRequests && pulls && !('unread' in pulls))
    for (const pull of chosenOf(pulls, pullRequests))
      yield {
        values: valuesOfPull(pull, forgeOf(pullRequests).repository),
        what: `pull request ${pull.number}`,
        place: at,
      };
}

/** What the file itself is wrong with is told at its own place. */
function valuesOfFile(
  path: string,
  file: TreeFile | undefined,
  read: ParsedFile | undefined,
  at: Position,
  fail: Fail,
): JsonObject | undefined {
  const cannot = file && whyNotRead(file);
  if (cannot !== undefined) {
    fail(at, `${path} ${cannot}`, 'make the pattern match the files alone that are meant');
    return undefined;
  }
  const values = read?.data;
  if (!isObject(values)) return undefined;
  const taken = OF_THE_FILE.find((name) => readKey(values, name) !== undefined);
  if (taken !== undefined) {
    fail(
      { file: path, line: 1, column: 1 },
      `${path} has a value for ${taken}, which is where the file is`,
      'give it another name',
    );
    return undefined;
  }
  return { ...values, path: folderOf(path), file: path };
}

const OF_THE_FILE = ['path', 'file'] as const;

/** Why a file that a pattern names is not to be read; undefined where it is. */
export function whyNotRead({ path, mode }: TreeFile): string | undefined {
  if (mode === '120000') return 'is a symbolic link; links are not followed';
  if (mode === SUBMODULE_MODE) return 'is a Git submodule, and no file';
  return isManifestName(path) ? undefined : 'is no .yaml, .yml or .json file';
}

function kindOf(generator: AppSetGenerator): (typeof GENERATOR_NAMES)[number] {
  return GENERATOR_NAMES.find((name) => generator[name] !== undefined) ?? 'list';
}

const TOO_MUCH: Readonly<Record<TooMuch, { readonly message: string; readonly hint: string }>> = {
  work: {
    message: 'the patterns and selectors of the AppSets take too long in a repository of this size',
    hint: 'write the names of folders in place of ** and of wildcards at the beginning, and fewer generators',
  },
  paths: { message: 'the patterns match very many paths', hint: 'make them match those alone that are meant' },
};

const UNREAD_HINT = 'what is in force of it stays; look at the reason';

const NOTHING_HINT = {
  list: '',
  pullRequests: '',
  directories: 'look at the patterns; Git has no empty folders, and hidden ones are matched by a pattern with a dot',
  files: 'look at the patterns; hidden files and folders are matched by a pattern with a dot',
  machines: 'look at the selector: it is held against spec.labels of Machines that are written as plain YAML',
};
