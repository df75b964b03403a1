/** A redis-server for tests: on a Unix socket in a temporary folder, ended and removed by `close`. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis, type RedisOptions } from 'ioredis';
import { startPrivateRedis } from '../../reconciler/adapters/redis/private-redis.ts';
import { makeFolder } from './folder.ts';
import { whenInterrupted } from './interruption.ts';
import { inPatience } from './patience.ts';

export interface TestRedis {
  readonly connection: RedisOptions;
  readonly pid: number;
  readonly dir: string;
  /** A plain client for looking at what is there. */
  readonly client: Redis;
  close(): Promise<void>;
}

export async function startTestRedis(): Promise<TestRedis> {
  const dir = makeFolder('plumb-redis-');
  try {
    const server = await startPrivateRedis({
      dir,
      socketPath: join(dir, 'redis.sock'),
      signal: inPatience(20_000),
    });
    const forget = whenInterrupted(`the Redis in ${dir}`, () => server.close());
    const client = new Redis({ ...server.connection, replyMapping: 'legacy', maxRetriesPerRequest: null });
    client.on('error', () => undefined);
    return {
      connection: server.connection,
      pid: server.pid,
      dir,
      client,
      close: async () => {
        client.disconnect();
        await server.close();
        forget();
        await rm(dir, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await rm(dir, { recursive: true, force: true });
    throw error;
  }
}
