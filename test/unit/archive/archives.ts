/** Archives for tests. */
import { BLOCK, padding, TYPE, writeHeader, type TarHeader } from '../../../cli/archive/tar-format.ts';

export type Entry = Partial<TarHeader> & { readonly path: string; readonly content?: string };

/** Of these entries; files where nothing else is said. */
export function archiveOf(...entries: readonly Entry[]): Buffer {
  return Buffer.concat([...entries.map(entryOf), Buffer.alloc(2 * BLOCK)]);
}

export function entryOf({ content = '', ...header }: Entry): Buffer {
  const bytes = Buffer.from(content);
  const whole = { type: TYPE.file, target: '', mode: 0o644, uid: 0, gid: 0, mtime: 0, size: bytes.length, ...header };
  return Buffer.concat([writeHeader(whole), bytes, Buffer.alloc(padding(bytes.length))]);
}

export async function* inChunks(bytes: Buffer, size = bytes.length): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
