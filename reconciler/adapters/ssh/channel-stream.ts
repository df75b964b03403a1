/**
 * An SSH channel as an ordinary stream. ssh2's own channel never finishes a write after the far side closed and does
 * not say that it was destroyed; HTTP clients and pipelines rely on both.
 */
import { Duplex } from 'node:stream';
import type { ClientChannel } from 'ssh2';

export class ChannelStream extends Duplex {
  readonly #channel: ClientChannel;
  #finishWrite: ((error?: Error) => void) | undefined;

  constructor(channel: ClientChannel) {
    super({ allowHalfOpen: false });
    this.#channel = channel;
    channel.on('data', (chunk: Buffer) => {
      if (!this.destroyed && !this.push(chunk)) channel.pause();
    });
    channel.on('end', () => {
      if (!this.destroyed) this.push(null);
    });
    channel.on('close', () => this.#channelClosed());
    channel.on('error', (error: Error) => this.destroy(error));
  }

  override _read(): void {
    this.#channel.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (!this.#channel.writable) {
      done(closedError());
      return;
    }
    const finish = (error?: Error | null): void => {
      if (this.#finishWrite !== finish) return;
      this.#finishWrite = undefined;
      done(error);
    };
    this.#finishWrite = finish;
    this.#channel.write(chunk, finish);
  }

  override _final(done: () => void): void {
    if (this.#channel.writable) this.#channel.end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    // A paused channel would never see the far side's close.
    this.#channel.resume();
    this.#channel.destroy();
    this.#finishWrite?.(error ?? closedError());
    done(error);
  }

  #channelClosed(): void {
    this.#finishWrite?.(closedError());
    if (this.readableEnded || this.destroyed) this.destroy();
    else this.once('end', () => this.destroy());
  }

  // What an HTTP client sets on its socket; the TCP connection underneath has its own settings.
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

function closedError(): Error {
  return Object.assign(new Error('the channel was closed'), { code: 'ECONNRESET' });
}
