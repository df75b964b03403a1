/** All files of a commit, reading each tree object once in the life of the walker: equal ids are equal trees. */
import { TerminalError } from '../../core/errors.ts';
import type { TreeFile } from '../../ports/git-source.ts';
import { missing, type ObjectEngine } from './engine.ts';
import { parseTree, type TreeEntry } from './raw-objects.ts';

const DIRECTORY = '040000';

/** Beyond these a tree is taken for an attack: a few objects can describe billions of paths. */
export const TREE_LIMITS = {
  files: 200_000,
  /** Trees without a file can nest as widely as those with. */
  folders: 50_000,
  depth: 64,
  /** Of one tree object. An entry has about 40 bytes. */
  treeBytes: 8 * 1024 * 1024,
  /** Of all paths together, in UTF-16 code units: the same long folder names may stand before every file. */
  pathChars: 16 * 1024 * 1024,
} as const;

/** Tree objects kept, by their entries. */
const MAX_KEPT_ENTRIES = 500_000;

export type TreeWalk = (tree: string, signal: AbortSignal) => Promise<readonly TreeFile[]>;

/**
 * Throws TerminalError `TreeTooLarge`, which names the limit and the folder where it was passed, or `TreeInvalid`;
 * RetryableError `ObjectMissing` and `ObjectUnreadable`. The result is sorted by path, in UTF-16 code unit order. Work
 * is bounded by the limits, not by how many paths the trees describe.
 */
export function createTreeWalk(engine: ObjectEngine): TreeWalk {
  const known = new Map<string, readonly TreeEntry[]>();
  let kept = 0;

  async function entriesOf(oid: string, at: string, signal: AbortSignal): Promise<readonly TreeEntry[]> {
    const before = known.get(oid);
    if (before) return before;
    const size = await engine.size(oid, signal);
    if (size === undefined) throw missing('tree', oid);
    if (size > TREE_LIMITS.treeBytes)
      throw tooLarge(at, `is a tree object of ${size} bytes, more than ${TREE_LIMITS.treeBytes}`);
    const object = await engine.read(oid, signal);
    if (!object) throw missing('tree', oid);
    const entries = parsed(object.type === 'tree' ? object.content : undefined, oid, at);
    if (kept + entries.length > MAX_KEPT_ENTRIES) {
      known.clear();
      kept = 0;
    }
    known.set(oid, entries);
    kept += entries.length;
    return entries;
  }

  return async (tree, signal) => {
    const files: TreeFile[] = [];
    let folders = 0;
    let pathChars = 0;
    async function walk(oid: string, prefix: string, depth: number): Promise<void> {
      if (depth > TREE_LIMITS.depth) throw tooLarge(prefix, `is nested more than ${TREE_LIMITS.depth} folders deep`);
      if (++folders > TREE_LIMITS.folders)
        throw tooLarge(prefix, `is beyond ${TREE_LIMITS.folders} folders in one commit`);
      for (const entry of await entriesOf(oid, prefix, signal)) {
        const path = `${prefix}${entry.name}`;
        if (entry.mode === DIRECTORY) {
          await walk(entry.oid, `${path}/`, depth + 1);
          continue;
        }
        pathChars += path.length;
        if (pathChars > TREE_LIMITS.pathChars)
          throw tooLarge(
            path,
            `is where the commit's paths have more than ${TREE_LIMITS.pathChars} characters together`,
          );
        if (files.length >= TREE_LIMITS.files)
          throw tooLarge(path, `is beyond ${TREE_LIMITS.files} files in one commit`);
        files.push({ path, oid: entry.oid, mode: entry.mode });
      }
    }
    await walk(tree, '', 0);
    return files.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  };
}

function parsed(content: Buffer | undefined, oid: string, at: string): readonly TreeEntry[] {
  try {
    if (content) return parseTree(content);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  throw new TerminalError(
    'TreeInvalid',
    `${placeOf(at)} has object ${oid} for a folder, which is no tree: make the commit anew with git`,
  );
}

function tooLarge(at: string, what: string): TerminalError {
  return new TerminalError('TreeTooLarge', `${placeOf(at)} ${what}: keep manifests in a repository of their own`);
}

/** Where in the commit, short enough for a message. */
function placeOf(path: string): string {
  if (path === '') return "the commit's root";
  return path.length > MAX_SHOWN_PATH ? `${path.slice(0, MAX_SHOWN_PATH)}...` : path;
}

const MAX_SHOWN_PATH = 120;
