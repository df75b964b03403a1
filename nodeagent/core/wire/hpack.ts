/**
 * Header compression of HTTP/2. Source: RFC 7541. Written is the plainest form (literals without a table), read is
 * every form.
 */
import { huffmanDecode } from './hpack-huffman.ts';

export type Header = readonly [name: string, value: string];

/** Appendix A. */
const STATIC: readonly Header[] = [
  [':authority', ''],
  [':method', 'GET'],
  [':method', 'POST'],
  [':path', '/'],
  [':path', '/index.html'],
  [':scheme', 'http'],
  [':scheme', 'https'],
  [':status', '200'],
  [':status', '204'],
  [':status', '206'],
  [':status', '304'],
  [':status', '400'],
  [':status', '404'],
  [':status', '500'],
  ['accept-charset', ''],
  ['accept-encoding', 'gzip, deflate'],
  ['accept-language', ''],
  ['accept-ranges', ''],
  ['accept', ''],
  ['access-control-allow-origin', ''],
  ['age', ''],
  ['allow', ''],
  ['authorization', ''],
  ['cache-control', ''],
  ['content-disposition', ''],
  ['content-encoding', ''],
  ['content-language', ''],
  ['content-length', ''],
  ['content-location', ''],
  ['content-range', ''],
  ['content-type', ''],
  ['cookie', ''],
  ['date', ''],
  ['etag', ''],
  ['expect', ''],
  ['expires', ''],
  ['from', ''],
  ['host', ''],
  ['if-match', ''],
  ['if-modified-since', ''],
  ['if-none-match', ''],
  ['if-range', ''],
  ['if-unmodified-since', ''],
  ['last-modified', ''],
  ['link', ''],
  ['location', ''],
  ['max-forwards', ''],
  ['proxy-authenticate', ''],
  ['proxy-authorization', ''],
  ['range', ''],
  ['referer', ''],
  ['refresh', ''],
  ['retry-after', ''],
  ['server', ''],
  ['set-cookie', ''],
  ['strict-transport-security', ''],
  ['transfer-encoding', ''],
  ['user-agent', ''],
  ['vary', ''],
  ['via', ''],
  ['www-authenticate', ''],
];
/** What an entry costs beside its text (section 4.1). */
const ENTRY_BYTES = 32;
const DEFAULT_TABLE_BYTES = 4096;
/** What one block may unpack to, counted as the table counts: one byte can stand for a whole entry of it. */
export const MAX_HEADER_LIST_BYTES = 64 * 1024;

/** Bytes that are no header block. The connection cannot go on: the table is out of step. */
export class HpackError extends Error {}

/** Literals without indexing, names and values in plain. */
export function encodeHeaders(headers: readonly Header[]): Buffer {
  return Buffer.concat(headers.flatMap(([name, value]) => [Buffer.from([0]), plainString(name), plainString(value)]));
}

function plainString(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  return Buffer.concat([integer(bytes.length, 7), bytes]);
}

function integer(value: number, prefixBits: number): Buffer {
  const limit = 2 ** prefixBits - 1;
  if (value < limit) return Buffer.from([value]);
  const bytes = [limit];
  for (let rest = value - limit; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest % 128) | 0x80);
  }
}

/** Reads the header blocks of one connection, in order: it keeps the table that they refer to. */
export class HeaderDecoder {
  /** Newest first. */
  private table: Header[] = [];
  private tableBytes = 0;
  private maxBytes = DEFAULT_TABLE_BYTES;

  /** Throws {@link HpackError}. */
  decode(block: Buffer): readonly Header[] {
    const headers: Header[] = [];
    const cursor = { at: 0 };
    let bytes = 0;
    const take = (header: Header): void => {
      bytes += entryBytes(header);
      if (bytes > MAX_HEADER_LIST_BYTES) throw new HpackError(`headers of more than ${MAX_HEADER_LIST_BYTES} bytes`);
      headers.push(header);
    };
    while (cursor.at < block.length) {
      const first = block[cursor.at] ?? 0;
      if (first >= 0x80) take(this.entry(readInteger(block, cursor, 7)));
      else if (first >= 0x40) {
        const header = this.literal(block, cursor, 6);
        this.add(header);
        take(header);
      } else if (first >= 0x20) this.resize(readInteger(block, cursor, 5));
      else take(this.literal(block, cursor, 4));
    }
    return headers;
  }

  private literal(block: Buffer, cursor: { at: number }, prefixBits: number): Header {
    const index = readInteger(block, cursor, prefixBits);
    const name = index === 0 ? readString(block, cursor) : this.entry(index)[0];
    return [name, readString(block, cursor)];
  }

  private entry(index: number): Header {
    const found = index <= STATIC.length ? STATIC[index - 1] : this.table[index - STATIC.length - 1];
    if (!found) throw new HpackError(`no header has index ${index}`);
    return found;
  }

  private add(header: Header): void {
    this.table.unshift(header);
    this.tableBytes += entryBytes(header);
    this.evict();
  }

  private resize(bytes: number): void {
    if (bytes > DEFAULT_TABLE_BYTES) throw new HpackError('the header table grows beyond what was agreed');
    this.maxBytes = bytes;
    this.evict();
  }

  private evict(): void {
    while (this.tableBytes > this.maxBytes) {
      const oldest = this.table.pop();
      if (!oldest) return;
      this.tableBytes -= entryBytes(oldest);
    }
  }
}

function entryBytes([name, value]: Header): number {
  return name.length + value.length + ENTRY_BYTES;
}

function readInteger(block: Buffer, cursor: { at: number }, prefixBits: number): number {
  const limit = 2 ** prefixBits - 1;
  let value = (block[cursor.at++] ?? 0) & limit;
  if (value < limit) return value;
  for (let factor = 1; factor <= 2 ** 28; factor *= 128) {
    const byte = block[cursor.at++];
    if (byte === undefined) throw new HpackError('a header block ends inside a number');
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) return value;
  }
  throw new HpackError('a number in a header block is too large');
}

function readString(block: Buffer, cursor: { at: number }): string {
  const isPacked = ((block[cursor.at] ?? 0) & 0x80) !== 0;
  const length = readInteger(block, cursor, 7);
  const end = cursor.at + length;
  if (end > block.length) throw new HpackError('a header block ends inside a text');
  const bytes = block.subarray(cursor.at, end);
  cursor.at = end;
  if (!isPacked) return bytes.toString('latin1');
  const text = huffmanDecode(bytes);
  if (text === undefined) throw new HpackError('a packed text has a wrong end');
  return text;
}
