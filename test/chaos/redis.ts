/** The Redis of the control plane, and its loss. */
import { Redis } from 'ioredis';
import { eventually, type Fleet } from '../e2e/fleet.ts';

/** Uses the control plane's own Redis. */
export async function withRedis<T>(fleet: Fleet, use: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis({ path: fleet.redisSocket, maxRetriesPerRequest: 1 });
  redis.on('error', () => undefined);
  try {
    return await use(redis);
  } finally {
    redis.disconnect();
  }
}

/** Does what loses the store, and waits until another one is in its place. */
export async function rebuilt(fleet: Fleet, lose: () => Promise<void>): Promise<void> {
  const stores = async (): Promise<string> =>
    (await fleet.list('Source')).map(({ metadata }) => metadata.creationTimestamp + metadata.uid).join();
  const before = await stores();
  await lose();
  await eventually('the store is made anew', 60, async () => ![before, ''].includes(await stores()));
}
