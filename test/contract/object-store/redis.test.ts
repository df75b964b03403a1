import { randomBytes } from 'node:crypto';
import { RedisObjectStore } from '../../../reconciler/adapters/redis/object-store.ts';
import { SystemClock } from '../../../reconciler/adapters/system/clock.ts';
import { CryptoIds } from '../../../reconciler/adapters/system/ids.ts';
import { startTestRedis } from '../../support/redis.ts';
import { customObjectsSuite } from './custom-objects.ts';
import { objectStoreSuite, type StoreFixture } from './suite.ts';

objectStoreSuite('redis', fixture);
customObjectsSuite('redis', fixture);

async function fixture(): Promise<StoreFixture> {
  const redis = await startTestRedis();
  const sealKey = randomBytes(32);
  return {
    connect: (options) =>
      new RedisObjectStore({
        connection: redis.connection,
        cluster: 'test',
        sealKey,
        clock: new SystemClock(),
        ids: new CryptoIds(),
        ...options,
      }),
    flush: async () => {
      await redis.client.flushall();
    },
    close: () => redis.close(),
  };
}
