/**
 * A revision's files to desired state. Reading is passed in, so that the run, the push hook and the offline commands
 * render the same way.
 */
import {
  composing,
  fileTooLarge,
  type ManifestCache,
  MAX_FILE_BYTES,
  NOTHING_DESIRED,
  selectManifestFiles,
  type DesiredObject,
  type Diagnostic,
  type ParsedFile,
  type Rendering,
  type TreeFile,
} from '../manifests/index.ts';
import {
  divide,
  findApps,
  findSets,
  Folders,
  madeApps,
  notOpened,
  notRendered,
  outside,
  refusedAnApp,
} from '../apps/divide.ts';
import type { AppTools } from '../apps/engine.ts';
import { OWN_AUTH, usedSources, type AppSources, type SourceAnswer } from '../apps/other-sources.ts';
import { expandSets, NOTHING_EXPANDED } from '../apps/expand-sets.ts';
import { FileTree } from '../apps/file-tree.ts';
import { valueObjects } from '../apps/object-values.ts';
import type { AppRendering } from '../apps/one-app.ts';
import { renderApps } from '../apps/render-apps.ts';
import { Submodules } from '../apps/submodules.ts';
import { finish, type PacedRunner } from '../paced.ts';
import { lacksKeys, parseSealed, type OpenEnvelope } from './parse-sealed.ts';

/**
 * The contents of a file, or `too-large` where it has more than {@link MAX_FILE_BYTES}; that is found without reading
 * it.
 */
export type FileReader = (file: TreeFile, maxBytes: number) => Promise<Uint8Array | 'too-large'>;

/** Files read at the same time. */
const CONCURRENCY = 16;

/**
 * All manifests of a revision together; contents that stand at several paths count at each. Ten thousand usual objects
 * have about half of it.
 */
export const MAX_REVISION_BYTES = 32 * 1024 * 1024;

export interface RenderOptions {
  /** What the cache keeps besides this revision's: of revisions that may be asked for again. */
  readonly keep?: readonly { readonly path: string; readonly oid: string }[];
  readonly run?: PacedRunner;
  /** What Apps are rendered with; without it an App that needs an engine is an error. */
  readonly tools?: AppTools;
  /** Who has other repositories; Apps of such are left out, with a warning, where nobody has. */
  readonly sources?: AppSources;
  /** URL or path of the repository, without credentials: what URLs of its submodules are relative to. */
  readonly origin?: string;
  /** Files of submodules that are checked out; else they are asked for at `sources`. */
  readonly checkedOut?: (path: string) => Promise<SourceAnswer>;
  /** Opens what is encrypted. */
  readonly open?: OpenEnvelope;
  /** Told of each App that was rendered, with its documents. */
  readonly onApp?: (rendering: AppRendering) => void;
}

/**
 * Renders one revision. Only contents that the cache lacks are read and parsed, each once, at however many paths they
 * stand. The cache is left with this revision's files and those of `keep`. A revision over {@link MAX_REVISION_BYTES}
 * has one error and no objects. Rejects only when the reader does, a tool, or `open`: without that, encrypted values are
 * those that are written.
 */
export async function renderFiles(
  files: readonly TreeFile[],
  readOwn: FileReader,
  cache: ManifestCache,
  options: RenderOptions = {},
): Promise<Rendering> {
  const known = new Map<TreeFile, ParsedFile>();
  const revision = new RevisionFiles(files, readOwn, options);
  for (;;) {
    const rendering = await renderTree(revision, { ...options, cache, known });
    if (rendering !== 'grown') return rendering;
  }
}

/** The files of a revision, with those of submodules as they are opened. By folder only where somebody asks. */
class RevisionFiles {
  readonly #files: readonly TreeFile[];
  readonly #read: FileReader;
  readonly #options: RenderOptions;
  #made: { readonly tree: FileTree; readonly submodules: Submodules } | undefined;
  #all: readonly TreeFile[];

  constructor(files: readonly TreeFile[], read: FileReader, options: RenderOptions) {
    this.#files = files;
    this.#all = files;
    this.#read = read;
    this.#options = options;
  }

  /** By path. */
  get all(): readonly TreeFile[] {
    return this.#all;
  }

  get hasGrown(): boolean {
    return this.#all !== this.#files;
  }

  readonly read: FileReader = (file, maxBytes) => (this.#made?.submodules.read ?? this.#read)(file, maxBytes);

  get byFolder(): { readonly tree: FileTree; readonly submodules: Submodules } {
    if (this.#made) return this.#made;
    const { origin: url = '', sources, checkedOut } = this.#options;
    const tree = new FileTree(this.#files);
    const origin = { url, auth: OWN_AUTH, id: '' };
    this.#made = { tree, submodules: new Submodules({ tree, read: this.#read, origin, sources, checkedOut }) };
    return this.#made;
  }

  /** Opens what can be; findings where there is nothing more to open. */
  async open(closed: readonly TreeFile[]): Promise<readonly Diagnostic[] | 'grown'> {
    if (closed.length === 0) return [];
    const { tree, submodules } = this.byFolder;
    if (await submodules.open(closed.map(({ path }) => path))) {
      this.#all = [...tree.filesBelow('')].sort((a, b) => (a.path < b.path ? -1 : 1));
      return 'grown';
    }
    return submodules.findings(
      closed.map(({ path }) => ({ path, text: path, from: { file: path, line: 1, column: 1 } })),
    );
  }
}

interface TreeOptions extends RenderOptions {
  readonly cache: ManifestCache;
  /** What this revision has had already. */
  readonly known: Map<TreeFile, ParsedFile>;
}

/** `grown`: there are more files now, of submodules, which are plain where no App is outside of them. */
async function renderTree(
  revision: RevisionFiles,
  { cache, known, keep = [], run = finish, tools, sources, open, onApp }: TreeOptions,
): Promise<Rendering | 'grown'> {
  const { read } = revision;
  const selected = selectManifestFiles(revision.all);
  const loose = outside(selected.manifests, new Folders(selected.sources.map(({ folder }) => folder)));
  const first = await parseFiles(loose, read, cache, known, open, run);
  if ('tooMany' in first) return { ...NOTHING_DESIRED, diagnostics: [tooManyBytes(first.tooMany)] };
  const written = findApps(first.parsed);
  const sets = findSets(first.parsed);
  if (written.length === 0 && sets.length === 0) {
    const unread = await revision.open(selected.submodules);
    if (unread === 'grown') return 'grown';
    const all =
      selected.sources.length === 0 ? first : await parseFiles(selected.manifests, read, cache, known, open, run);
    cache.prune([...selected.manifests, ...keep]);
    if ('tooMany' in all) return { ...NOTHING_DESIRED, diagnostics: [tooManyBytes(all.tooMany)] };
    const rendering = await run(composing(all.parsed, [...selected.diagnostics, ...unread, ...all.refused]));
    if (!revision.hasGrown) return rendering;
    const { submodules } = revision.byFolder;
    return { ...rendering, submodules: [...submodules.used], rendered: knownAs(selected.manifests) };
  }
  const { tree, submodules } = revision.byFolder;
  const expansion =
    sets.length === 0
      ? NOTHING_EXPANDED
      : await expandSets({
          sets,
          written,
          machines: machinesIn(first.parsed),
          tree,
          read,
          cache,
          sources,
          objects: valueObjects(first.parsed),
          run,
        });
  const division = divide(selected, loose, { written, sets, expansion });
  const plain = new Set(division.plain.map(({ path }) => path));
  const objects = valueObjects(first.parsed.filter(({ path }) => plain.has(path)));
  const wantsDocuments = onApp !== undefined;
  const { renderings, submodules: others } = await renderApps({
    apps: division.apps,
    tree,
    submodules,
    tools,
    sources,
    cache,
    wantsDocuments,
    run,
    open,
    data: expansion.data,
    objects,
  });
  for (const rendering of renderings) onApp?.(rendering);
  const rendered = renderings.flatMap(({ parsed }) => parsed);
  const made = knownAs([...rendered, ...expansion.kept, ...(revision.hasGrown ? loose : [])]);
  cache.prune([...loose, ...made, ...keep]);
  const composed = [...first.parsed.filter(({ path }) => plain.has(path)), ...expansion.parsed, ...rendered];
  const over = firstOver(composed);
  if (over) return { ...NOTHING_DESIRED, diagnostics: [tooManyBytes(over.path)] };
  const rendering = await run(
    composing(composed, [
      ...division.diagnostics,
      ...expansion.diagnostics,
      ...first.refused.filter(({ file }) => plain.has(file)),
      ...renderings.flatMap(({ diagnostics }) => diagnostics),
      ...madeApps(rendered),
      ...([...first.parsed, ...expansion.parsed].some(refusedAnApp) || hasErrors(expansion.diagnostics)
        ? []
        : [
            ...notRendered(selected.sources, renderings),
            ...notOpened(division.submodules.filter(({ path }) => !submodules.isWanted(path))),
          ]),
    ]),
  );
  const used = usedSources([...expansion.listings, ...renderings.flatMap((each) => each.used ?? [])]);
  const { previews } = expansion;
  const opened = [...submodules.used, ...others];
  const leftOut = renderings.flatMap(({ app, isLeftOut }) => (isLeftOut ? [app] : []));
  return {
    ...rendering,
    ...(leftOut.length > 0 && { leftOut }),
    ...(previews.length > 0 && { previews: new Set(previews) }),
    rendered: made,
    ...(opened.length > 0 && { submodules: opened }),
    ...(used.length > 0 && { sources: used }),
  };
}

/** As the cache of parsed files knows them. */
function knownAs(
  files: readonly { readonly path: string; readonly oid: string }[],
): readonly { readonly path: string; readonly oid: string }[] {
  return files.map(({ path, oid }) => ({ path, oid }));
}

type Parses =
  { readonly parsed: readonly ParsedFile[]; readonly refused: readonly Diagnostic[] } | { readonly tooMany: string };

/** Parses each file, from the cache where it is there. `known`: what this revision has had already. */
async function parseFiles(
  manifests: readonly TreeFile[],
  read: FileReader,
  cache: ManifestCache,
  known: Map<TreeFile, ParsedFile>,
  open: OpenEnvelope | undefined,
  run: PacedRunner,
): Promise<Parses> {
  const parsed = new Array<ParsedFile | undefined>(manifests.length);
  const refused: Diagnostic[] = [];
  const contents = new Map<string, Promise<ParsedFile | undefined>>();
  const budget = new InOrder(manifests.length, MAX_REVISION_BYTES);
  async function parse(file: TreeFile): Promise<ParsedFile | undefined> {
    const bytes = await read(file, MAX_FILE_BYTES);
    return bytes === 'too-large' ? undefined : parseSealed(file.path, file.oid, bytes, open, undefined, false, run);
  }
  async function parseOnce(file: TreeFile): Promise<ParsedFile | undefined> {
    const cached = known.get(file) ?? cache.get(file.path, file.oid) ?? cache.sameContents(file.oid);
    if (cached) return cached;
    const reading = contents.get(file.oid) ?? parse(file);
    contents.set(file.oid, reading);
    return reading;
  }
  const queue = manifests.entries();
  async function work(): Promise<void> {
    for (const [index, file] of queue) {
      if (budget.exceededAt !== undefined) return;
      const found = await parseOnce(file);
      if (!found) refused.push(fileTooLarge(file.path));
      else {
        const read = (parsed[index] = at(file.path, found));
        if (!lacksKeys(read)) cache.set(read);
        known.set(file, read);
      }
      budget.count(index, found?.bytes ?? 0);
    }
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, work));
  const passed = budget.exceededAt === undefined ? undefined : manifests[budget.exceededAt];
  if (passed) return { tooMany: passed.path };
  return { parsed: parsed.flatMap((file) => file ?? []), refused };
}

function machinesIn(parsed: readonly ParsedFile[]): readonly DesiredObject[] {
  return parsed.flatMap(({ objects }) => objects.filter(({ object }) => object.kind === 'Machine'));
}

function hasErrors(diagnostics: readonly Diagnostic[]): boolean {
  return diagnostics.some(({ severity }) => severity === 'error');
}

/** The first, in order, with which all have more than a revision may have. */
function firstOver(parsed: readonly ParsedFile[]): ParsedFile | undefined {
  let sum = 0;
  return parsed.find(({ bytes }) => (sum += bytes) > MAX_REVISION_BYTES);
}

/** The parse as it would be of a file at `path`: positions are all that a path is in. */
function at(path: string, file: ParsedFile): ParsedFile {
  if (file.path === path) return file;
  return {
    ...file,
    path,
    objects: file.objects.map((object) => ({ ...object, position: { ...object.position, file: path } })),
    custom: file.custom.map((manifest) => ({ ...manifest, position: { ...manifest.position, file: path } })),
    diagnostics: file.diagnostics.map((diagnostic) => ({ ...diagnostic, file: path })),
    ...(file.sealed && {
      sealed: file.sealed.map(({ envelope, position }) => ({ envelope, position: { ...position, file: path } })),
    }),
  };
}

function tooManyBytes(path: string): Diagnostic {
  const limit = `${MAX_REVISION_BYTES / 1024 / 1024} MiB`;
  return {
    severity: 'error',
    code: 'RevisionTooLarge',
    file: path,
    line: 1,
    column: 1,
    message: `the manifests up to this one, in order of their paths, have more than ${limit} together`,
    hint: 'split the repository, or keep data out of manifests',
  };
}

/** A sum over numbers that come in any order: the answer is the same whatever the order was. */
class InOrder {
  readonly #sizes: (number | undefined)[];
  readonly #limit: number;
  #next = 0;
  #sum = 0;
  /** The first index at which the sum passes the limit, once all before it are known. */
  exceededAt: number | undefined;

  constructor(length: number, limit: number) {
    this.#sizes = new Array<number | undefined>(length);
    this.#limit = limit;
  }

  count(index: number, size: number): void {
    this.#sizes[index] = size;
    for (
      let known = this.#sizes[this.#next];
      known !== undefined && this.exceededAt === undefined;
      known = this.#sizes[this.#next]
    ) {
      this.#sum += known;
      if (this.#sum > this.#limit) this.exceededAt = this.#next;
      this.#next++;
    }
  }
}
