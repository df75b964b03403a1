/** All files of a commit, reading each tree object once in the life of the walker: equal ids are equal trees. */
import { TerminalError } from '../../core/errors.ts';
import type { TreeFile } from '../../ports/git-source.ts';
import type { ObjectEngine } from './engine.ts';
import { parseTree } from './raw-objects.ts';

const DIRECTORY = '040000';
/** Beyond these a tree is taken for an attack (a few objects can describe billions of paths). */
const MAX_FILES = 200_000;
const MAX_DEPTH = 100;
const MAX_CACHED_FILES = 500_000;

export type TreeWalk = (tree: string, signal: AbortSignal) => Promise<readonly TreeFile[]>;

/** Throws TerminalError `TreeTooLarge` or `ObjectMissing`. The result is sorted by path, in UTF-16 code unit order. */
export function createTreeWalk(engine: ObjectEngine): TreeWalk {
  const known = new Map<string, readonly TreeFile[]>();
  let cached = 0;

  function remember(oid: string, files: readonly TreeFile[]): void {
    if (cached + files.length > MAX_CACHED_FILES) {
      known.clear();
      cached = 0;
    }
    known.set(oid, files);
    cached += files.length;
  }

  async function walk(oid: string, depth: number, signal: AbortSignal): Promise<readonly TreeFile[]> {
    const before = known.get(oid);
    if (before) return before;
    if (depth > MAX_DEPTH) throw new TerminalError('TreeTooLarge', `the commit's folders are nested more than ${MAX_DEPTH} deep: flatten them`);
    const object = await engine.read(oid, signal);
    if (object?.type !== 'tree') throw new TerminalError('ObjectMissing', `tree ${oid} is missing from the repository: run \`git fsck\` there`);
    const files: TreeFile[] = [];
    for (const entry of parseTree(object.content)) {
      if (entry.mode !== DIRECTORY) {
        files.push({ path: entry.name, oid: entry.oid, mode: entry.mode });
      } else {
        for (const file of await walk(entry.oid, depth + 1, signal)) files.push({ ...file, path: `${entry.name}/${file.path}` });
      }
      if (files.length > MAX_FILES) throw new TerminalError('TreeTooLarge', `the commit has more than ${MAX_FILES} files: keep manifests in a repository of their own`);
    }
    remember(oid, files);
    return files;
  }

  return async (tree, signal) => (await walk(tree, 0, signal)).toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}
