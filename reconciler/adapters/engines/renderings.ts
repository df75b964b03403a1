/** What engines made, on disk, by what it was made of. Bounded; the one that was not asked for longest goes first. */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deflateRaw, inflateRaw } from 'node:zlib';
import { promisify } from 'node:util';
import { shrink } from './bounded-folder.ts';

const DIGEST_BYTES = 32;
/** Of one rendering, unpacked. */
const MAX_BYTES = 64 * 1024 * 1024;

export class Renderings {
  readonly #dir: string;
  readonly #maxBytes: number;
  /** What is written between two looks at how much there is. */
  #written = Number.POSITIVE_INFINITY;

  constructor(dir: string, maxBytes = 256 * 1024 * 1024) {
    this.#dir = dir;
    this.#maxBytes = maxBytes;
  }

  /** Undefined where nothing is kept under the key, or where it is damaged: then it is removed. */
  async get(key: string): Promise<Uint8Array | undefined> {
    const path = join(this.#dir, key);
    const kept = await readFile(path).catch(() => undefined);
    if (!kept) return undefined;
    const packed = kept.subarray(DIGEST_BYTES);
    if (!digest(key, packed).equals(kept.subarray(0, DIGEST_BYTES))) {
      await rm(path, { force: true });
      return undefined;
    }
    const now = new Date();
    await utimes(path, now, now).catch(() => undefined);
    return promisify(inflateRaw)(packed, { maxOutputLength: MAX_BYTES });
  }

  /** Whole or not at all, whoever else writes or reads it. A full or read-only disk only costs the next rendering. */
  async set(key: string, value: Uint8Array): Promise<void> {
    if (value.byteLength > MAX_BYTES) return;
    const packed = await promisify(deflateRaw)(value, { level: 1 });
    const fresh = join(this.#dir, `${key}.${randomUUID()}`);
    try {
      await mkdir(this.#dir, { recursive: true, mode: 0o700 });
      await writeFile(fresh, Buffer.concat([digest(key, packed), packed]), { mode: 0o600 });
      await rename(fresh, join(this.#dir, key));
      this.#written += packed.byteLength;
      if (this.#written > this.#maxBytes / 16) {
        this.#written = 0;
        await shrink(this.#dir, this.#maxBytes);
      }
    } catch {
      await rm(fresh, { force: true }).catch(() => undefined);
    }
  }
}

/** The key goes in: a file that lies under another name is damaged. */
function digest(key: string, packed: Uint8Array): Buffer {
  return createHash('sha256').update(key).update('\0').update(packed).digest();
}
