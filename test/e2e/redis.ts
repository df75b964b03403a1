/** The Redis of a fleet's control planes, and its loss. */
import { Redis } from 'ioredis';
import { eventually, type Fleet } from './fleet.ts';

/** Uses that Redis. */
export async function withRedis<T>(fleet: Fleet, use: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis({ path: fleet.redisSocket, maxRetriesPerRequest: 1 });
  redis.on('error', () => undefined);
  try {
    return await use(redis);
  } finally {
    redis.disconnect();
  }
}

/**
 * Does what loses the store, which is emptied when nothing else is said; resolves once another one is in its place. What
 * was there is served for a moment more, so that a look right after the loss would see that.
 */
export async function loseStore(fleet: Fleet, lose: () => Promise<unknown> = () => empty(fleet)): Promise<void> {
  // Drawn anew with each incarnation of the store.
  const uid = async (): Promise<string | undefined> => (await fleet.list('Source')).at(0)?.metadata.uid;
  const before = await uid();
  await lose();
  await eventually('the store is made anew', 90, async () => {
    const now = await uid();
    return now !== undefined && now !== before;
  });
}

function empty(fleet: Fleet): Promise<unknown> {
  return withRedis(fleet, (redis) => redis.flushall());
}
