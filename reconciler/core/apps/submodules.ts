/**
 * The submodules of a tree: each is its repository at the commit that the tree has in its place, read as if its files lay
 * there. One is opened when something is read of it, and of no other one anything is fetched.
 */
import { createHash } from 'node:crypto';
import { decodeUtf8 } from '../manifests/decode-text.ts';
import type { DiagnosticCode } from '../manifests/codes.ts';
import { MAX_FILE_BYTES, SUBMODULE_MODE, type TreeFile } from '../manifests/select-files.ts';
import type { Diagnostic, Position } from '../manifests/types.ts';
import { submoduleUrl } from '../sources/submodule-url.ts';
import type { FileTree } from './file-tree.ts';
import { readGitmodules, type Gitmodules, type SubmoduleEntry } from './gitmodules.ts';
import type { AppSources, SourceAnswer, SourceAuth, WantedSource } from './other-sources.ts';
import { isWithin } from './paths.ts';

/** Of one tree, those of submodules among them. */
const MAX_SUBMODULES = 32;
/** Submodules in one another. */
const MAX_DEPTH = 4;
/** Of a tree with all that was opened in it: as many as one commit may have. */
const MAX_FILES = 200_000;

/** Contents of a file of a tree, `too-large` over `maxBytes`. */
export type TreeReader = (file: TreeFile, maxBytes: number) => Promise<Uint8Array | 'too-large'>;

/** The repository that a tree is of. */
export interface SubmoduleOrigin {
  /** Without credentials; a path where it is on this machine. */
  readonly url: string;
  /** For its own server alone. */
  readonly auth: SourceAuth | undefined;
  /** Of whose credentials these are: what is fetched with one's is not another one's. */
  readonly id: string;
}

export interface SubmoduleOptions {
  readonly tree: FileTree;
  readonly read: TreeReader;
  readonly origin: SubmoduleOrigin;
  /** Undefined where nobody here has other repositories. */
  readonly sources: AppSources | undefined;
  /** Files of those that are checked out, by the path of the submodule: then nobody is asked for them. */
  readonly checkedOut?: ((path: string) => Promise<SourceAnswer>) | undefined;
}

/** A submodule in the way of what is read, and who names it in which words. */
export interface ClosedSubmodule {
  readonly path: string;
  readonly from: Position;
  readonly text: string;
}

/** What a tree of submodules is known by: its own repository at the empty path, and each that was opened. */
interface Root {
  readonly path: string;
  readonly origin: SubmoduleOrigin;
  readonly depth: number;
  modules: Promise<ModulesFile> | undefined;
}

type ModulesFile = Gitmodules | { readonly ok: false; readonly line: 1; readonly message: string };

/** Why it is not read. `unread`: it may be the next time. */
interface Failure {
  readonly code: Extract<DiagnosticCode, 'SubmoduleRefused' | 'SubmoduleUnread'>;
  readonly message: string;
  readonly hint: string;
}

/** A file of a submodule, at its place in the tree. */
class SubmoduleFile implements TreeFile {
  readonly path: string;
  readonly file: TreeFile;
  readonly readOf: TreeReader;

  constructor(below: string, file: TreeFile, readOf: TreeReader) {
    this.path = `${below}/${file.path}`;
    this.file = file;
    this.readOf = readOf;
  }

  get oid(): string {
    return this.file.oid;
  }

  get mode(): string {
    return this.file.mode;
  }
}

export class Submodules {
  readonly #options: SubmoduleOptions;
  readonly #roots = new Map<string, Root>();
  readonly #opening = new Map<string, Promise<void>>();
  readonly #failures = new Map<string, Failure>();
  readonly #used = new Set<string>();
  #files: number | undefined;

  constructor(options: SubmoduleOptions) {
    this.#options = options;
    this.#roots.set('', { path: '', origin: options.origin, depth: 0, modules: undefined });
  }

  /** Reads a file of the tree, of whichever repository it is. */
  readonly read: TreeReader = (file, maxBytes) =>
    file instanceof SubmoduleFile ? file.readOf(file.file, maxBytes) : this.#options.read(file, maxBytes);

  /** Whether something is read of it. */
  isWanted(path: string): boolean {
    return this.#opening.has(path);
  }

  /**
   * Puts their files into the tree, and says whether there are more now: whoever came upon them has to look again. Rejects
   * only when reading does, or asking is over.
   */
  async open(paths: readonly string[]): Promise<boolean> {
    await Promise.all(paths.toSorted().map((path) => this.#opened(path)));
    return paths.some((path) => !this.#failures.has(path));
  }

  /** Ids of what the opened ones were fetched as. */
  get used(): ReadonlySet<string> {
    return this.#used;
  }

  /** Why they are not read; nothing of one that was opened. */
  findings(closed: readonly ClosedSubmodule[]): readonly Diagnostic[] {
    return closed.flatMap(({ path, from: { file, line, column }, text }) => {
      const failure = this.#failures.get(path);
      if (!failure) return [];
      const { code, message, hint } = failure;
      const what = text === path ? path : `${text} is in ${path}, which`;
      return [{ severity: 'error', code, file, line, column, message: `${what} ${message}`, hint }];
    });
  }

  #opened(path: string): Promise<void> {
    const known = this.#opening.get(path);
    if (known) return known;
    const opening = this.#opening.size >= MAX_SUBMODULES ? this.#tooMany(path) : this.#open(path);
    this.#opening.set(path, opening);
    return opening;
  }

  async #open(path: string): Promise<void> {
    const { tree, checkedOut, origin } = this.#options;
    const link = tree.file(path);
    if (link?.mode !== SUBMODULE_MODE) return;
    const root = this.#rootOf(path);
    const entry = await this.#entryOf(path, root);
    if ('code' in entry) return this.#fails(path, entry);
    if (checkedOut) return this.#take(path, { ...root, origin }, await checkedOut(path), 'this checkout', link.oid);
    const url = submoduleUrl(entry.url, root.origin.url);
    if (!url.ok)
      return this.#fails(path, refused(`is a Git submodule whose URL ${shown(entry.url)} ${url.message}`, url.hint));
    const auth = url.isOwn ? root.origin.auth : undefined;
    const wanted = wantedSubmodule(url.url, entry, link.oid, { ...root.origin, auth });
    const answer = await this.#options.sources?.open(wanted);
    this.#used.add(wanted.id);
    const nobody = { ok: false, message: 'other repositories are read by the control plane alone' } as const;
    this.#take(
      path,
      { ...root, origin: { url: url.url, auth, id: root.origin.id } },
      answer ?? nobody,
      url.url,
      link.oid,
    );
  }

  #take(path: string, { origin, depth }: Root, answer: SourceAnswer, from: string, commit: string): void {
    if (!answer.ok) {
      const which = commit === '' ? '' : ` commit ${commit.slice(0, 12)} of`;
      const message = `is a Git submodule, and${which} ${shown(from)} cannot be had: ${answer.message}`;
      this.#fails(path, { code: 'SubmoduleUnread', message, hint: UNREAD_HINT });
      return;
    }
    const { tree } = this.#options;
    const wrong = answer.files.find((file) => !isPlainPath(file.path));
    this.#files ??= tree.size;
    if (wrong)
      this.#fails(
        path,
        refused(
          `is a Git submodule with the path ${JSON.stringify(wrong.path)}, which is none inside it`,
          'rename that',
        ),
      );
    else if (this.#files + answer.files.length > MAX_FILES)
      this.#fails(
        path,
        refused(
          `is a Git submodule with which there are more than ${MAX_FILES} files`,
          'keep manifests in repositories of their own',
        ),
      );
    else {
      this.#files += answer.files.length;
      this.#roots.set(path, { path, origin, depth: depth + 1, modules: undefined });
      tree.graft(
        path,
        answer.files.map((file) => new SubmoduleFile(path, file, answer.read)),
      );
    }
  }

  /** The innermost one that has the path. */
  #rootOf(path: string): Root {
    let found: Root | undefined;
    for (const root of this.#roots.values())
      if (root.path !== path && isWithin(path, root.path) && root.path.length >= (found?.path.length ?? 0))
        found = root;
    if (!found) throw new Error('a tree has a root');
    return found;
  }

  async #entryOf(path: string, root: Root): Promise<SubmoduleEntry | Failure> {
    if (root.depth >= MAX_DEPTH)
      return refused(`is a Git submodule in ${MAX_DEPTH} others, and no more are read in one another`, MORE_HINT);
    const file = root.path === '' ? '.gitmodules' : `${root.path}/.gitmodules`;
    root.modules ??= this.#readModules(file);
    const modules = await root.modules;
    if (!modules.ok) return refused(`is a Git submodule, and ${file}:${modules.line} ${modules.message}`, 'mend it');
    const entry = modules.byPath.get(root.path === '' ? path : path.slice(root.path.length + 1));
    if (!entry) return refused(`is a Git submodule that ${file} does not name`, ADD_HINT);
    return entry.isLeftOut
      ? refused(`is a Git submodule that is not to be checked out (update = none, at ${file}:${entry.line})`, MORE_HINT)
      : entry;
  }

  async #readModules(path: string): Promise<ModulesFile> {
    const file = this.#options.tree.file(path);
    if (!file) return { ok: true, byPath: new Map() };
    if (file.mode === '120000') return { ok: false, line: 1, message: 'is a symbolic link; links are not followed' };
    const bytes = await this.read(file, MAX_FILE_BYTES);
    const decoded = bytes === 'too-large' ? undefined : decodeUtf8(bytes);
    if (!decoded?.ok) return { ok: false, line: 1, message: 'is too large, or no text' };
    return readGitmodules(decoded.text);
  }

  #fails(path: string, failure: Failure): void {
    this.#failures.set(path, failure);
  }

  #tooMany(path: string): Promise<void> {
    this.#fails(path, refused(`is a Git submodule beyond ${MAX_SUBMODULES} that are read`, MORE_HINT));
    return Promise.resolve();
  }
}

const MORE_HINT = 'commit the files themselves, or name its repository in spec.source of an App';
const ADD_HINT = 'add it with `git submodule add`, or name its repository in spec.source of an App';
const UNREAD_HINT =
  'push that commit there, or commit one that is there; where it needs a login, docs/apps.md says which repositories have one';

function refused(message: string, hint: string): Failure {
  return { code: 'SubmoduleRefused', message, hint };
}

/** Without what may be a password, and short. */
function shown(url: string): string {
  const plain = url.replace(/\/\/[^@/]*@/, '//').replace(/[\u0000-\u001f\u007f]/g, '?');
  return plain.length > 120 ? `${plain.slice(0, 120)}...` : plain;
}

function isPlainPath(path: string): boolean {
  return !path.split('/').some((part) => part === '' || part === '.' || part === '..') && !path.includes('\\');
}

/**
 * One copy for each URL, and whose login it was fetched with, if anybody's: at whichever paths and commits. What one may read is
 * not read by who names the same URL without that login.
 */
function wantedSubmodule(
  url: string,
  { branch }: SubmoduleEntry,
  commit: string,
  { id: of, auth }: SubmoduleOrigin,
): WantedSource {
  const id = createHash('sha256')
    .update(JSON.stringify([url, { submoduleOf: auth === undefined ? undefined : of }]))
    .digest('hex')
    .slice(0, 16);
  return { id, url, follows: { commit, ...(branch !== undefined && { branch }) }, auth, isPart: true };
}
