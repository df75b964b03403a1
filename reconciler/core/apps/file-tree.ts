/** The files of a revision, by path and by folder. */
import type { TreeFile } from '../manifests/select-files.ts';
import { folderOf } from './paths.ts';

export class FileTree {
  readonly #files = new Map<string, TreeFile>();
  readonly #folders = new Map<string, { readonly files: TreeFile[]; readonly folders: Set<string> }>();

  constructor(files: readonly TreeFile[]) {
    this.#folder('');
    for (const file of files) this.#add(file);
  }

  file(path: string): TreeFile | undefined {
    return this.#files.get(path);
  }

  isFolder(path: string): boolean {
    return this.#folders.has(path);
  }

  /** Names a folder's own files, without those below. */
  filesIn(folder: string): readonly TreeFile[] {
    return this.#folders.get(folder)?.files ?? [];
  }

  /** Paths of a folder's own folders, without those below. */
  foldersIn(folder: string): Iterable<string> {
    return this.#folders.get(folder)?.folders ?? [];
  }

  /** All files of a folder and below. */
  *filesBelow(folder: string): Generator<TreeFile> {
    const open = [folder];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      const found = this.#folders.get(at);
      if (!found) continue;
      yield* found.files;
      open.push(...found.folders);
    }
  }

  /** Of all files. */
  get size(): number {
    return this.#files.size;
  }

  /** Puts files, which are all below `path`, in place of the one that is there: a submodule becomes a folder. */
  graft(path: string, files: readonly TreeFile[]): void {
    const beside = this.#folder(folderOf(path)).files;
    const at = beside.findIndex((file) => file.path === path);
    if (at >= 0) beside.splice(at, 1);
    this.#files.delete(path);
    for (const file of files) this.#add(file);
  }

  #add(file: TreeFile): void {
    this.#files.set(file.path, file);
    this.#folder(folderOf(file.path)).files.push(file);
  }

  #folder(path: string): { readonly files: TreeFile[]; readonly folders: Set<string> } {
    const known = this.#folders.get(path);
    if (known) return known;
    const made = { files: [], folders: new Set<string>() };
    this.#folders.set(path, made);
    if (path !== '') this.#folder(folderOf(path)).folders.add(path);
    return made;
  }
}
