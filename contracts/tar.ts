/**
 * Writes POSIX ustar archives: the same entries always give the same bytes. Pure. Source: IEEE Std 1003.1, pax, "ustar
 * Interchange Format".
 */

export type TarEntry =
  | { readonly type: 'file'; readonly path: string; readonly mode: number; readonly content: Uint8Array }
  | { readonly type: 'folder'; readonly path: string; readonly mode: number }
  | { readonly type: 'symlink'; readonly path: string; readonly target: string };

const BLOCK = 512;
const TYPE_FLAG = { file: '0', symlink: '2', folder: '5' } as const;

/**
 * An archive of `entries` in the given order, all owned by root and dated 1970. Throws RangeError for a path or link
 * over 100 bytes.
 */
export function tar(entries: readonly TarEntry[]): Buffer {
  const parts: Buffer[] = [];
  for (const entry of entries) {
    const content = entry.type === 'file' ? Buffer.from(entry.content) : Buffer.alloc(0);
    parts.push(header(entry, content.length), content, Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK));
  }
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}

function header(entry: TarEntry, size: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  text(block, 0, 100, entry.type === 'folder' ? `${entry.path}/` : entry.path);
  octal(block, 100, 8, entry.type === 'symlink' ? 0o777 : entry.mode);
  octal(block, 108, 8, 0);
  octal(block, 116, 8, 0);
  octal(block, 124, 12, size);
  octal(block, 136, 12, 0);
  block.write(TYPE_FLAG[entry.type], 156, 'latin1');
  if (entry.type === 'symlink') text(block, 157, 100, entry.target);
  block.write('ustar\x0000', 257, 'latin1');
  text(block, 265, 32, 'root');
  text(block, 297, 32, 'root');
  block.fill(' ', 148, 156);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

function text(block: Buffer, offset: number, room: number, value: string): void {
  if (Buffer.byteLength(value) > room) throw new RangeError(`too long for a ustar header (${room} bytes): ${value}`);
  block.write(value, offset, 'utf8');
}

function octal(block: Buffer, offset: number, room: number, value: number): void {
  block.write(`${value.toString(8).padStart(room - 1, '0')}\0`, offset, 'latin1');
}
