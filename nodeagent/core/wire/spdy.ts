/**
 * The part of SPDY/3.1 that Kubernetes' remote command streams use, as a client: open streams, send and receive data,
 * half-close. SPDY, not WebSocket: only here can the end of standard input be told. Header blocks are sent as stored
 * zlib blocks, which every inflater reads; the headers of answers say nothing we need. Source:
 * https://www.chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1/
 */

const VERSION = 0x8003;
const SYN_STREAM = 1;
const RST_STREAM = 3;
const PING = 6;
const GOAWAY = 7;
const FLAG_FIN = 1;
const HEADER_BYTES = 8;
/** Data is cut into frames of at most this; the length field has 24 bits. */
const FRAME_BYTES = 32 * 1024;
const ZLIB_HEADER = Buffer.from([0x78, 0x01]);
const FLUSH = Buffer.from([0, 0, 0, 0xff, 0xff]);

/** Opens a stream. `first`: it is the first of its connection, whose header compression starts here. */
export function openStreamFrame(streamId: number, headers: Readonly<Record<string, string>>, first: boolean): Buffer {
  const pairs = Object.entries(headers).flatMap(([name, value]) => [sized(name), sized(value)]);
  const block = Buffer.concat([uint32(Object.keys(headers).length), ...pairs]);
  const stored = Buffer.alloc(5);
  stored.writeUInt16LE(block.length, 1);
  stored.writeUInt16LE(block.length ^ 0xffff, 3);
  return control(
    SYN_STREAM,
    0,
    Buffer.concat([
      uint32(streamId),
      uint32(0),
      Buffer.alloc(2),
      ...(first ? [ZLIB_HEADER] : []),
      stored,
      block,
      FLUSH,
    ]),
  );
}

/** The bytes as data frames; `last` half-closes the stream. */
export function dataFrames(streamId: number, data: Buffer, last: boolean): Buffer {
  const frames: Buffer[] = [];
  for (let at = 0; at < data.length || (at === 0 && last); at += FRAME_BYTES) {
    const piece = data.subarray(at, at + FRAME_BYTES);
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt32BE(streamId, 0);
    header.writeUInt32BE(piece.length, 4);
    if (last && at + FRAME_BYTES >= data.length) header[4] = FLAG_FIN;
    frames.push(header, piece);
  }
  return Buffer.concat(frames);
}

export function pingFrame(payload: Buffer): Buffer {
  return control(PING, 0, payload);
}

export type SpdyEvent =
  | { readonly type: 'data'; readonly streamId: number; readonly data: Buffer; readonly last: boolean }
  | { readonly type: 'reset'; readonly streamId: number }
  | { readonly type: 'ping'; readonly payload: Buffer }
  | { readonly type: 'goaway' };

/** Takes the whole frames off the front of `buffered`. */
export function takeSpdyFrames(buffered: Buffer): { readonly events: readonly SpdyEvent[]; readonly rest: Buffer } {
  const events: SpdyEvent[] = [];
  let at = 0;
  while (buffered.length - at >= HEADER_BYTES) {
    const start = at + HEADER_BYTES;
    const end = start + buffered.readUIntBE(at + 5, 3);
    if (end > buffered.length) break;
    const payload = buffered.subarray(start, end);
    const fin = ((buffered[at + 4] ?? 0) & FLAG_FIN) !== 0;
    const first = buffered.readUInt32BE(at);
    if (first < 0x8000_0000) events.push({ type: 'data', streamId: first, data: payload, last: fin });
    else events.push(...controlEvents(first & 0xffff, payload, fin));
    at = end;
  }
  return { events, rest: buffered.subarray(at) };
}

function controlEvents(type: number, payload: Buffer, fin: boolean): readonly SpdyEvent[] {
  switch (type) {
    case RST_STREAM:
      return [{ type: 'reset', streamId: payload.readUInt32BE(0) }];
    case PING:
      return [{ type: 'ping', payload }];
    case GOAWAY:
      return [{ type: 'goaway' }];
    default:
      return fin && payload.length >= 4
        ? [{ type: 'data', streamId: payload.readUInt32BE(0), data: Buffer.alloc(0), last: true }]
        : [];
  }
}

function control(type: number, flags: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(VERSION, 0);
  header.writeUInt16BE(type, 2);
  header.writeUInt32BE(payload.length, 4);
  header[4] = flags;
  return Buffer.concat([header, payload]);
}

function sized(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  return Buffer.concat([uint32(bytes.length), bytes]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
