/**
 * The AppSets of a commit to Apps, from the commit and the listings of pull requests that it is given: the same ones give
 * the same Apps in whatever order files come. What was made of an element once is not made again while element, template and place stay.
 */
import {
  DEFAULT_NAMESPACE,
  MAX_SET_ELEMENTS,
  type AppSetGenerator,
  type Machine,
} from '../../../contracts/objects/index.ts';
import { byPosition } from '../manifests/findings.ts';
import { positionOf } from '../manifests/marks.ts';
import type { ManifestCache } from '../manifests/manifest-cache.ts';
import { readObjects, type ReadResult } from '../manifests/read-object.ts';
import { MAX_FILE_BYTES, type TreeFile } from '../manifests/select-files.ts';
import type { DesiredObject, Diagnostic, ParsedFile } from '../manifests/types.ts';
import type { Paced, PacedRunner } from '../paced.ts';
import { Allowance } from './allowance.ts';
import type { FileTree } from './file-tree.ts';
import { MAX_WORK } from './matching-paths.ts';
import { isNoValue, type ValueObjects } from './object-values.ts';
import type { DesiredApp } from './one-app.ts';
import type { AppSources, SourceAnswer } from './other-sources.ts';
import { forgeOf, readListing, wantedListing, type Listed, type UsedListing } from './pull-requests.ts';
import { dataId, parsingData } from './set-data.ts';
import {
  elementsOf,
  filesOf,
  findPaths,
  whyNotRead,
  type DesiredSet,
  type FoundPaths,
  type SetElement,
} from './set-elements.ts';
import { SetFindings } from './set-findings.ts';
import { MAX_GENERATED, SetTemplate } from './set-template.ts';

/** What all files have together that AppSets read. */
export const MAX_SET_BYTES = 16 * 1024 * 1024;
/** Of a commit: each may give very many Apps. */
const MAX_SETS = 256;
/** Files read at the same time. */
const CONCURRENCY = 16;

export interface SetsInput {
  readonly sets: readonly DesiredSet[];
  /** Apps that the commit writes. */
  readonly written: readonly DesiredApp[];
  /** Of the commit. */
  readonly machines: readonly DesiredObject[];
  readonly tree: FileTree;
  readonly read: (file: TreeFile, maxBytes: number) => Promise<Uint8Array | 'too-large'>;
  readonly cache: ManifestCache;
  /** Who has listings of pull requests; generators of those give nothing where nobody has. */
  readonly sources: AppSources | undefined;
  /** Secrets of the commit. */
  readonly objects: ValueObjects;
  readonly run: PacedRunner;
}

export interface Expansion {
  readonly apps: readonly DesiredApp[];
  /** The Apps among parsed files, one each. */
  readonly parsed: readonly ParsedFile[];
  readonly diagnostics: readonly Diagnostic[];
  /** Files that AppSets read: no manifests. */
  readonly data: ReadonlySet<string>;
  /** What a cache of parsed files has of it. */
  readonly kept: readonly { readonly path: string; readonly oid: string }[];
  readonly listings: readonly UsedListing[];
  /** Apps that are there for as long as a pull request is open. */
  readonly previews: readonly string[];
}

export const NOTHING_EXPANDED: Expansion = {
  apps: [],
  parsed: [],
  diagnostics: [],
  data: new Set(),
  kept: [],
  listings: [],
  previews: [],
};

/** Rejects only when reading does. */
export async function expandSets(input: SetsInput): Promise<Expansion> {
  const sorted = input.sets.toSorted((a, b) => byPlace(a.desired, b.desired));
  const sets = sorted.slice(0, MAX_SETS);
  const more = sorted[MAX_SETS];
  const work = new Allowance(MAX_WORK);
  const found = await input.run(finding(sets, input.tree, work));
  const paths = new Set(sets.flatMap((set, i) => filesOf(set, found[i] ?? [])));
  const data = await readData([...paths].sort(), input);
  const asked = await listingsOf(sets, input);
  const { parsed, diagnostics, previews } = await input.run(expanding(sets, found, data, asked.listings, work, input));
  return {
    apps: parsed.flatMap(appsIn),
    parsed,
    diagnostics: [
      ...(more ? [problem('AppSetFailed', more.desired, `there are more than ${MAX_SETS} AppSets`, ONE_SET)] : []),
      ...[...data.values()].flatMap((file) => file.diagnostics),
      ...asked.diagnostics,
      ...diagnostics,
    ],
    data: paths,
    kept: [...parsed, ...data.values()].map(({ path, oid }) => ({ path, oid })),
    listings: asked.used,
    previews,
  };
}

interface Asked {
  readonly listings: ReadonlyMap<AppSetGenerator, Listed>;
  readonly used: readonly UsedListing[];
  readonly diagnostics: readonly Diagnostic[];
}

/** One answer for each listing, whoever asks for it. */
async function listingsOf(sets: readonly DesiredSet[], { sources, objects }: SetsInput): Promise<Asked> {
  const listings = new Map<AppSetGenerator, Listed>();
  const used: UsedListing[] = [];
  const diagnostics: Diagnostic[] = [];
  const answers = new Map<string, { readonly answer: SourceAnswer; readonly listed: Listed }>();
  for (const { desired, set } of sets)
    for (const [i, generator] of set.spec.generators.entries()) {
      const { pullRequests } = generator;
      if (!pullRequests) continue;
      const at = positionOf(desired, 'spec', 'generators', i, 'pullRequests');
      const wanted = wantedListing(pullRequests, objects, at);
      if (isNoValue(wanted)) {
        const { message, hint } = wanted;
        const words = `AppSet ${set.metadata.name}: spec.generators[${i}].pullRequests: ${message}`;
        diagnostics.push(problem('AppSetFailed', { position: at }, words, hint));
        continue;
      }
      let known = answers.get(wanted.id);
      if (!known) {
        const { repository } = forgeOf(pullRequests);
        const nobody = {
          ok: false,
          message: `pull requests of ${repository} are asked for by the control plane alone`,
        } as const;
        const answer = (await sources?.open(wanted)) ?? nobody;
        known = { answer, listed: await readListing(answer) };
        answers.set(wanted.id, known);
      }
      listings.set(generator, known.listed);
      const { listed, answer } = known;
      const said: SourceAnswer = 'unread' in listed && answer.ok ? { ok: false, message: listed.unread } : answer;
      used.push({ set: set.metadata.name, wanted, answer: said });
    }
  return { listings, used, diagnostics };
}

function byPlace({ position: a }: DesiredObject, { position: b }: DesiredObject): number {
  return byPosition({ ...a, ...NO_FINDING }, { ...b, ...NO_FINDING });
}

const NO_FINDING = { severity: 'error', code: '', message: '' } as const;

function* finding(
  sets: readonly DesiredSet[],
  tree: FileTree,
  work: Allowance,
): Paced<readonly (readonly FoundPaths[])[]> {
  const found: (readonly FoundPaths[])[] = [];
  for (const set of sets) found.push(yield* findPaths(set, tree, work));
  return found;
}

/** By path, in its order. All of them are read, or none of what is beyond the bound. */
async function readData(
  paths: readonly string[],
  { tree, read, cache, run }: SetsInput,
): Promise<ReadonlyMap<string, ParsedFile>> {
  const files = paths.flatMap((path) => {
    const file = tree.file(path);
    return file && whyNotRead(file) === undefined ? [file] : [];
  });
  const parsed = new Map<string, ParsedFile>();
  let room = MAX_SET_BYTES;
  for (let i = 0; i < files.length; i += CONCURRENCY) {
    const some = files.slice(i, i + CONCURRENCY);
    const each = await Promise.all(
      some.map(async (file) => {
        const known = cache.get(file.path, dataId(file.oid));
        if (known) return known;
        const bytes = await read(file, MAX_FILE_BYTES);
        const contents = bytes === 'too-large' ? new Uint8Array(MAX_FILE_BYTES + 1) : bytes;
        return run(parsingData(file.path, file.oid, contents));
      }),
    );
    for (const one of each) {
      room -= one.bytes;
      cache.set(one);
      parsed.set(one.path, room < 0 ? tooMuchData(one) : one);
      if (room < 0) return parsed;
    }
  }
  return parsed;
}

function tooMuchData({ path: file, oid, bytes }: ParsedFile): ParsedFile {
  const message = `AppSets read more than ${MAX_SET_BYTES / 1024 / 1024} MiB; ${file} is one file too many`;
  const hint = 'make the patterns match fewer files';
  const diagnostic: Diagnostic = { severity: 'error', code: 'AppSetFailed', file, line: 1, column: 1, message, hint };
  return { path: file, oid, bytes, objects: [], custom: [], diagnostics: [diagnostic] };
}

function* expanding(
  sets: readonly DesiredSet[],
  found: readonly (readonly FoundPaths[])[],
  data: ReadonlyMap<string, ParsedFile>,
  listings: ReadonlyMap<AppSetGenerator, Listed>,
  work: Allowance,
  { written, machines, tree, cache }: SetsInput,
): Paced<Pick<Expansion, 'parsed' | 'diagnostics' | 'previews'>> {
  const sources = { tree, data, work, listings, machines: machinesIn(machines) };
  const previews: string[] = [];
  const names = new Map(written.map(({ app, desired }) => [app.metadata.name, place(desired)]));
  const room = new Allowance(MAX_GENERATED);
  const parsed: ParsedFile[] = [];
  const diagnostics: Diagnostic[] = [];
  const elementRoom = new Allowance(MAX_SET_ELEMENTS);
  for (const [i, one] of sets.entries()) {
    const { desired, set } = one;
    const findings = new SetFindings(set.metadata.name);
    const elements = elementsOf(one, found[i] ?? [], sources, elementRoom, findings);
    yield;
    if (!elements)
      findings.failed(desired.position, `AppSets give more than ${MAX_SET_ELEMENTS} elements together`, FEWER);
    else {
      const template = new SetTemplate(one);
      for (const element of elements) {
        yield;
        const made = appOf(set.metadata.name, element, template, desired, room, cache, findings);
        if (made === 'no room') {
          findings.failed(desired.position, 'the Apps that AppSets make are too large together', FEWER);
          break;
        }
        if (!made) continue;
        for (const diagnostic of made.diagnostics) findings.ofElement(element.words, diagnostic);
        const name = appsIn(made)[0]?.app.metadata.name;
        const other = name === undefined ? undefined : names.get(name);
        if (name !== undefined && other !== undefined) {
          const message = `makes the App ${name}, which is already at ${other}`;
          findings.ofElement(element.words, problem('DuplicateObject', desired, message, DUPLICATE));
          continue;
        }
        if (name !== undefined) names.set(name, `${place(desired)}, element ${element.words}`);
        if (name !== undefined && element.isPreview) previews.push(name);
        parsed.push({ ...made, diagnostics: [] });
      }
    }
    diagnostics.push(...findings.all());
  }
  return { parsed, diagnostics, previews };
}

const ONE_SET = 'one AppSet may have several generators, and elements differ by their values';
const FEWER = 'let the generators give fewer elements';
const DUPLICATE = 'names of Apps differ: let ${name} be a part of template.metadata.name';

function place({ position: { file, line } }: DesiredObject): string {
  return `${file}:${line}`;
}

/** The App of one element, checked as if it were written; undefined where its values are wrong, which is told. */
function appOf(
  set: string,
  element: SetElement,
  template: SetTemplate,
  { position }: DesiredObject,
  room: Allowance,
  cache: ManifestCache,
  told: SetFindings,
): ParsedFile | 'no room' | undefined {
  const path = `${position.file}#${set}/${element.name}`;
  const oid = template.keyOf(element);
  const known = cache.get(path, oid);
  if (known) return room.take(known.bytes) ? known : 'no room';
  const filled = template.fill(element, room);
  if (filled === 'no room') return filled;
  if (!('root' in filled)) {
    for (const { at, message, hint } of filled)
      told.ofElement(element.words, problem('AppSetFailed', { position: at }, message, hint));
    return undefined;
  }
  const findings = template.findings();
  const result: ReadResult = { objects: [], custom: [], refused: [], rights: [] };
  readObjects(filled.root, findings, result, DEFAULT_NAMESPACE);
  const { objects, custom, refused } = result;
  const made = { path, oid, bytes: filled.size, objects, custom, refused, diagnostics: findings.sorted() };
  cache.set(made);
  return made;
}

function problem(
  code: 'AppSetFailed' | 'DuplicateObject',
  { position: { file, line, column } }: Pick<DesiredObject, 'position'>,
  message: string,
  hint: string,
): Diagnostic {
  return { severity: 'error', code, file, line, column, message, hint };
}

function appsIn({ objects }: ParsedFile): readonly DesiredApp[] {
  return objects.flatMap((desired) => (desired.object.kind === 'App' ? [{ desired, app: desired.object }] : []));
}

function machinesIn(machines: readonly DesiredObject[]): readonly Machine[] {
  return machines
    .toSorted(byPlace)
    .flatMap(({ object }) => (object.kind === 'Machine' ? [object] : []))
    .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : a.metadata.name > b.metadata.name ? 1 : 0));
}
