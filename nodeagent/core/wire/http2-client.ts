/**
 * One HTTP/2 connection from the client's side, as a state machine on bytes: what arrives goes into {@link
 * Http2Client.receive}, what is to be sent comes out of {@link Http2Client.takeOutput}. The peer may be hostile: what
 * it can make us keep is bounded. Source: RFC 9113. No push, no priorities; that is all gRPC asks for, at a tenth of
 * the memory of node:http2.
 */
import { encodeHeaders, HeaderDecoder, MAX_HEADER_LIST_BYTES, type Header } from './hpack.ts';

const FRAME = {
  data: 0,
  headers: 1,
  reset: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;
const FLAG = { endStream: 1, ack: 1, endHeaders: 4, padded: 8, priority: 0x20 } as const;
const SETTING = { enablePush: 2, initialWindow: 4, maxFrame: 5, maxHeaderList: 6 } as const;
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const FRAME_HEADER_BYTES = 9;
const DEFAULT_WINDOW = 65_535;
/** What we take in before we say that we read it: enough for a list of thousands of containers in one flight. */
const OUR_WINDOW = 4 * 1024 * 1024;
const CANCEL = 8;
/** What we take as long as we ask for no more: the peer may not send a longer frame (RFC 9113, section 4.2). */
const MAX_FRAME_BYTES = 16_384;
/** A header block, packed; unpacked it is bounded by {@link HeaderDecoder}. */
const MAX_BLOCK_BYTES = 64 * 1024;
/** Pieces of a header block: empty ones cost the sender nothing. */
const MAX_BLOCK_FRAMES = 16;
/** Answers to what a peer asks of a connection (pings, settings), until they are taken to be sent. */
const MAX_OUTPUT_FRAMES = 10_000;
const MAX_WINDOW = 2 ** 31 - 1;

export type Http2Event =
  /** The answer's headers, or its trailers. */
  | { readonly type: 'headers'; readonly stream: number; readonly headers: readonly Header[]; readonly last: boolean }
  | { readonly type: 'data'; readonly stream: number; readonly data: Buffer; readonly last: boolean }
  | { readonly type: 'reset'; readonly stream: number; readonly code: number }
  /** No new streams; those above `lastStream` were not looked at. */
  | { readonly type: 'goaway'; readonly lastStream: number };

export class Http2Client {
  private output: Buffer[] = [];
  private buffered: Buffer = Buffer.alloc(0);
  private readonly decoder = new HeaderDecoder();
  private nextStream = 1;
  private sendWindow = DEFAULT_WINDOW;
  private initialSendWindow = DEFAULT_WINDOW;
  private maxFrame = 16_384;
  private unacknowledged = 0;
  /** Open streams: what the peer lets us send on each, and what waits for that. */
  private readonly streams = new Map<number, { window: number; waiting: Buffer }>();
  private block: { readonly stream: number; readonly last: boolean; readonly parts: Buffer[] } | undefined;

  constructor() {
    const settings = Buffer.alloc(18);
    settings.writeUInt16BE(SETTING.enablePush, 0);
    settings.writeUInt16BE(SETTING.initialWindow, 6);
    settings.writeUInt32BE(OUR_WINDOW, 8);
    settings.writeUInt16BE(SETTING.maxHeaderList, 12);
    settings.writeUInt32BE(MAX_HEADER_LIST_BYTES, 14);
    this.output.push(
      Buffer.from(PREFACE, 'latin1'),
      frame(FRAME.settings, 0, 0, settings),
      windowUpdate(0, OUR_WINDOW - DEFAULT_WINDOW),
    );
  }

  /** Bytes to send, since the last call. */
  takeOutput(): Buffer {
    const bytes = Buffer.concat(this.output);
    this.output = [];
    return bytes;
  }

  /** Opens a stream with a whole request; `:method` and the like first, the body not empty. Answers its number. */
  request(headers: readonly Header[], body: Buffer): number {
    const id = this.nextStream;
    this.nextStream += 2;
    this.output.push(frame(FRAME.headers, FLAG.endHeaders, id, encodeHeaders(headers)));
    this.streams.set(id, { window: this.initialSendWindow, waiting: body });
    this.flush(id);
    return id;
  }

  /** Gives a stream up; nothing more is told of it. */
  cancel(stream: number): void {
    if (!this.streams.delete(stream)) return;
    const code = Buffer.alloc(4);
    code.writeUInt32BE(CANCEL);
    this.output.push(frame(FRAME.reset, 0, stream, code));
  }

  /**
   * Throws an Error (HpackError, RangeError) when the bytes are not HTTP/2, or more than is taken: the connection is of
   * no use then.
   */
  receive(chunk: Buffer): readonly Http2Event[] {
    this.buffered = this.buffered.length === 0 ? chunk : Buffer.concat([this.buffered, chunk]);
    const events: Http2Event[] = [];
    while (this.buffered.length >= FRAME_HEADER_BYTES) {
      const length = this.buffered.readUIntBE(0, 3);
      if (length > MAX_FRAME_BYTES) throw new RangeError(`a frame of ${length} bytes is more than ${MAX_FRAME_BYTES}`);
      const end = FRAME_HEADER_BYTES + length;
      if (this.buffered.length < end) break;
      const [type, flags] = [this.buffered[3] ?? 0, this.buffered[4] ?? 0];
      const stream = this.buffered.readUInt32BE(5) & 0x7fff_ffff;
      const payload = this.buffered.subarray(FRAME_HEADER_BYTES, end);
      this.buffered = this.buffered.subarray(end);
      for (const event of this.accept(type, flags, stream, payload)) {
        if (event.type !== 'goaway' && !this.streams.has(event.stream)) continue;
        events.push(event);
        if (event.type === 'reset' || (event.type !== 'goaway' && event.last)) this.streams.delete(event.stream);
      }
      if (this.output.length > MAX_OUTPUT_FRAMES) throw new RangeError('the peer asks for more answers than are given');
    }
    return events;
  }

  private accept(type: number, flags: number, stream: number, payload: Buffer): readonly Http2Event[] {
    if (this.block && (type !== FRAME.continuation || stream !== this.block.stream))
      throw new RangeError('a header block is cut by another frame');
    switch (type) {
      case FRAME.data:
        return [this.acceptData(flags, stream, payload)];
      case FRAME.headers: {
        this.block = {
          stream,
          last: (flags & FLAG.endStream) !== 0,
          parts: [withoutPadding(flags, payload, (flags & FLAG.priority) === 0 ? 0 : 5)],
        };
        return this.endOfBlock(flags);
      }
      case FRAME.continuation:
        if (!this.block) throw new RangeError('a header block goes on that did not begin');
        this.block.parts.push(payload);
        return this.endOfBlock(flags);
      case FRAME.pushPromise:
        throw new RangeError('the peer pushes, though it was told not to');
      case FRAME.reset:
        return [{ type: 'reset', stream, code: payload.readUInt32BE(0) }];
      case FRAME.goaway:
        return [{ type: 'goaway', lastStream: payload.readUInt32BE(0) & 0x7fff_ffff }];
      case FRAME.ping:
        if ((flags & FLAG.ack) === 0) this.output.push(frame(FRAME.ping, FLAG.ack, 0, payload));
        return [];
      case FRAME.settings:
        if ((flags & FLAG.ack) === 0) this.acceptSettings(payload);
        return [];
      case FRAME.windowUpdate:
        this.acceptWindow(stream, payload.readUInt32BE(0) & 0x7fff_ffff);
        return [];
      default:
        return [];
    }
  }

  private acceptData(flags: number, stream: number, payload: Buffer): Http2Event {
    const last = (flags & FLAG.endStream) !== 0;
    this.unacknowledged += payload.length;
    if (this.unacknowledged > OUR_WINDOW / 4) {
      this.output.push(windowUpdate(0, this.unacknowledged));
      this.unacknowledged = 0;
    }
    if (!last && payload.length > 0 && this.streams.has(stream)) this.output.push(windowUpdate(stream, payload.length));
    return { type: 'data', stream, data: withoutPadding(flags, payload, 0), last };
  }

  private endOfBlock(flags: number): readonly Http2Event[] {
    if (!this.block) return [];
    const { stream, last, parts } = this.block;
    const bytes = parts.reduce((sum, part) => sum + part.length, 0);
    if (bytes > MAX_BLOCK_BYTES || parts.length > MAX_BLOCK_FRAMES)
      throw new RangeError(`a header block of ${bytes} bytes in ${parts.length} pieces is too large`);
    if ((flags & FLAG.endHeaders) === 0) return [];
    this.block = undefined;
    return [{ type: 'headers', stream, headers: this.decoder.decode(Buffer.concat(parts)), last }];
  }

  private acceptSettings(payload: Buffer): void {
    for (let at = 0; at + 6 <= payload.length; at += 6) {
      const value = payload.readUInt32BE(at + 2);
      switch (payload.readUInt16BE(at)) {
        case SETTING.maxFrame: {
          if (value < MAX_FRAME_BYTES || value >= 2 ** 24) throw new RangeError(`frames of ${value} bytes are none`);
          this.maxFrame = value;
          break;
        }
        case SETTING.initialWindow: {
          if (value > MAX_WINDOW) throw new RangeError(`a window of ${value} bytes is too large`);
          for (const one of this.streams.values()) one.window += value - this.initialSendWindow;
          this.initialSendWindow = value;
          break;
        }
        default:
      }
    }
    this.output.push(frame(FRAME.settings, FLAG.ack, 0, Buffer.alloc(0)));
    for (const id of this.streams.keys()) this.flush(id);
  }

  private acceptWindow(stream: number, more: number): void {
    if (stream === 0) this.sendWindow += more;
    const one = this.streams.get(stream);
    if (one) one.window += more;
    for (const id of stream === 0 ? this.streams.keys() : [stream]) this.flush(id);
  }

  /** Sends what the windows allow of a stream's body; its last frame ends our side. */
  private flush(id: number): void {
    const one = this.streams.get(id);
    while (one && one.waiting.length > 0) {
      const size = Math.min(one.waiting.length, one.window, this.sendWindow, this.maxFrame);
      if (size <= 0) return;
      const last = size === one.waiting.length;
      this.output.push(frame(FRAME.data, last ? FLAG.endStream : 0, id, one.waiting.subarray(0, size)));
      one.waiting = one.waiting.subarray(size);
      one.window -= size;
      this.sendWindow -= size;
    }
  }
}

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  header.writeUIntBE(payload.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

function windowUpdate(stream: number, more: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(more);
  return frame(FRAME.windowUpdate, 0, stream, payload);
}

function withoutPadding(flags: number, payload: Buffer, skip: number): Buffer {
  const padded = (flags & FLAG.padded) !== 0;
  const padding = padded ? (payload[0] ?? 0) : 0;
  if ((padded ? 1 : 0) + skip + padding > payload.length) throw new RangeError('a frame holds more padding than bytes');
  return payload.subarray((padded ? 1 : 0) + skip, payload.length - padding);
}
