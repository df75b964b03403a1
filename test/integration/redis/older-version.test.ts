/** A store and queues that an earlier version left behind: nothing of them is acted upon, and nothing of them stays. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { isObjectKey } from '../../../contracts/objects/index.ts';
import { BullWorkQueue } from '../../../reconciler/adapters/bullmq/work-queue.ts';
import { RedisObjectStore } from '../../../reconciler/adapters/redis/object-store.ts';
import { SystemClock } from '../../../reconciler/adapters/system/clock.ts';
import { CryptoIds } from '../../../reconciler/adapters/system/ids.ts';
import { SILENT_LOG } from '../../../reconciler/ports/log.ts';
import { configMap } from '../../contract/object-store/objects.ts';
import { SEAL_KEY } from '../../fixtures/kept/seal-key.ts';
import { restoreRedisText, type RedisText } from '../../support/redis-text.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { inPatience, polled } from '../../support/patience.ts';

const signal = inPatience(600_000);
const KIND_KEYS = new URL('../../fixtures/kept/kind-keys/redis.json', import.meta.url);

/** As an earlier version's process that was killed left it, some time ago: its locks are over. */
async function leftBehind(): Promise<TestRedis> {
  const redis = await startTestRedis();
  await restoreRedisText(redis.client, JSON.parse(await readFile(KIND_KEYS, 'utf8')) as RedisText);
  for (const key of await redis.client.keys('*')) if (/:(lock|stalled-check)$/.test(key)) await redis.client.del(key);
  return redis;
}

describe('what an earlier version left in Redis', () => {
  it('is a lost store: empty, to be rebuilt, and gone from Redis', async () => {
    const redis = await leftBehind();
    const store = new RedisObjectStore({
      connection: redis.connection,
      cluster: 'test',
      sealKey: SEAL_KEY,
      clock: new SystemClock(),
      ids: new CryptoIds(),
    });
    try {
      assert.equal((await redis.client.keys('*:objects:*')).length, 9);
      assert.equal((await store.open(signal)).fresh, true);
      assert.deepEqual((await store.list(undefined)).objects, []);
      assert.deepEqual(await redis.client.keys('*:objects:*'), []);
      assert.deepEqual(await redis.client.keys('*:changes:*'), []);
      const [result] = await store.write([{ op: 'create', object: configMap('a', {}) }]);
      assert.ok(result?.ok);
      assert.deepEqual(await redis.client.keys('*:objects:*'), ['{plumb:test}:objects:configmaps']);
      await store.markReady(signal);
      assert.equal((await store.open(signal)).fresh, false);
    } finally {
      await store.close();
      await redis.close();
    }
  });

  it('is a queue that nobody works any more: removed, with its jobs, also the one that ran and the one for later', async () => {
    const redis = await leftBehind();
    const ours = '{plumb:test}:queue:controllers.deployment:meta';
    const another = '{plumb:other}:queue:controllers:meta';
    await redis.client.hset(ours, 'a', 'b');
    await redis.client.hset(another, 'a', 'b');
    assert.ok((await redis.client.keys('{plumb:test}:queue:controllers:*')).length > 5);
    assert.ok((await redis.client.keys('{plumb:test}:queue:nodes:*')).length > 2);
    const queue = new BullWorkQueue({ connection: redis.connection, cluster: 'test', log: SILENT_LOG });
    try {
      await polled(
        'the queues of before are there',
        async () => (await redis.client.keys('*:queue:*')).length === 2 || undefined,
        { timeoutMs: 10_000 },
      );
      assert.deepEqual((await redis.client.keys('*:queue:*')).sort(), [another, ours]);
    } finally {
      await queue.close();
      await redis.close();
    }
  });

  it('is a job whose key is of another form: it is taken from the queue, and its key is no object', async () => {
    const redis = await leftBehind();
    for (const key of await redis.client.keys('{plumb:test}:queue:controllers:*'))
      await redis.client.rename(key, key.replace(':controllers:', ':controllers.deployment:'));
    const queue = new BullWorkQueue({ connection: redis.connection, cluster: 'test', log: SILENT_LOG });
    const taken: string[] = [];
    const failures: unknown[] = [];
    queue.onFailure((failure) => failures.push(failure));
    try {
      const done = new Promise<void>((resolve) => {
        queue.work('controllers.deployment', 2, async (key) => {
          taken.push(key);
          if (taken.length === 3) resolve();
          return {};
        });
      });
      await done;
      await queue.close();
      assert.deepEqual(taken.filter(isObjectKey), []);
      assert.deepEqual(failures, []);
      const left = await redis.client.keys('{plumb:test}:queue:controllers.deployment:*');
      assert.deepEqual(
        left.filter((key) => /:(\d+|wait|active|later|de:.*)$/.test(key)),
        [],
      );
    } finally {
      await queue.close();
      await redis.close();
    }
  });
});
