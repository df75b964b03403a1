/**
 * gRPC's framing of messages in an HTTP/2 stream: one byte for compression (never used here), four for the length, the
 * message. Source: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 */

export function grpcFrame(message: Buffer): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt32BE(message.length, 1);
  return Buffer.concat([header, message]);
}

const HEADER_BYTES = 5;

/** Puts the messages of one stream together. Each byte is copied once, however small the pieces are. */
export class GrpcMessages {
  private readonly maxBytes: number;
  private parts: Buffer[] = [];
  private bytes = 0;
  /** Length of header and message, once the header is there. */
  private needed = HEADER_BYTES;
  private hasHeader = false;

  /** `maxBytes`: the longest message that is taken. */
  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /**
   * The messages that end in `data`. Throws RangeError for one that says it is longer than is taken: the stream is of
   * no use then.
   */
  push(data: Buffer): readonly Buffer[] {
    const messages: Buffer[] = [];
    for (let rest = data; rest.length > 0;) {
      const piece = rest.subarray(0, this.needed - this.bytes);
      rest = rest.subarray(piece.length);
      this.parts.push(piece);
      this.bytes += piece.length;
      if (this.bytes < this.needed) break;
      const whole = this.parts.length === 1 ? piece : Buffer.concat(this.parts, this.bytes);
      if (!this.hasHeader) {
        const length = whole.readUInt32BE(1);
        if (length > this.maxBytes) throw new RangeError(`a message of ${length} bytes is more than ${this.maxBytes}`);
        this.hasHeader = true;
        this.needed = HEADER_BYTES + length;
        this.parts = [whole];
        if (length > 0) continue;
      }
      messages.push(whole.subarray(HEADER_BYTES));
      this.parts = [];
      this.bytes = 0;
      this.needed = HEADER_BYTES;
      this.hasHeader = false;
    }
    return messages;
  }
}

/** Status codes that callers tell apart. */
export const GRPC_CODE = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  unimplemented: 12,
  unavailable: 14,
} as const;
