/**
 * What a container sends, to files of this machine. Every entry may be meant to do harm: a path that leads out of the
 * target, a link for a later entry to go through, a device. Files and folders below the target are made, and nothing
 * else; an entry that would need a link to be followed is left out.
 */
import { constants } from 'node:fs';
import { lstat, mkdir, open, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { CliFailure } from '../failure.ts';
import type { TarItem } from './read-tar.ts';
import { TYPE } from './tar-format.ts';

export interface Extraction {
  /** Names in front of every path of the archive, which are taken off: what was asked for. */
  readonly top: readonly string[];
  /** What a file that was asked for itself becomes, or a folder; a file goes into a folder that is there. */
  readonly target: string;
  /** Told of what is left out. */
  readonly note: (line: string) => void;
}

const PERMISSIONS = 0o777;
const { O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_WRONLY } = constants;

/** How many files and folders were made. CliFailure for an archive of something else than was asked for. */
export async function extract(items: AsyncIterable<TarItem>, { top, target, note }: Extraction): Promise<number> {
  let made = 0;
  for await (const item of items) {
    const names = namesBelow(item.path, top);
    if (item.type === TYPE.folder) {
      if (await makeFolders(target, names)) made += 1;
      else note(`${item.path} was left out: there is something else than a folder in its place`);
    } else if (item.type === TYPE.file) {
      const why = await writeFile(item, await placeOf(target, names, item.path));
      if (why === undefined) made += 1;
      else note(`${item.path} was left out: ${why}`);
    } else {
      const isLink = item.type === TYPE.symlink || item.type === TYPE.hardLink;
      note(`${item.path} was left out: it is ${isLink ? `a link to ${item.target}` : 'neither a file nor a folder'}`);
    }
  }
  return made;
}

/** The way from the target. CliFailure for a path that is not below what was asked for. */
function namesBelow(path: string, top: readonly string[]): readonly string[] {
  const names = path.split('/').filter((name) => name !== '' && name !== '.');
  const isBelow = top.every((name, at) => names[at] === name);
  if (!isBelow || path.startsWith('/') || path.includes('\0') || names.includes('..'))
    throw new CliFailure(
      1,
      `the container sent ${JSON.stringify(path)}, which was not asked for: nothing more is taken`,
    );
  return names.slice(top.length);
}

interface Place {
  readonly root: string;
  readonly folders: readonly string[];
  readonly name: string;
}

async function placeOf(target: string, names: readonly string[], path: string): Promise<Place> {
  const name = names.at(-1);
  if (name !== undefined) return { root: target, folders: names.slice(0, -1), name };
  const isFolder = target.endsWith('/') || (await stat(target).catch(() => undefined))?.isDirectory() === true;
  return isFolder
    ? { root: target, folders: [], name: basename(path) }
    : { root: join(target, '..'), folders: [], name: basename(target) };
}

/** Why it was not written; undefined when it was. */
async function writeFile(item: TarItem, { root, folders, name }: Place): Promise<string | undefined> {
  if (!(await makeFolders(root, folders))) return 'there is something else than a folder on its way';
  const path = join(root, ...folders, name);
  // A named pipe would wait for a reader, and a link lead elsewhere.
  const flags = O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK;
  const file = await open(path, flags, item.mode & PERMISSIONS).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ELOOP' || error.code === 'EISDIR' || error.code === 'ENXIO') return undefined;
    throw error;
  });
  if (!file) return 'there is something else than a file in its place';
  try {
    if (!(await file.stat()).isFile()) return 'there is something else than a file in its place';
    await file.truncate(0);
    for await (const chunk of item.content) await file.writeFile(chunk);
    return undefined;
  } finally {
    await file.close();
  }
}

/** Those below the root are real folders afterwards, or it answers false. The root itself may be a link of the user's. */
async function makeFolders(root: string, names: readonly string[]): Promise<boolean> {
  await makeRoot(root);
  let path = root;
  for (const name of names) {
    path = join(path, name);
    const there = await lstat(path).catch(() => undefined);
    if (!there) await mkdir(path);
    else if (!there.isDirectory()) return false;
  }
  return true;
}

/** Not by `mkdir`'s `recursive`: where a folder takes no new ones and says so with ENOENT, as /proc, that never ends. */
async function makeRoot(path: string): Promise<void> {
  if (await stat(path).catch(() => undefined)) return;
  if (dirname(path) !== path) await makeRoot(dirname(path));
  await mkdir(path);
}
