/** The connections that BullMQ works with. */
import { Redis, type RedisOptions } from 'ioredis';

const LONGEST_RECONNECT_DELAY_MS = 500;

/**
 * ioredis, except that `disconnect` always comes to `end`, once. The original, told to disconnect while it waits for
 * its next attempt, drops that attempt and stays silent for ever, and BullMQ's worker, which waits for the event, could
 * not be closed while Redis is away. Told to disconnect after its end, it sets a timer for the closed socket that keeps
 * the process for two seconds.
 */
class EndingConnection extends Redis {
  /** The one that was told last to make room for another: it may take two seconds to close. */
  #left: Redis['stream'] | undefined;

  constructor(options: RedisOptions) {
    super({
      ...options,
      replyMapping: 'legacy',
      // BullMQ wants a worker's commands to wait for the connection.
      maxRetriesPerRequest: null,
      retryStrategy: (times) => Math.min(LONGEST_RECONNECT_DELAY_MS, 20 * times),
      // After a failover the old primary answers READONLY until the connection is made again, and lets go of who waits
      // with UNBLOCKED.
      reconnectOnError: (error) => (/^(READONLY|UNBLOCKED|MASTERDOWN)\b/.test(error.message) ? 2 : false),
    });
  }

  override disconnect(reconnect = false): void {
    if (this.status === 'end') return;
    // Each call that a hanging server leaves without an answer asks for it.
    if (reconnect && this.status === 'ready') {
      if (this.#left === this.stream) return;
      this.#left = this.stream;
    }
    if (this.status !== 'reconnecting' || reconnect) {
      super.disconnect(reconnect);
      return;
    }
    // Let the attempt happen, and be the last.
    const { retryStrategy } = this.options;
    const leave = (): void => {
      super.disconnect();
    };
    this.options.retryStrategy = () => null;
    this.once('connect', leave);
    this.once('end', () => {
      this.options.retryStrategy = retryStrategy;
      this.off('connect', leave);
    });
  }
}

/** Knows the blocking connections that BullMQ made from it, so that none outlives the queue. */
export class MotherConnection extends EndingConnection {
  readonly twins: Redis[] = [];

  override duplicate(override?: Partial<RedisOptions>): Redis {
    const twin = new EndingConnection({ ...this.options, ...override });
    twin.on('error', () => undefined);
    this.twins.push(twin);
    return twin;
  }
}
