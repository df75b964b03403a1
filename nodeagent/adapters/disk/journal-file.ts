/**
 * Lines in a file that was given its blocks before they are needed. Behind the last line the file is zeros, and a line
 * is written over them: on a full disk there is room until the zeros are used up. (A file system that writes elsewhere
 * instead of in place, such as btrfs, promises less.) A line counts when its end is there: what a power cut or a full
 * disk tore is not a line.
 */
import { open, writeFile, type FileHandle } from 'node:fs/promises';
import { constants } from 'node:fs';
import { writeAll } from './durable.ts';

/** Zeros kept behind the last line while the disk has room. */
export const RESERVE_BYTES = 1024 * 1024;
/** The file grows by at least this, so that not every line makes it grow. */
const GROWTH_BYTES = 256 * 1024;
const OWNER_ONLY = 0o600;
const ZEROS = Buffer.alloc(64 * 1024);
const LINE_END = 0x0a;

export interface JournalFile {
  /** Bytes of lines. */
  readonly bytes: number;
  /**
   * Hands each line to `take`, the oldest first, until one is refused. A refused line and what is behind it are put
   * aside in `PATH.damaged` where there is room, and wiped. Call once, before anything else.
   */
  load(take: (line: string) => boolean): Promise<void>;
  /** Resolves when the line would survive a power cut. When it rejects, the journal is as it was. */
  append(line: string): Promise<void>;
  /** Takes room for the reserve; false when `line` would have to be written into what there is of it. */
  hasRoom(line: string): Promise<boolean>;
  /** Drops all lines; keeps the room. */
  clear(): Promise<void>;
  close(): Promise<void>;
}

export function journalFile(path: string): JournalFile {
  let file: FileHandle | undefined;
  let bytes = 0;
  let allocated = 0;
  /** Something other than zeros may be behind the last line. */
  let dirty = false;

  async function opened(): Promise<FileHandle> {
    file ??= await open(path, constants.O_RDWR | constants.O_CREAT, OWNER_ONLY);
    return file;
  }

  async function wipe(): Promise<void> {
    const to = await opened();
    await to.truncate(allocated);
    await writeZeros(to, bytes, allocated);
    await to.datasync();
    dirty = false;
  }

  async function grow(size: number): Promise<void> {
    const to = await opened();
    try {
      await writeZeros(to, allocated, size);
      await to.datasync();
      allocated = size;
    } catch (cause) {
      await to.truncate(allocated).catch(() => {
        dirty = true;
      });
      throw cause;
    }
  }

  async function keepReserve(lineBytes: number): Promise<boolean> {
    const wanted = bytes + lineBytes + RESERVE_BYTES;
    if (allocated >= wanted) return true;
    return grow(wanted + GROWTH_BYTES).then(
      () => true,
      () => false,
    );
  }

  return {
    get bytes() {
      return bytes;
    },

    async load(take) {
      const from = await opened();
      const content = await from.readFile();
      allocated = content.length;
      for (let end = content.indexOf(LINE_END); end >= 0; end = content.indexOf(LINE_END, bytes)) {
        if (!take(content.toString('utf8', bytes, end))) break;
        bytes = end + 1;
      }
      const rest = content.subarray(bytes);
      dirty = rest.some((byte) => byte !== 0);
      // A tail without an end was cut off before it was acknowledged; anything else is for a person to look at.
      if (dirty && rest.includes(LINE_END))
        await writeFile(`${path}.damaged`, rest, { mode: OWNER_ONLY }).catch(() => undefined);
      // A disk that refuses this now is asked again before the next line.
      if (dirty) await wipe().catch(() => undefined);
      await keepReserve(0);
    },

    async append(line) {
      const to = await opened();
      if (dirty) await wipe();
      const text = Buffer.from(`${line}\n`);
      await keepReserve(text.length);
      try {
        await writeAll(to, text, bytes);
        await to.datasync();
      } catch (cause) {
        dirty = true;
        await wipe().catch(() => undefined);
        throw cause;
      }
      bytes += text.length;
      allocated = Math.max(allocated, bytes);
    },

    hasRoom: (line) => keepReserve(Buffer.byteLength(line) + 1),

    async clear() {
      bytes = 0;
      dirty = true;
      await wipe();
    },

    async close() {
      await file?.close();
      file = undefined;
    },
  };
}

async function writeZeros(file: FileHandle, from: number, to: number): Promise<void> {
  for (let at = from; at < to; at += ZEROS.length)
    await writeAll(file, ZEROS.subarray(0, Math.min(ZEROS.length, to - at)), at);
}
