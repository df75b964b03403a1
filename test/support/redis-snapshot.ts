/** What a Redis held at one moment, to be put back later: a restored backup, or a replica that lagged and took over. */
import type { Redis } from 'ioredis';

/**
 * Gives what puts it back in place of all that is there, in one moment too. As with a snapshot on disk, keys that
 * expire do so at the same time.
 */
export async function snapshotOf(redis: Redis): Promise<() => Promise<void>> {
  const found = (await redis.callBuffer(
    'EVAL',
    `
    local found = {}
    for _, key in ipairs(redis.call('KEYS', '*')) do
      table.insert(found, { key, string.format('%.0f', math.max(0, redis.call('PEXPIRETIME', key))), redis.call('DUMP', key) })
    end
    return found`,
    '0',
  )) as [key: Buffer, expires: Buffer, value: Buffer][];
  return async () => {
    const swap = redis.multi().flushall();
    for (const [key, expires, value] of found) swap.restore(key, Number(expires.toString()), value, 'ABSTTL');
    await swap.exec();
  };
}
