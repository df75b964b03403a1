/**
 * The inflated size of an object without inflating it: from the header of a loose object, or from the entry header of a
 * pack. Source: gitformat-pack(5): index version 2, pack entries, OFS_DELTA and REF_DELTA.
 */
import { open, readdir, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { constants, inflate } from 'node:zlib';

const HEAD_BYTES = 256;
const IDX_HEADER = 8;
const FANOUT_BYTES = 1024;
const OFS_DELTA = 6;
const REF_DELTA = 7;

/**
 * Size in bytes of the object `oid` in `gitdir`, or undefined where neither a loose file nor a pack holds it. Rejects
 * for a file that is damaged, as a power cut leaves them: empty, or cut off.
 */
export async function objectSize(gitdir: string, oid: string): Promise<number | undefined> {
  return (await looseSize(gitdir, oid)) ?? (await packedSize(gitdir, oid));
}

async function withFile<T>(path: string, use: (file: FileHandle) => Promise<T>): Promise<T | undefined> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}

const inflated = promisify<Buffer, object, Buffer>(inflate);

/**
 * The first bytes of a zlib stream of which only the beginning is at hand; none where not even one byte of it is whole.
 */
async function inflateStart(deflated: Buffer): Promise<Buffer> {
  return inflated(deflated, { finishFlush: constants.Z_SYNC_FLUSH });
}

async function looseSize(gitdir: string, oid: string): Promise<number | undefined> {
  return withFile(join(gitdir, 'objects', oid.slice(0, 2), oid.slice(2)), async (file) => {
    const header = (await inflateStart(await readAt(file, 0, HEAD_BYTES))).toString('latin1', 0, HEAD_BYTES);
    const match = /^[a-z]+ (\d+)\0/.exec(header);
    if (!match) throw new RangeError('its file is empty or cut off');
    return Number(match[1]);
  });
}

async function packedSize(gitdir: string, oid: string): Promise<number | undefined> {
  const folder = join(gitdir, 'objects', 'pack');
  const names = await readdir(folder).catch(() => []);
  for (const name of names.filter((n) => n.endsWith('.idx'))) {
    const offset = await withFile(join(folder, name), (file) => packOffset(file, oid));
    if (offset === undefined) continue;
    const size = await withFile(join(folder, name.replace(/\.idx$/, '.pack')), (file) => entrySize(file, offset));
    if (size !== undefined) return size;
  }
  return undefined;
}

/** Where the object is in the pack, by binary search of the index. */
async function packOffset(file: FileHandle, oid: string): Promise<number | undefined> {
  const header = await readAt(file, 0, IDX_HEADER + FANOUT_BYTES);
  if (
    header.length < IDX_HEADER + FANOUT_BYTES ||
    header.readUInt32BE(0) !== 0xff744f63 ||
    header.readUInt32BE(4) !== 2
  )
    return undefined;
  const fanout = (slot: number): number => (slot < 0 ? 0 : header.readUInt32BE(IDX_HEADER + 4 * slot));
  const wanted = Buffer.from(oid, 'hex');
  const total = fanout(255);
  const names = IDX_HEADER + FANOUT_BYTES;
  let low = fanout(wanted[0]! - 1);
  let high = fanout(wanted[0]!);
  while (low < high) {
    const middle = (low + high) >>> 1;
    const order = wanted.compare(await readAt(file, names + 20 * middle, 20));
    if (order === 0) return offsetOf(file, names + 24 * total, middle, total);
    if (order < 0) high = middle;
    else low = middle + 1;
  }
  return undefined;
}

async function offsetOf(file: FileHandle, table: number, index: number, total: number): Promise<number> {
  const small = (await readAt(file, table + 4 * index, 4)).readUInt32BE(0);
  if (small < 0x80000000) return small;
  return Number((await readAt(file, table + 4 * total + 8 * (small - 0x80000000), 8)).readBigUInt64BE(0));
}

/** The size that an entry inflates to; a delta tells the size of its result in its own first bytes. */
async function entrySize(file: FileHandle, offset: number): Promise<number | undefined> {
  const bytes = await readAt(file, offset, HEAD_BYTES);
  const first = bytes[0];
  if (first === undefined) throw new RangeError('its pack is cut off');
  const type = (first >> 4) & 7;
  let size = first & 15;
  let scale = 16;
  let at = 1;
  for (let byte = first; byte & 0x80; at++) {
    byte = byteAt(bytes, at);
    size += (byte & 0x7f) * scale;
    scale *= 128;
  }
  if (type === REF_DELTA) return deltaResultSize(bytes.subarray(at + 20));
  if (type !== OFS_DELTA) return size;
  while (byteAt(bytes, at) & 0x80) at++;
  return deltaResultSize(bytes.subarray(at + 1));
}

async function deltaResultSize(deflated: Buffer): Promise<number> {
  const delta = await inflateStart(deflated);
  const [, afterBase] = varint(delta, 0);
  return varint(delta, afterBase)[0];
}

function byteAt(bytes: Buffer, at: number): number {
  const byte = bytes[at];
  if (byte === undefined) throw new RangeError('its pack is cut off');
  return byte;
}

function varint(bytes: Buffer, from: number): [value: number, next: number] {
  let value = 0;
  let scale = 1;
  for (let at = from; ; at++) {
    const byte = byteAt(bytes, at);
    value += (byte & 0x7f) * scale;
    scale *= 128;
    if (!(byte & 0x80)) return [value, at + 1];
  }
}
