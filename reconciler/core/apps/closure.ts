/** Which files an App reads: never fewer than its engine does. */
import { SUBMODULE_MODE, type TreeFile } from '../manifests/select-files.ts';
import type { DiagnosticCode } from '../manifests/codes.ts';
import type { Diagnostic, Position } from '../manifests/types.ts';
import { shortened } from '../manifests/wording.ts';
import type { FileTree } from './file-tree.ts';
import {
  isRemote,
  KUSTOMIZATION_NAMES,
  readKustomization,
  type KustomizationFile,
  type Named,
} from './kustomization.ts';
import { resolvePath } from './paths.ts';
import type { ClosedSubmodule } from './submodules.ts';

/** Of one App. More than any has that people write; a folder that large is a mistake in the path. */
export const MAX_APP_FILES = 10_000;
/** Kustomizations that lead to one another. */
const MAX_KUSTOMIZATIONS = 500;

export interface Closure {
  /** By path, each once. */
  readonly files: readonly TreeFile[];
  readonly diagnostics: readonly Diagnostic[];
  /** In the way of it: what it reads is not all known before these are opened. */
  readonly submodules: readonly ClosedSubmodule[];
}

/** The contents of a kustomization file; undefined where it is too large to be one. */
export type ContentsReader = (file: TreeFile) => Promise<Uint8Array | undefined>;

/** Collects files of one App and what is wrong with its paths. */
export class ClosureBuilder {
  readonly #files = new Map<string, TreeFile>();
  readonly #diagnostics: Diagnostic[] = [];
  readonly #submodules = new Map<string, ClosedSubmodule>();
  readonly #tree: FileTree;

  constructor(tree: FileTree) {
    this.#tree = tree;
  }

  /** Adds a file, or tells at `from` why it cannot be one. */
  file(path: string | undefined, from: Position, text: string): void {
    const file = path === undefined ? undefined : this.#tree.file(path);
    if (file) this.add(file);
    else this.missing(path, from, text);
  }

  folder(path: string): void {
    for (const file of this.#tree.filesBelow(path)) {
      if (this.#files.size > MAX_APP_FILES) return;
      this.add(file);
    }
  }

  add(file: TreeFile): void {
    const { path } = file;
    const here = { file: path, line: 1, column: 1 };
    if (file.mode === SUBMODULE_MODE) {
      this.#submodules.set(path, { path, from: here, text: path });
      return;
    }
    if (file.mode === SYMLINK && !this.#files.has(path))
      this.tell(
        'SymlinkRefused',
        here,
        `${path} is a symbolic link; links are not followed`,
        'commit the files themselves',
      );
    this.#files.set(path, file);
  }

  missing(path: string | undefined, from: Position, text: string): void {
    const submodule = path === undefined ? undefined : submoduleAround(this.#tree, path);
    if (submodule !== undefined) this.#submodules.set(submodule, { path: submodule, from, text: shortened(text) });
    else if (path === undefined)
      this.tell('PathNotFound', from, `${shortened(text)} leads out of the repository`, 'only its files are read');
    else if (isRemote(text))
      this.tell(
        'RemoteResource',
        from,
        `${shortened(text)} is not in the repository, and nothing is fetched while a commit is rendered`,
        'commit the files that it names, and name their folder',
      );
    else
      this.tell(
        'PathNotFound',
        from,
        `${shortened(text)} is not in the repository`,
        `there is no ${path === '' ? 'such file' : path} in this commit`,
      );
  }

  tell(code: DiagnosticCode, { file, line, column }: Position, message: string, hint: string): void {
    this.#diagnostics.push({ severity: 'error', code, file, line, column, message, hint });
  }

  tellAll(diagnostics: readonly Diagnostic[]): void {
    this.#diagnostics.push(...diagnostics);
  }

  /** `from`: the App's path, which is told of when it leads to too much. */
  done(from: Position): Closure {
    if (this.#files.size > MAX_APP_FILES)
      this.tell('AppTooLarge', from, `reads more than ${MAX_APP_FILES} files`, 'name a smaller folder');
    return {
      files: [...this.#files.values()].sort((a, b) => (a.path < b.path ? -1 : 1)),
      diagnostics: this.#diagnostics,
      submodules: [...this.#submodules.values()],
    };
  }
}

const SYMLINK = '120000';

/** The submodule that the path is of, or is itself. */
function submoduleAround(tree: FileTree, path: string): string | undefined {
  const parts = path.split('/');
  return parts.map((_, i) => parts.slice(0, i + 1).join('/')).find((each) => tree.file(each)?.mode === SUBMODULE_MODE);
}

/** The kustomization file of a folder; Kustomize refuses a folder with two. */
export function kustomizationIn(tree: FileTree, folder: string): TreeFile | undefined {
  return tree.filesIn(folder).find(({ path }) => KUSTOMIZATION_NAMES.some((name) => path === below(folder, name)));
}

/**
 * What Kustomize reads from `folder` on: its kustomization files, what they name, and of one that may read more than it
 * names its whole folder. Each file of kustomization is read once.
 */
export class KustomizeClosure {
  readonly #tree: FileTree;
  readonly #read: ContentsReader;
  /** By path; of this revision. */
  readonly #known = new Map<string, Promise<KustomizationFile | undefined>>();

  constructor(tree: FileTree, read: ContentsReader) {
    this.#tree = tree;
    this.#read = read;
  }

  async collect(folders: readonly Wanted[], into: ClosureBuilder): Promise<void> {
    const open = [...folders];
    const seen = new Set<string>();
    for (let next = open.pop(); next; next = open.pop()) {
      const { folder, from, text } = next;
      if (seen.has(folder)) continue;
      seen.add(folder);
      if (seen.size > MAX_KUSTOMIZATIONS) {
        into.tell('AppTooLarge', from, `reads more than ${MAX_KUSTOMIZATIONS} kustomizations`, 'split it');
        return;
      }
      const file = kustomizationIn(this.#tree, folder);
      if (!file) {
        into.tell(
          'PathNotFound',
          from,
          `${shortened(text)} is a folder without a kustomization file`,
          `add one of ${KUSTOMIZATION_NAMES.join(', ')}`,
        );
        continue;
      }
      for (const each of this.#tree.filesIn(folder))
        if (KUSTOMIZATION_NAMES.some((name) => each.path === below(folder, name))) into.add(each);
      const kustomization = await this.#kustomization(file);
      if (!kustomization) {
        into.tell('FileTooLarge', at(file), `${file.path} has more than 1 MiB`, 'split it');
        continue;
      }
      into.tellAll(kustomization.diagnostics);
      if (kustomization.readsMore) into.folder(folder);
      for (const named of kustomization.files) {
        const path = resolvePath(folder, named.text);
        const found = path === undefined ? undefined : this.#tree.file(path);
        if (found) into.add(found);
        else into.missing(path, placeOf(file, named), named.text);
      }
      for (const named of kustomization.sources) {
        const path = resolvePath(folder, named.text);
        const found = path === undefined ? undefined : this.#tree.file(path);
        if (found) into.add(found);
        else if (path !== undefined && this.#tree.isFolder(path))
          open.push({ folder: path, from: placeOf(file, named), text: named.text });
        else into.missing(isRemote(named.text) ? '' : path, placeOf(file, named), named.text);
      }
    }
  }

  #kustomization(file: TreeFile): Promise<KustomizationFile | undefined> {
    const known = this.#known.get(file.path);
    if (known) return known;
    const reading = this.#read(file).then((bytes) => bytes && readKustomization(file.path, bytes));
    this.#known.set(file.path, reading);
    return reading;
  }
}

/** A folder, and who names it in which words. */
interface Wanted {
  readonly folder: string;
  readonly from: Position;
  readonly text: string;
}

function placeOf(file: TreeFile, { line, column }: Named): Position {
  return { file: file.path, line, column };
}

function at(file: TreeFile): Position {
  return { file: file.path, line: 1, column: 1 };
}

function below(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}
