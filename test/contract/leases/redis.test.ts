import { randomBytes } from 'node:crypto';
import { RedisLeases } from '../../../reconciler/adapters/redis/leases.ts';
import { RedisObjectStore } from '../../../reconciler/adapters/redis/object-store.ts';
import { SystemClock } from '../../../reconciler/adapters/system/clock.ts';
import { CryptoIds } from '../../../reconciler/adapters/system/ids.ts';
import { startTestRedis } from '../../support/redis.ts';
import { leasesSuite } from './suite.ts';
import { inPatience } from '../../support/patience.ts';

leasesSuite('redis', async () => {
  const redis = await startTestRedis();
  const sealKey = randomBytes(32);
  const clock = new SystemClock();
  const where = { connection: redis.connection, cluster: 'test', clock };
  return {
    connect: async () => {
      const store = new RedisObjectStore({ ...where, sealKey, ids: new CryptoIds() });
      const { incarnation } = await store.open(inPatience(10_000));
      return { store, leases: new RedisLeases({ ...where, incarnation }) };
    },
    flush: async () => {
      await redis.client.flushall();
    },
    close: () => redis.close(),
  };
});
