/** Writes and reads DER, as much as certificates need. Source: ITU-T X.690. */

const SEQUENCE = 0x30;
const SET = 0x31;
const MOST_DEPTH_BYTES = 4;

export const NULL = tlv(0x05, Buffer.alloc(0));

/** A value with its tag and length. */
export function tlv(tag: number, content: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([tag]), length(content.length), content]);
}

export function sequence(...parts: readonly Uint8Array[]): Buffer {
  return tlv(SEQUENCE, Buffer.concat(parts));
}

/** Of one member: more would have to be in order. */
export function setOf(member: Uint8Array): Buffer {
  return tlv(SET, member);
}

export function boolean(value: boolean): Buffer {
  return tlv(0x01, Buffer.from([value ? 0xff : 0]));
}

/** Not negative; `bytes` are big-endian. */
export function integer(bytes: Uint8Array): Buffer {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start += 1;
  const rest = bytes.subarray(start);
  const isHigh = (rest[0] ?? 0) >= 0x80;
  return tlv(0x02, isHigh ? Buffer.concat([Buffer.from([0]), rest]) : rest.length === 0 ? Buffer.from([0]) : rest);
}

export function bitString(bytes: Uint8Array, unusedBits = 0): Buffer {
  return tlv(0x03, Buffer.concat([Buffer.from([unusedBits]), bytes]));
}

/** Bits by their number, 0 the first, without trailing zeros. */
export function namedBits(bits: readonly number[]): Buffer {
  const last = Math.max(-1, ...bits);
  if (last < 0) return bitString(Buffer.alloc(0));
  const bytes = Buffer.alloc(Math.floor(last / 8) + 1);
  for (const bit of bits) bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) | (0x80 >> (bit & 7));
  return bitString(bytes, 7 - (last & 7));
}

export function octetString(bytes: Uint8Array): Buffer {
  return tlv(0x04, bytes);
}

/** A text of letters that all know, or else UTF-8. */
export function text(value: string): Buffer {
  const isPrintable = /^[A-Za-z0-9 '()+,\-./:=?]*$/.test(value);
  return tlv(isPrintable ? 0x13 : 0x0c, Buffer.from(value, 'utf8'));
}

/** `1.2.840.113549.1.1.11`. */
export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return tlv(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

/** To the second: UTCTime until 2049, GeneralizedTime from then on. Source: RFC 5280, 4.1.2.5. */
export function time(date: Date): Buffer {
  const digits = date
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replaceAll(/[-:T]/g, '');
  const isEarly = date.getUTCFullYear() < 2050;
  return tlv(isEarly ? 0x17 : 0x18, Buffer.from(isEarly ? digits.slice(2) : digits, 'ascii'));
}

/** A field by its number: `[n]`. */
export function tagged(number: number, content: Uint8Array, isConstructed: boolean): Buffer {
  return tlv((isConstructed ? 0xa0 : 0x80) | number, content);
}

export interface Element {
  readonly tag: number;
  readonly content: Buffer;
  /** With tag and length. */
  readonly whole: Buffer;
}

/** Throws RangeError for what is no DER. */
export function elements(bytes: Buffer): readonly Element[] {
  const found: Element[] = [];
  for (let at = 0; at < bytes.length;) {
    const one = elementAt(bytes, at);
    found.push(one);
    at += one.whole.length;
  }
  return found;
}

function elementAt(bytes: Buffer, at: number): Element {
  const tag = bytes[at];
  const short = bytes[at + 1];
  if (tag === undefined || short === undefined) throw new RangeError('DER ends in the middle');
  let begin = at + 2;
  let size = short;
  if (short >= 0x80) {
    const count = short & 0x7f;
    if (count === 0 || count > MOST_DEPTH_BYTES) throw new RangeError('DER of no length');
    if (begin + count > bytes.length) throw new RangeError('DER ends in the middle');
    size = bytes.readUIntBE(begin, count);
    begin += count;
  }
  if (begin + size > bytes.length) throw new RangeError('DER ends in the middle');
  return { tag, content: bytes.subarray(begin, begin + size), whole: bytes.subarray(at, begin + size) };
}

function length(size: number): Buffer {
  if (size < 0x80) return Buffer.from([size]);
  const bytes: number[] = [];
  for (let rest = size; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return Buffer.from([0x80 | bytes.length, ...bytes]);
}

function base128(arc: number): readonly number[] {
  const bytes = [arc % 128];
  for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128)) bytes.unshift((rest % 128) | 0x80);
  return bytes;
}
