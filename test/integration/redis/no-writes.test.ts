/** A Redis that cannot write for a while: waited for, and told. */
import assert from 'node:assert/strict';
import { mkdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { configMap } from '../../contract/object-store/objects.ts';
import { create, nextOf, onRedis } from './open-store.ts';

describe('a Redis that takes no writes', () => {
  for (const [what, begin, end, words] of [
    ['is out of memory', ['maxmemory', '1'], ['maxmemory', '0'], /OOM/],
    ['cannot keep enough replicas', ['min-replicas-to-write', '1'], ['min-replicas-to-write', '0'], /NOREPLICAS/],
  ] as const) {
    it(
      `that ${what} is waited for, and the store says so meanwhile`,
      onRedis(async (redis, store) => {
        await create(store, 'a');
        const next = nextOf(store, '1') as Promise<{ value: { type: string } }>;
        await redis.client.config('SET', ...begin);
        await assert.rejects(store.write([{ op: 'create', object: configMap('b', {}) }]), {
          name: 'RetryableError',
          code: 'StoreUnavailable',
          message: words,
        });
        assert.match(store.problem ?? '', words);
        assert.equal((await store.list(undefined)).objects.length, 1);
        assert.match(store.problem ?? '', words, 'that it can be read does not mean that all is well');
        await redis.client.config('SET', ...end);
        await create(store, 'b');
        assert.equal(store.problem, undefined);
        assert.equal((await next).value.type, 'events');
      }),
    );
  }

  it(
    'that fails to save what it has is waited for, and the store says so meanwhile',
    onRedis(async (redis, store) => {
      await create(store, 'a');
      const [, folder = ''] = await redis.client.config('GET', 'dir');
      // What it saves is to take the place of this, which a file cannot.
      await mkdir(join(folder, 'dump.rdb'));
      await redis.client.config('SET', 'save', '3600 1');
      await redis.client.bgsave();
      while (!(await redis.client.info('persistence')).includes('rdb_last_bgsave_status:err')) await nextTurn();
      await assert.rejects(store.write([{ op: 'create', object: configMap('b', {}) }]), {
        name: 'RetryableError',
        code: 'StoreUnavailable',
        message: /MISCONF/,
      });
      assert.match(store.problem ?? '', /MISCONF/);
      assert.equal((await store.list(undefined)).objects.length, 1);
      await rmdir(join(folder, 'dump.rdb'));
      await redis.client.bgsave();
      while (!(await redis.client.info('persistence')).includes('rdb_last_bgsave_status:ok')) await nextTurn();
      await create(store, 'b');
      assert.equal(store.problem, undefined);
    }),
  );

  it(
    'that became a replica is waited for',
    onRedis(async (redis, store) => {
      await create(store, 'a');
      const next = nextOf(store, '1') as Promise<{ value: { type: string } }>;
      await redis.client.replicaof('127.0.0.1', 1);
      const slow = store.write([{ op: 'create', object: configMap('b', {}) }]);
      await redis.client.replicaof('NO', 'ONE');
      assert.ok((await slow)[0]?.ok);
      assert.equal((await next).value.type, 'events');
    }),
  );

  it(
    'that wants a password since is waited for; one that never had us is refused',
    onRedis(async (redis, store) => {
      await create(store, 'a');
      await redis.client.config('SET', 'requirepass', 'new');
      await redis.client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      await assert.rejects(store.list(undefined), { code: 'StoreUnavailable' });
      await redis.client.config('SET', 'requirepass', '');
      assert.equal((await store.list(undefined)).objects.length, 1);
    }),
  );
});
