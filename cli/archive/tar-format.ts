/**
 * A header block of a tar archive. Written are ustar headers with GNU's long names and large numbers, which GNU tar,
 * busybox and bsdtar read; read are also those of pax. Sources: IEEE Std 1003.1, pax, "ustar Interchange Format"; GNU
 * tar manual, "Basic Tar Format" and "Extensions to the Archive Format".
 */

export const BLOCK = 512;
const NAME_BYTES = 100;

/** The byte that says what an entry is. */
export const TYPE = {
  file: '0',
  hardLink: '1',
  symlink: '2',
  folder: '5',
  gnuLongTarget: 'K',
  gnuLongName: 'L',
  pax: 'x',
  paxGlobal: 'g',
} as const;

export interface TarHeader {
  readonly type: string;
  readonly path: string;
  /** Of a link. */
  readonly target: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Of the content behind it, bytes. */
  readonly size: number;
  /** Whole seconds since 1970. */
  readonly mtime: number;
}

/** The archive is none, or was cut off. */
export class TarError extends Error {}

/** How many bytes fill the last block of a content. */
export function padding(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}

/** A header, with those in front of it that long names need. */
export function writeHeader(header: TarHeader): Buffer {
  const long = (type: string, text: string): readonly Buffer[] => {
    if (Buffer.byteLength(text) <= NAME_BYTES) return [];
    const content = Buffer.from(`${text}\0`);
    const { size: _, ...rest } = { ...header, type, path: '././@LongLink', target: '' };
    return [block({ ...rest, size: content.length }), content, Buffer.alloc(padding(content.length))];
  };
  return Buffer.concat([
    ...long(TYPE.gnuLongTarget, header.target),
    ...long(TYPE.gnuLongName, header.path),
    block(header),
  ]);
}

function block({ type, path, target, mode, uid, gid, size, mtime }: TarHeader): Buffer {
  const bytes = Buffer.alloc(BLOCK);
  Buffer.from(path).copy(bytes, 0, 0, NAME_BYTES);
  writeNumber(bytes, 100, 8, mode & 0o7777);
  writeNumber(bytes, 108, 8, uid);
  writeNumber(bytes, 116, 8, gid);
  writeNumber(bytes, 124, 12, size);
  writeNumber(bytes, 136, 12, Math.max(0, Math.floor(mtime)));
  bytes.write(type, 156, 'latin1');
  Buffer.from(target).copy(bytes, 157, 0, NAME_BYTES);
  bytes.write('ustar\x0000', 257, 'latin1');
  bytes.write(`${sumOf(bytes).toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return bytes;
}

/** Undefined for a block of zeros: the end. Throws {@link TarError} for what is no header. */
export function readHeader(bytes: Buffer): TarHeader | undefined {
  if (bytes.every((byte) => byte === 0)) return undefined;
  if (readNumber(bytes, 148, 8) !== sumOf(bytes)) throw new TarError('this is no tar archive, or a damaged one');
  const name = textAt(bytes, 0, NAME_BYTES);
  // GNU has other things where ustar has the beginning of a long name.
  const prefix = bytes.toString('latin1', 257, 263) === 'ustar\0' ? textAt(bytes, 345, 155) : '';
  const type = String.fromCharCode(bytes[156] ?? 0);
  return {
    type: type === '\0' || type === '7' ? TYPE.file : type,
    path: prefix === '' ? name : `${prefix}/${name}`,
    target: textAt(bytes, 157, NAME_BYTES),
    mode: readNumber(bytes, 100, 8),
    uid: readNumber(bytes, 108, 8),
    gid: readNumber(bytes, 116, 8),
    size: readNumber(bytes, 124, 12),
    mtime: readNumber(bytes, 136, 12),
  };
}

/** With the sum's own field taken for blanks. */
function sumOf(bytes: Buffer): number {
  let sum = 8 * 0x20;
  for (const [at, byte] of bytes.entries()) if (at < 148 || at >= 156) sum += byte;
  return sum;
}

function textAt(bytes: Buffer, offset: number, room: number): string {
  const field = bytes.subarray(offset, offset + room);
  const end = field.indexOf(0);
  return field.toString('utf8', 0, end < 0 ? room : end);
}

/** Octal, or in base 256 what that has no room for. */
function writeNumber(bytes: Buffer, offset: number, room: number, value: number): void {
  const octal = value.toString(8).padStart(room - 1, '0');
  if (octal.length < room) {
    bytes.write(`${octal}\0`, offset, 'latin1');
    return;
  }
  bytes[offset] = 0x80;
  for (let at = offset + room - 1, rest = value; at > offset; at -= 1, rest = Math.floor(rest / 256))
    bytes[at] = rest % 256;
}

function readNumber(bytes: Buffer, offset: number, room: number): number {
  const field = bytes.subarray(offset, offset + room);
  const first = field[0] ?? 0;
  const value =
    (first & 0x80) === 0
      ? octalNumber(field.toString('latin1'))
      : field.subarray(1).reduce((sum, byte) => sum * 256 + byte, first & 0x7f);
  if (!Number.isSafeInteger(value)) throw new TarError('a number in the archive is too large');
  return value;
}

function octalNumber(text: string): number {
  const digits = /^[ \0]*([0-7]*)[ \0]*$/.exec(text)?.[1];
  if (digits === undefined) throw new TarError('this is no tar archive, or a damaged one');
  return digits === '' ? 0 : Number.parseInt(digits, 8);
}
