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
  parseManifest,
  selectManifestFiles,
  type Diagnostic,
  type ParsedFile,
  type Rendering,
  type TreeFile,
} from '../manifests/index.ts';
import { finish, type Paced } from '../paced.ts';

/**
 * The contents of a file, or `too-large` where it has more than {@link MAX_FILE_BYTES}; that is found without reading
 * it.
 */
export type FileReader = (file: TreeFile, maxBytes: number) => Promise<Uint8Array | 'too-large'>;

/** Runs a long calculation; where others wait for their turn, in slices. */
export type PacedRunner = <T>(work: Paced<T>) => T | Promise<T>;

/** Files read at the same time. */
const CONCURRENCY = 16;

/**
 * All manifests of a revision together; contents that stand at several paths count at each. Ten thousand usual objects
 * have about half of it.
 */
export const MAX_REVISION_BYTES = 32 * 1024 * 1024;

/**
 * Renders one revision. Only contents that the cache lacks are read and parsed, each once, at however many paths they
 * stand. The cache is left with this revision's files and those of `keep`. A revision over {@link MAX_REVISION_BYTES}
 * has one error and no objects. Rejects only when the reader does.
 */
export async function renderFiles(
  files: readonly TreeFile[],
  read: FileReader,
  cache: ManifestCache,
  keep: readonly TreeFile[] = [],
  run: PacedRunner = finish,
): Promise<Rendering> {
  const { manifests, diagnostics } = selectManifestFiles(files);
  const parsed = new Array<ParsedFile | undefined>(manifests.length);
  const refused: Diagnostic[] = [];
  const contents = new Map<string, Promise<ParsedFile | undefined>>();
  const budget = new InOrder(manifests.length, MAX_REVISION_BYTES);
  async function parse(file: TreeFile): Promise<ParsedFile | undefined> {
    const bytes = await read(file, MAX_FILE_BYTES);
    return bytes === 'too-large' ? undefined : parseManifest(file.path, file.oid, bytes);
  }
  async function parseOnce(file: TreeFile): Promise<ParsedFile | undefined> {
    const known = cache.get(file.path, file.oid) ?? cache.sameContents(file.oid);
    if (known) return known;
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
      else cache.set((parsed[index] = at(file.path, found)));
      budget.count(index, found?.bytes ?? 0);
    }
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, work));
  cache.prune([...manifests, ...keep]);
  const passed = budget.exceededAt === undefined ? undefined : manifests[budget.exceededAt];
  if (passed) return { ...NOTHING_DESIRED, diagnostics: [tooManyBytes(passed.path)] };
  return run(
    composing(
      parsed.flatMap((file) => file ?? []),
      [...diagnostics, ...refused],
    ),
  );
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
