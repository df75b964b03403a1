/** An object store, opened and ready, on a redis-server of its own. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { ConfigMap, Stored } from '../../../contracts/objects/index.ts';
import { RedisObjectStore } from '../../../reconciler/adapters/redis/object-store.ts';
import { PositionMark } from '../../../reconciler/adapters/redis/position-mark.ts';
import { SystemClock } from '../../../reconciler/adapters/system/clock.ts';
import { CryptoIds } from '../../../reconciler/adapters/system/ids.ts';
import type { WriteOp } from '../../../reconciler/ports/object-store.ts';
import { configMap } from '../../contract/object-store/objects.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { inPatience } from '../../support/patience.ts';

export const signal = inPatience(60_000);
export const sealKey = randomBytes(32);
export const clock = new SystemClock();
export const META = '{plumb:test}:meta';
export const LOST = { name: 'RetryableError', code: 'StoreLost' };
export const TAMPERED = { name: 'RetryableError', code: 'StoreTampered' };

export const storeOn = (redis: TestRedis, mark = new PositionMark()): RedisObjectStore =>
  new RedisObjectStore({ connection: redis.connection, cluster: 'test', sealKey, clock, ids: new CryptoIds(), mark });

export const onRedis =
  (body: (redis: TestRedis, store: RedisObjectStore, mark: PositionMark) => Promise<void>) =>
  async (): Promise<void> => {
    const redis = await startTestRedis();
    const mark = new PositionMark();
    const store = storeOn(redis, mark);
    try {
      await store.open(signal);
      await store.markReady(signal);
      await body(redis, store, mark);
    } finally {
      await store.close();
      await redis.close();
    }
  };

export async function write<T extends Stored>(store: RedisObjectStore, op: WriteOp): Promise<T> {
  const [result] = await store.write([op]);
  assert.ok(result?.ok, result && !result.ok ? result.message : 'no result');
  return result.object as T;
}

export const create = <T extends Stored = Stored<ConfigMap>>(
  store: RedisObjectStore,
  name: string,
  data: Record<string, string> = {},
): Promise<T> => write<T>(store, { op: 'create', object: configMap(name, data) });

/** A watch from the beginning, and its next answer. */
export const nextOf = (store: RedisObjectStore, from: string): Promise<unknown> =>
  store.watch(from, signal)[Symbol.asyncIterator]().next();
