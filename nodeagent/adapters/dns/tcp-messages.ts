/** DNS over TCP: each message with its length before it (RFC 1035, 4.2.2). */

const LENGTH_BYTES = 2;

export function framed(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(LENGTH_BYTES + message.length);
  frame.writeUInt16BE(message.length, 0);
  frame.set(message, LENGTH_BYTES);
  return frame;
}

/** Takes what arrives and gives whole messages. */
export class MessageReader {
  #rest: Buffer = Buffer.alloc(0);
  readonly #most: number;

  /** `most`: bytes of one message. */
  constructor(most: number) {
    this.#most = most;
  }

  /** The messages that are whole now; undefined once one is longer than allowed. */
  take(chunk: Buffer): readonly Buffer[] | undefined {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const messages: Buffer[] = [];
    while (this.#rest.length >= LENGTH_BYTES) {
      const length = this.#rest.readUInt16BE(0);
      if (length > this.#most) return undefined;
      if (this.#rest.length < LENGTH_BYTES + length) break;
      messages.push(this.#rest.subarray(LENGTH_BYTES, LENGTH_BYTES + length));
      this.#rest = this.#rest.subarray(LENGTH_BYTES + length);
    }
    return messages;
  }
}
