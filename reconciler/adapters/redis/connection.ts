/** One connection to Redis whose calls end: with an answer, the caller's abort, or an error of a known class. */
import { Redis, ReplyError, type RedisOptions } from 'ioredis';
import { asError } from '../../../contracts/errors.ts';
import { onAbort } from '../../../contracts/signals.ts';
import { PlumbError, RetryableError, TerminalError } from '../../core/errors.ts';
import { classifyFailure, leadsToReplica } from './failure.ts';
import { placeOfRedis } from './url.ts';

const LONGEST_RECONNECT_DELAY_MS = 500;

/**
 * Options with the reconnect behaviour that the store relies on: commands wait for the connection, {@link Link.call}
 * bounds the wait.
 */
function storeOptions(options: RedisOptions): RedisOptions & { protocol: 2; replyMapping: 'legacy' } {
  return {
    ...options,
    protocol: 2,
    replyMapping: 'legacy',
    maxRetriesPerRequest: null,
    retryStrategy: (times) => Math.min(LONGEST_RECONNECT_DELAY_MS, 20 * times),
    // Connect again, and send the command again.
    reconnectOnError: (error) => (leadsToReplica(error) ? 2 : false),
  };
}

export interface LinkOptions {
  readonly connection: RedisOptions;
  /** Bounds a call that meets no server, in ms; longer than a restart of Redis takes. */
  readonly timeoutMs: number;
}

export class Link {
  readonly #connection: RedisOptions;
  readonly #client: Redis;
  readonly #where: string;
  readonly #timeoutMs: number;
  #lastError: Error | undefined;
  /** A server once did what we asked: who refuses us later is a server in trouble, not a wrong configuration. */
  #accepted = false;

  constructor({ connection, timeoutMs }: LinkOptions) {
    this.#connection = connection;
    this.#client = new Redis(storeOptions(connection));
    this.#where = placeOfRedis(connection);
    this.#timeoutMs = timeoutMs;
    this.#client.on('error', (error) => {
      this.#lastError = error;
    });
    this.#client.on('ready', () => {
      this.#lastError = undefined;
    });
  }

  /**
   * A second connection, for commands that block. It rejects what was asked when the connection is lost, and connects
   * again by itself; disconnect it to end it.
   */
  blockingTwin(): Redis {
    const twin = new Redis({
      ...storeOptions(this.#connection),
      maxRetriesPerRequest: 0,
      reconnectOnError: (error) => (leadsToReplica(error) ? 1 : false),
    });
    twin.on('error', (error) => {
      this.#lastError = error;
    });
    return twin;
  }

  /**
   * Runs one command. While the connection is down it waits for it: at most until the signal aborts (throws its reason)
   * or the time-out (throws RetryableError `StoreUnavailable`). A write that meets a lost connection may have been
   * applied; compare-and-set makes the repetition harmless.
   */
  async call<T>(command: (client: Redis) => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    const answer = await this.bounded(this.#client, command, this.#timeoutMs, signal);
    this.#accepted = true;
    return answer;
  }

  /**
   * The same on a given connection. One that stays silent is made again: its server may hang, or be cut off, while
   * another took its place.
   */
  async bounded<T>(
    client: Redis,
    command: (client: Redis) => Promise<T>,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    let isOver = false;
    let letGo: (() => void) | undefined;
    const ended = new Promise<never>((_resolve, reject) => {
      const judge = (): void => {
        if (isOver) return;
        if (client.status === 'ready') client.disconnect(true);
        reject(this.#unavailable(`no answer within ${timeoutMs / 1000} s`));
      };
      // After a stall of this process the timer comes before the answer that lies in the socket.
      timer = setTimeout(() => setImmediate(judge), timeoutMs);
      letGo =
        signal &&
        onAbort(signal, () => {
          reject(asError(signal.reason));
        });
    });
    try {
      const answer = command(client);
      answer.catch(() => undefined);
      return await Promise.race([answer, ended]);
    } catch (error) {
      throw signal?.aborted && error === signal.reason ? error : this.classified(error);
    } finally {
      isOver = true;
      clearTimeout(timer);
      letGo?.();
    }
  }

  close(): void {
    this.#client.disconnect();
  }

  /** The error as a PlumbError whose class says what to do. */
  classified(error: unknown): PlumbError {
    if (error instanceof PlumbError) return error;
    const { message } = asError(error);
    switch (classifyFailure(message, error instanceof ReplyError)) {
      case 'lost':
        return storeLost(error);
      case 'sealed':
        return new TerminalError(
          'SealBroken',
          `Redis at ${this.#where}: the live state was written with another control plane's key; control planes that share a Redis share a seal.key: copy it from that control plane's home to this one (or empty the store: it is rebuilt from Git and the nodes)`,
        );
      case 'fenced':
        return new RetryableError(
          'LeaseLost',
          'this control plane was not heard for a while, and another one took over what it held: it writes nothing more until it has joined again',
        );
      case 'unavailable':
        return this.#unavailable(message, error);
      case 'refused':
        return this.#accepted
          ? this.#unavailable(message, error)
          : new TerminalError(
              'StoreRefused',
              `Redis at ${this.#where} refuses us: ${message}; check user, password and ACL; Redis 7 or Valkey is needed`,
              { cause: error },
            );
    }
  }

  #unavailable(why: string, cause: unknown = this.#lastError): RetryableError {
    const last = this.#lastError && this.#lastError.message !== why ? ` (${this.#lastError.message})` : '';
    return new RetryableError(
      'StoreUnavailable',
      `Redis at ${this.#where}: ${why}${last}; check that it runs and can be reached`,
      { cause },
    );
  }
}

export function storeLost(cause?: unknown): RetryableError {
  const why = cause instanceof Error ? ` (${cause.message.replace(/^STORELOST /, '')})` : '';
  return new RetryableError(
    'StoreLost',
    `the live state in Redis is not what was written there${why}; it is rebuilt from Git and the nodes after the store is opened again`,
    { cause },
  );
}
