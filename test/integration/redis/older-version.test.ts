/** What earlier versions kept in Redis is put back as it was. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { RedisObjectStore } from '../../../reconciler/adapters/redis/object-store.ts';
import { SystemClock } from '../../../reconciler/adapters/system/clock.ts';
import { CryptoIds } from '../../../reconciler/adapters/system/ids.ts';
import { SEAL_KEY } from '../../fixtures/kept/seal-key.ts';
import { restoreRedisText, type RedisText } from '../../support/redis-text.ts';
import { startTestRedis } from '../../support/redis.ts';

const signal = AbortSignal.timeout(60_000);

describe('a store of an earlier version', () => {
  it('is opened', async () => {
    const path = new URL('../../fixtures/kept/kind-keys/redis.json', import.meta.url);
    const redis = await startTestRedis();
    const store = new RedisObjectStore({
      connection: redis.connection,
      cluster: 'test',
      sealKey: SEAL_KEY,
      clock: new SystemClock(),
      ids: new CryptoIds(),
    });
    try {
      await restoreRedisText(redis.client, JSON.parse(await readFile(path, 'utf8')) as RedisText);
      assert.equal((await store.open(signal)).fresh, false);
      assert.equal((await store.list(undefined)).objects.length, 9);
    } finally {
      await store.close();
      await redis.close();
    }
  });
});
