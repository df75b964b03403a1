/** Tree objects from a list of files, byte for byte as Git makes them. Source: gitformat-pack(5); git's tree.c, order of names. */
import { createHash } from 'node:crypto';
import { TerminalError } from '../../core/errors.ts';
import type { Paced } from '../../core/paced.ts';

export interface FileEntry {
  /** Six digits. */
  readonly mode: string;
  readonly oid: string;
}

export interface BuiltTree {
  readonly root: string;
  /** All tree objects by id. */
  readonly trees: ReadonlyMap<string, Buffer>;
}

type Folder = Map<string, FileEntry | Folder>;

/**
 * TerminalError `TreeInvalid` where a path is a file and a folder at once, or one that Git takes for none. Source: git's
 * read-cache.c, verify_path.
 */
export function* buildTree(files: ReadonlyMap<string, FileEntry>): Paced<BuiltTree> {
  const root: Folder = new Map();
  for (const [path, entry] of files) {
    yield;
    const names = path.split('/');
    const last = names.pop() ?? '';
    let folder = root;
    for (const name of names) {
      const next = folder.get(checked(name, path)) ?? new Map<string, FileEntry | Folder>();
      if (!(next instanceof Map)) throw invalid(path, 'lies in a file');
      folder.set(name, next);
      folder = next;
    }
    if (folder.has(checked(last, path))) throw invalid(path, 'is a folder too');
    folder.set(last, entry);
  }
  const trees = new Map<string, Buffer>();
  return { root: yield* write(root, trees), trees };
}

function checked(name: string, path: string): string {
  if (name === '' || name === '.' || name === '..' || name.toLowerCase() === '.git' || name.includes('\0'))
    throw invalid(path, 'is no path in a repository');
  return name;
}

function invalid(path: string, why: string): TerminalError {
  return new TerminalError('TreeInvalid', `${JSON.stringify(path)} ${why}: it cannot be written`);
}

/** Of all folders below as well. Texts have a byte in each character here, in whose order Git sorts. */
function* write(folder: Folder, trees: Map<string, Buffer>): Paced<string> {
  const entries: { readonly order: string; readonly text: string }[] = [];
  for (const [name, entry] of folder) {
    yield;
    const bytes = Buffer.from(name, 'utf8').toString('latin1');
    const isFolder = entry instanceof Map;
    const { mode, oid } = isFolder ? { mode: '40000', oid: yield* write(entry, trees) } : entry;
    const id = Buffer.from(oid, 'hex').toString('latin1');
    entries.push({ order: isFolder ? `${bytes}/` : bytes, text: `${mode} ${bytes}\0${id}` });
  }
  entries.sort((a, b) => (a.order < b.order ? -1 : 1));
  yield;
  const content = Buffer.from(entries.map(({ text }) => text).join(''), 'latin1');
  const oid = createHash('sha1').update(`tree ${content.length}\0`).update(content).digest('hex');
  trees.set(oid, content);
  return oid;
}
