/**
 * Many streams over one socket, in the place of SSH's channels. A frame is a channel's number and a length, four bytes
 * each (big-endian), then so many bytes; one without bytes ends the sender's direction. A number not heard before opens
 * a channel.
 */
import { Duplex } from 'node:stream';
import type { Socket } from 'node:net';

const HEADER = 8;

export class Channels {
  readonly #socket: Socket;
  readonly #opened: (channel: Channel) => void;
  readonly #channels = new Map<number, Channel>();
  #next = 1;
  /** A header that came in pieces. */
  #head = Buffer.alloc(0);
  /** What is being received. */
  #current: { readonly id: number; left: number } | undefined;

  /** `opened` hears of channels that the other side opens. */
  constructor(socket: Socket, opened: (channel: Channel) => void) {
    this.#socket = socket;
    this.#opened = opened;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      this.#take(chunk);
    });
    socket.once('close', () => {
      for (const channel of this.#channels.values()) channel.destroy();
    });
  }

  /** Used by one side only. */
  open(): Channel {
    return this.#channel(this.#next++);
  }

  #channel(id: number): Channel {
    const channel = new Channel((bytes, done) => {
      this.#send(id, bytes, done);
    });
    this.#channels.set(id, channel);
    channel.once('close', () => {
      this.#channels.delete(id);
    });
    return channel;
  }

  #send(id: number, bytes: Buffer, done: () => void): void {
    if (this.#socket.destroyed) return done();
    const header = Buffer.allocUnsafe(HEADER);
    header.writeUInt32BE(id, 0);
    header.writeUInt32BE(bytes.length, 4);
    this.#socket.cork();
    this.#socket.write(header);
    this.#socket.write(bytes, () => {
      done();
    });
    this.#socket.uncork();
  }

  #take(chunk: Buffer): void {
    let rest = this.#head.length > 0 ? Buffer.concat([this.#head, chunk]) : chunk;
    this.#head = Buffer.alloc(0);
    while (rest.length > 0) {
      if (this.#current) {
        const part = rest.subarray(0, this.#current.left);
        rest = rest.subarray(part.length);
        this.#channels.get(this.#current.id)?.receive(part);
        this.#current.left -= part.length;
        if (this.#current.left === 0) this.#current = undefined;
      } else if (rest.length < HEADER) {
        this.#head = Buffer.from(rest);
        return;
      } else {
        const [id, length] = [rest.readUInt32BE(0), rest.readUInt32BE(4)];
        rest = rest.subarray(HEADER);
        if (length > 0) {
          if (!this.#channels.has(id) && id >= this.#next) {
            this.#next = id + 1;
            this.#opened(this.#channel(id));
          }
          this.#current = { id, left: length };
        } else {
          this.#channels.get(id)?.receive(null);
        }
      }
    }
  }
}

export class Channel extends Duplex {
  readonly #send: (bytes: Buffer, done: () => void) => void;
  #told = false;

  constructor(send: (bytes: Buffer, done: () => void) => void) {
    super({ allowHalfOpen: false });
    this.#send = send;
    this.on('error', () => undefined);
  }

  receive(bytes: Buffer | null): void {
    if (!this.destroyed && !this.readableEnded) this.push(bytes);
  }

  override _read(): void {
    // The socket is always read: what the other side sends is bounded by what it was asked.
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    // HTTP writes nothing at all now and then, and a frame of nothing is the end.
    if (chunk.length === 0) return done();
    this.#send(chunk, done);
  }

  override _final(done: () => void): void {
    this.#tellEnd(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#tellEnd(() => undefined);
    done(error);
  }

  #tellEnd(done: () => void): void {
    if (this.#told) return done();
    this.#told = true;
    this.#send(Buffer.alloc(0), done);
  }

  // What HTTP sets on its sockets.
  setNoDelay(): this {
    return this;
  }
  setKeepAlive(): this {
    return this;
  }
  setTimeout(): this {
    return this;
  }
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }
}
