/** Folders and files of a commit that patterns name, with a bound on the search. */
import { MAX_SET_ELEMENTS, type AppSetPaths } from '../../../contracts/objects/index.ts';
import { SUBMODULE_MODE } from '../manifests/select-files.ts';
import type { Paced } from '../paced.ts';
import type { Allowance } from './allowance.ts';
import type { FileTree } from './file-tree.ts';
import { Glob, pathMatcher, type GlobState } from './glob.ts';

/**
 * What all searches of a commit may cost together: comparisons of a few characters, about half a second: ten patterns that begin with `**` in a repository of 100,000
 * files take less.
 */
export const MAX_WORK = 5_000_000;
const NAMES_AT_ONCE = 256;

/** More work, or more paths, than anybody means. */
export type TooMuch = 'work' | 'paths';

/**
 * Paths that a pattern of `include` matches and none of `exclude`, sorted; the root is not among folders. Folders in
 * which nothing can match are not entered.
 */
export function* matchingPaths(
  tree: FileTree,
  what: 'folders' | 'files',
  { include, exclude = [] }: AppSetPaths,
  work: Allowance,
): Paced<readonly string[] | TooMuch> {
  const globs = include.map((pattern) => new Glob(pattern));
  const isExcluded = exclude.map(pathMatcher);
  const found: string[] = [];
  const open: { readonly folder: string; readonly states: readonly GlobState[] }[] = [
    { folder: '', states: globs.map(({ start }) => start) },
  ];
  let names = 0;
  for (let at = open.pop(); at; at = open.pop()) {
    const { folder, states } = at;
    const beside = tree.filesIn(folder);
    const files = what === 'files' ? beside.map(({ path }) => path) : [];
    // A submodule is a folder whose files are not known before an App reads them.
    const closed = what === 'files' ? [] : beside.filter(({ mode }) => mode === SUBMODULE_MODE);
    const folders = [...tree.foldersIn(folder), ...closed.map(({ path }) => path)];
    for (const [i, path] of [...folders, ...files].entries()) {
      if (++names % NAMES_AT_ONCE === 0) yield;
      const name = path.slice(folder === '' ? 0 : folder.length + 1);
      if (!work.take(globs.reduce((sum, glob, g) => sum + glob.costOf(states[g] ?? [], name), 0))) return 'work';
      const next = globs.map((glob, g) => glob.after(glob.seeing(states[g] ?? [], name), name));
      const isFolder = i < folders.length;
      if (isFolder && next.some((state) => state.length > 0)) open.push({ folder: path, states: next });
      if (isFolder !== (what === 'folders') || !globs.some((glob, g) => glob.isMatch(next[g] ?? []))) continue;
      if (!work.take(exclude.length * path.length)) return 'work';
      if (isExcluded.some((matches) => matches(path))) continue;
      found.push(path);
      if (found.length > MAX_SET_ELEMENTS) return 'paths';
    }
  }
  return found.sort();
}
