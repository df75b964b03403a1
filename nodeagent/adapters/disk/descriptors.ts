/**
 * Files and folders that a container may change at the same time. Each part of a path is opened below the descriptor of
 * the part before it and no link is followed: what was looked at is what is used, whatever takes its name meanwhile.
 * Node has no openat(2); `/proc/self/fd/N/NAME` resolves the same way. Source: open(2), proc(5); Kubernetes'
 * pkg/volume/util/subpath.
 */
import { constants } from 'node:fs';
import { chmod, mkdir, open, opendir, readFile, realpath, type FileHandle } from 'node:fs/promises';
import { join, relative } from 'node:path';

/**
 * Linux' O_PATH, which Node does not name: a place in the tree, opened without what an open of a FIFO or a device would
 * do.
 */
const O_PATH = 0o10_000_000;
const PLACE = O_PATH | constants.O_NOFOLLOW;
const FOLDER = PLACE | constants.O_DIRECTORY;
const MODE_BITS = 0o7777;
/** Parts of one path below a volume. */
const MAX_PARTS = 256;

/**
 * The path of an open descriptor, or of a name below it. Links in `name` are not protected against: open it with
 * `openPlace`.
 */
export function pathOf(handle: FileHandle, name?: string): string {
  return `/proc/self/fd/${handle.fd}${name === undefined ? '' : `/${name}`}`;
}

/** What is at a path, itself where it is a link. */
export function openPlace(path: string): Promise<FileHandle> {
  return open(path, PLACE);
}

/** ENOTDIR or ELOOP where it is no folder, as a link to one is not. */
export function openFolder(path: string): Promise<FileHandle> {
  return open(path, FOLDER);
}

/** Number of the mount that it is on: two places of one file system may be on two. Source: proc(5), fdinfo. */
export async function mountOf(handle: FileHandle): Promise<string> {
  return /^mnt_id:\s*(\d+)/m.exec(await readFile(`/proc/self/fdinfo/${handle.fd}`, 'utf8'))?.[1] ?? '';
}

/** For reading, if it is a regular file; undefined where it is something else or nothing. Never waits for a writer. */
export async function openRegular(path: string): Promise<FileHandle | undefined> {
  const place = await openPlace(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return undefined;
    throw cause;
  });
  if (!place) return undefined;
  try {
    return (await place.stat()).isFile() ? await open(pathOf(place), 'r') : undefined;
  } finally {
    await place.close();
  }
}

/** The first `bytes` of a regular file; undefined where there is none. */
export async function readBeginning(path: string, bytes: number): Promise<Buffer | undefined> {
  const file = await openRegular(path);
  if (!file) return undefined;
  try {
    const buffer = Buffer.alloc(bytes);
    return buffer.subarray(0, (await file.read(buffer, 0, bytes, 0)).bytesRead);
  } finally {
    await file.close();
  }
}

/** The last `bytes` of a regular file, however long it is; empty where there is none. */
export async function readEnd(path: string, bytes: number): Promise<Buffer> {
  const file = await openRegular(path);
  if (!file) return Buffer.alloc(0);
  try {
    const { size } = await file.stat();
    const buffer = Buffer.alloc(Math.min(size, bytes));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, Math.max(0, size - bytes));
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/**
 * Opens `subPath` of a volume; folders that are missing are made, with the volume's own mode. Links may lead about
 * within the volume, as those of ConfigMap volumes do. Throws an Error where one leads out of it.
 */
export async function openSubPath(volume: string, subPath: string): Promise<FileHandle> {
  const root = await realpath(volume);
  const parts = subPath.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.length > MAX_PARTS || parts.includes('..')) throw new Error(`subPath ${subPath} leaves its volume`);
  const { found, missing } = await existingPart(root, parts);
  const within = relative(root, found)
    .split('/')
    .filter((part) => part !== '');
  if (within[0] === '..') throw new Error(`subPath ${subPath} leaves its volume`);
  let place = await openFolder(root);
  try {
    const mode = (await place.stat()).mode & MODE_BITS;
    // The names were free of links when they were resolved; one that is a link by now is refused.
    for (const part of within) place = await step(place, part, subPath);
    for (const part of missing) {
      await mkdir(pathOf(place, part), { mode });
      place = await step(place, part, subPath);
      // mkdir leaves out what the umask says. What the container put in its place meanwhile keeps its mode.
      if (await isMadeByUs(place)) await chmod(pathOf(place), mode);
    }
    return place;
  } catch (cause) {
    await place.close();
    throw cause;
  }
}

/** The longest part of the path that is there, its links resolved, and what comes after it. */
async function existingPart(
  root: string,
  parts: readonly string[],
): Promise<{ found: string; missing: readonly string[] }> {
  for (let length = parts.length; length > 0; length -= 1) {
    const found = await realpath(join(root, ...parts.slice(0, length))).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code === 'ENOENT') return undefined;
      throw cause;
    });
    if (found !== undefined) return { found, missing: parts.slice(length) };
  }
  return { found: root, missing: parts };
}

/** Whether it is what mkdir makes: an empty folder of ours. */
async function isMadeByUs(place: FileHandle): Promise<boolean> {
  const { uid, mode } = await place.stat();
  if ((mode & constants.S_IFMT) !== constants.S_IFDIR || uid !== process.geteuid?.()) return false;
  const entries = await opendir(pathOf(place));
  try {
    return (await entries.read()) === null;
  } finally {
    await entries.close();
  }
}

async function step(from: FileHandle, name: string, subPath: string): Promise<FileHandle> {
  const next = await openPlace(pathOf(from, name));
  if ((await next.stat()).isSymbolicLink()) {
    await next.close();
    throw new Error(`subPath ${subPath} leaves its volume`);
  }
  await from.close();
  return next;
}
