/** One connection to Redis whose calls end: with an answer, the caller's abort, or an error of a known class. */
import { Redis, ReplyError, type RedisOptions } from 'ioredis';
import { PlumbError, RetryableError, TerminalError } from '../../core/errors.ts';

const LONGEST_RECONNECT_DELAY_MS = 500;
const REFUSALS = ['NOAUTH', 'WRONGPASS', 'NOPERM'];

/** Options with the reconnect behaviour that the store relies on: commands wait for the connection, {@link Link.call} bounds the wait. */
function storeOptions(options: RedisOptions): RedisOptions & { protocol: 2; replyMapping: 'legacy' } {
  return {
    ...options,
    protocol: 2,
    replyMapping: 'legacy',
    maxRetriesPerRequest: null,
    retryStrategy: (times) => Math.min(LONGEST_RECONNECT_DELAY_MS, 20 * times),
    // After a failover the old primary answers READONLY until the connection is made again.
    reconnectOnError: (error) => (error.message.startsWith('READONLY') ? 2 : false),
  };
}

export class Link {
  readonly #client: Redis;
  readonly #where: string;
  readonly #timeoutMs: number;
  #lastError: Error | undefined;

  /** `timeoutMs` bounds a call that meets no server; longer than a restart of Redis takes. */
  constructor(options: RedisOptions, timeoutMs: number) {
    this.#client = new Redis(storeOptions(options));
    this.#where = options.path ?? `${options.host ?? '127.0.0.1'}:${options.port ?? 6379}`;
    this.#timeoutMs = timeoutMs;
    this.#client.on('error', (error) => { this.#lastError = error; });
    this.#client.on('ready', () => { this.#lastError = undefined; });
  }

  get client(): Redis {
    return this.#client;
  }

  /** A second connection, for commands that block. It never rejects a command because of the connection; disconnect it to end one. */
  blockingTwin(): Redis {
    const twin = this.#client.duplicate();
    twin.on('error', (error) => { this.#lastError = error; });
    return twin;
  }

  /**
   * Runs one command. While the connection is down it waits for it: at most until the signal aborts (throws its reason) or the time-out
   * (throws RetryableError `StoreUnavailable`). A write that meets a lost connection may have been applied; compare-and-set makes the
   * repetition harmless.
   */
  async call<T>(command: (client: Redis) => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    let timer: NodeJS.Timeout | undefined;
    let onAbort: (() => void) | undefined;
    const ended = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => { reject(this.#unavailable(`no answer within ${this.#timeoutMs / 1000} s`)); }, this.#timeoutMs);
      onAbort = () => { reject(asError(signal?.reason)); };
      signal?.addEventListener('abort', onAbort, { once: true });
    });
    try {
      const answer = command(this.#client);
      answer.catch(() => undefined);
      return await Promise.race([answer, ended]);
    } catch (error) {
      throw this.#classify(error, signal);
    } finally {
      clearTimeout(timer);
      if (onAbort) signal?.removeEventListener('abort', onAbort);
    }
  }

  close(): void {
    this.#client.disconnect();
  }

  #unavailable(why: string, cause: unknown = this.#lastError): RetryableError {
    const last = this.#lastError ? ` (${this.#lastError.message})` : '';
    return new RetryableError('StoreUnavailable', `Redis at ${this.#where}: ${why}${last}; check that it runs and can be reached`, { cause });
  }

  #classify(error: unknown, signal: AbortSignal | undefined): Error {
    if (error instanceof PlumbError || (signal?.aborted && error === signal.reason)) return asError(error);
    const { message } = asError(error);
    if (message.startsWith('STORELOST')) return storeLost(error);
    if (REFUSALS.some((word) => message.startsWith(word))) {
      return new TerminalError('StoreRefused', `Redis at ${this.#where} refuses us: ${message}; check user, password and ACL`, { cause: error });
    }
    if (error instanceof ReplyError && message.startsWith('ERR')) {
      return new TerminalError('StoreRefused', `Redis at ${this.#where} does not understand us: ${message}; Redis 7 or Valkey is needed`, { cause: error });
    }
    return this.#unavailable(message, error);
  }
}

export function storeLost(cause?: unknown): RetryableError {
  return new RetryableError('StoreLost', 'the live state in Redis was emptied or claimed anew; it is rebuilt from Git and the nodes after the store is opened again', { cause });
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
