/** What only a real server shows: what lies in Redis, lost connections, restarts. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { objectKey, type Secret, type Stored } from '../../../contracts/objects/index.ts';
import { RedisObjectStore } from '../../../reconciler/adapters/redis/object-store.ts';
import { startPrivateRedis } from '../../../reconciler/adapters/redis/private-redis.ts';
import { SystemClock } from '../../../reconciler/adapters/system/clock.ts';
import { CryptoIds } from '../../../reconciler/adapters/system/ids.ts';
import { configMap, secret } from '../../contract/object-store/objects.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { inPatience } from '../../support/patience.ts';

const signal = inPatience(600_000);
const sealKey = randomBytes(32);

function storeOn(
  redis: Pick<TestRedis, 'connection'>,
  more: { readonly cluster?: string; readonly sealKey?: Uint8Array; readonly callTimeoutMs?: number } = {},
): RedisObjectStore {
  return new RedisObjectStore({
    connection: redis.connection,
    cluster: 'test',
    sealKey,
    clock: new SystemClock(),
    ids: new CryptoIds(),
    ...more,
  });
}

const onRedis =
  (body: (redis: TestRedis, store: RedisObjectStore) => Promise<void>, more: Parameters<typeof storeOn>[1] = {}) =>
  async (): Promise<void> => {
    const redis = await startTestRedis();
    const store = storeOn(redis, more);
    try {
      await store.open(signal);
      await body(redis, store);
    } finally {
      await store.close();
      await redis.close();
    }
  };

/**
 * Everything in the server, as bytes: serialised values (uncompressed, see below), names, scripts' cache, the log of
 * slow commands.
 */
async function everything({ client }: TestRedis): Promise<string> {
  const parts: string[] = [];
  for (const key of await client.keys('*')) {
    const type = await client.type(key);
    const content: unknown =
      type === 'hash'
        ? await client.hgetall(key)
        : type === 'stream'
          ? await client.xrange(key, '-', '+')
          : await client.get(key);
    parts.push(key, JSON.stringify(content));
  }
  parts.push(JSON.stringify(await client.call('SLOWLOG', 'GET', '-1')));
  return parts.join('\n');
}

describe('Secrets in Redis', () => {
  const plain = 'correct-horse-battery-staple';
  const encoded = Buffer.from(plain).toString('base64');

  it(
    'lie there sealed, in every key and in the change stream',
    onRedis(async (redis, store) => {
      await redis.client.config('SET', 'slowlog-log-slower-than', '0');
      const [result] = await store.write([{ op: 'create', object: secret('s', { password: encoded }) }]);
      assert.ok(result?.ok);
      const created = result.object as Stored<Secret>;
      const [updated] = await store.write([
        { op: 'update', object: { ...created, data: { password: encoded, more: encoded } } },
      ]);
      assert.ok(updated?.ok);
      const before = await everything(redis);
      await store.write([{ op: 'delete', key: objectKey('Secret', 'default', 's') }]);
      const after = await everything(redis);
      for (const dump of [before, after]) {
        assert.ok(dump.includes('plumbline.dev/sealed'), 'the scan does see the record');
        for (const text of [plain, encoded, encoded.slice(4, 20), 'password'])
          assert.ok(!dump.includes(text), `found ${text}`);
      }
      const events = store.watch('0', signal)[Symbol.asyncIterator]();
      const { value } = await events.next();
      assert.ok(value?.type === 'events');
      assert.deepEqual(
        value.events.map((e) => (e.object as Secret).data),
        [{ password: encoded }, { password: encoded, more: encoded }, { password: encoded, more: encoded }],
      );
      await events.return?.(undefined);
    }),
  );

  it(
    'are written only when they change, although sealing differs each time',
    onRedis(async (_redis, store) => {
      const [result] = await store.write([{ op: 'create', object: secret('s', { a: encoded }) }]);
      assert.ok(result?.ok);
      const [same] = await store.write([{ op: 'update', object: result.object }]);
      assert.ok(same?.ok);
      assert.equal(same.resourceVersion, result.resourceVersion);
    }),
  );

  it(
    'are refused to another key, and the error keeps quiet',
    onRedis(async (redis, store) => {
      await store.write([
        { op: 'create', object: secret('s', { password: encoded }) },
        { op: 'create', object: secret('t', { password: encoded }) },
      ]);
      const stranger = storeOn(redis, { sealKey: randomBytes(32) });
      try {
        await assert.rejects(stranger.open(signal), (error: Error & { code?: string }) => {
          assert.equal(error.code, 'SealBroken');
          assert.ok(!`${error.message}${error.stack ?? ''}`.includes(encoded));
          return true;
        });
      } finally {
        await stranger.close();
      }
      assert.equal((await store.list('Secret')).objects.length, 2, 'the stranger left everything as it was');
    }),
  );
});

describe('RedisObjectStore on a server with troubles', () => {
  it(
    'keeps clusters apart, and all keys of one in one hash slot',
    onRedis(async (redis, store) => {
      const other = storeOn(redis, { cluster: 'other' });
      try {
        await other.open(signal);
        await store.write([{ op: 'create', object: configMap('a', {}) }]);
        assert.equal((await other.list(undefined)).objects.length, 0);
        for (const key of await redis.client.keys('*')) assert.match(key, /^\{plumb:(test|other)\}:/);
      } finally {
        await other.close();
      }
    }),
  );

  it(
    'goes on when its connections are cut, and the watch misses nothing',
    onRedis(async (redis, store) => {
      const seen: string[] = [];
      const stop = new AbortController();
      let wake = (): void => undefined;
      const watching = (async () => {
        for await (const batch of store.watch('0', stop.signal)) {
          assert.equal(batch.type, 'events');
          if (batch.type === 'events') seen.push(...batch.events.map((e) => e.object.metadata.name));
          wake();
        }
      })();
      for (let n = 0; n < 20; n += 1) {
        if (n % 5 === 2) await redis.client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
        // A write that meets the cut may have been applied before its answer was lost.
        const [result] = await store.write([{ op: 'create', object: configMap(`c-${n}`, {}) }]);
        assert.ok(result?.ok || result?.reason === 'AlreadyExists');
      }
      while (seen.length < 20)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      stop.abort();
      await watching;
      assert.deepEqual(
        seen,
        Array.from({ length: 20 }, (_, n) => `c-${n}`),
      );
    }),
  );

  it(
    'says StoreUnavailable when the server hangs, obeys the signal, and works again after it',
    onRedis(
      async (redis, store) => {
        process.kill(redis.pid, 'SIGSTOP');
        try {
          await assert.rejects(store.list(undefined), {
            name: 'RetryableError',
            code: 'StoreUnavailable',
            message: /no answer within 2 s/,
          });
          await assert.rejects(store.list(undefined, AbortSignal.timeout(50)), { name: 'TimeoutError' });
        } finally {
          process.kill(redis.pid, 'SIGCONT');
        }
        await store.list(undefined);
      },
      // Of a server that hangs; one that goes on has to answer within it on a busy machine, too.
      { callTimeoutMs: 2000 },
    ),
  );

  it('says StoreLost, to calls and watches, when the server comes back empty', async () => {
    const redis = await startTestRedis();
    const store = storeOn(redis);
    const watch = store.watch.bind(store);
    try {
      await store.open(signal);
      await store.markReady(signal);
      const next = watch('0', signal)[Symbol.asyncIterator]().next();
      next.catch(() => undefined);
      await store.list(undefined);
      process.kill(redis.pid, 'SIGKILL');
      const again = await startPrivateRedis({ dir: redis.dir, socketPath: join(redis.dir, 'redis.sock'), signal });
      try {
        await assert.rejects(next, { code: 'StoreLost' });
        await assert.rejects(store.write([{ op: 'create', object: configMap('a', {}) }]), { code: 'StoreLost' });
        assert.equal((await store.open(signal)).fresh, true);
      } finally {
        await again.close();
      }
    } finally {
      await store.close();
      await redis.close();
    }
  });

  it(
    'loads its scripts again when the server forgot them',
    onRedis(async (redis, store) => {
      await store.list(undefined);
      await redis.client.script('FLUSH');
      assert.equal((await store.list(undefined)).objects.length, 0);
      await redis.client.script('FLUSH');
      const [result] = await store.write([{ op: 'create', object: configMap('a', {}) }]);
      assert.ok(result?.ok);
    }),
  );

  it(
    'is terminal about a wrong password',
    onRedis(async (redis) => {
      await redis.client.config('SET', 'requirepass', 'right');
      const store = storeOn({ connection: { ...redis.connection, password: 'wrong' } }, { callTimeoutMs: 1000 });
      try {
        await assert.rejects(store.open(signal), { name: 'TerminalError', code: 'StoreRefused' });
      } finally {
        await store.close();
      }
    }),
  );

  it('bounds the stream by its bytes, in what another version of the control plane left too', async () => {
    const redis = await startTestRedis();
    const store = new RedisObjectStore({
      connection: redis.connection,
      cluster: 'test',
      sealKey,
      clock: new SystemClock(),
      ids: new CryptoIds(),
      streamBytes: 100_000,
    });
    try {
      const { incarnation } = await store.open(signal);
      for (let round = 0; round < 10; round += 1) {
        await store.write(
          Array.from({ length: 200 }, (_, n) => ({ op: 'create' as const, object: configMap(`c-${round}-${n}`, {}) })),
        );
      }
      const stream = `{plumb:test}:changes:${incarnation}`;
      const bytes = async (): Promise<number> =>
        (await redis.client.xrange(stream, '-', '+')).reduce(
          (sum, [, [, record]]) => sum + Buffer.byteLength(record ?? ''),
          0,
        );
      const kept = await bytes();
      assert.ok(kept >= 100_000 && kept < 110_000, `${kept} bytes`);
      // One that counted entries left no parts.
      await redis.client.hdel('{plumb:test}:meta', 'streamBytes', 'streamParts');
      for (let round = 0; round < 10; round += 1)
        await store.write(
          Array.from({ length: 200 }, (_, n) => ({ op: 'create' as const, object: configMap(`d-${round}-${n}`, {}) })),
        );
      const after = await bytes();
      assert.ok(after >= 100_000 && after < 110_000, `${after} bytes`);
    } finally {
      await store.close();
      await redis.close();
    }
  });
});
