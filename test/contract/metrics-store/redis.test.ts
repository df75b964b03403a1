import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { RedisMetricsStore } from '../../../reconciler/adapters/redis/metrics-store.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { metricsStoreSuite, sampleOfNode } from './suite.ts';
import { inPatience } from '../../support/patience.ts';

metricsStoreSuite('redis', async () => {
  const redis = await startTestRedis();
  const sealKey = randomBytes(32);
  const where = { connection: redis.connection, cluster: 'test', incarnation: 'i1', sealKey };
  return {
    connect: () => new RedisMetricsStore({ ...where, clock: { now: () => new Date() } }),
    // Redis has its own clock.
    pass: (ms) => delay(ms),
    close: () => redis.close(),
  };
});

describe('samples of use in a Redis that others can write', () => {
  const signal = inPatience(60_000);
  const sealKey = randomBytes(32);
  let redis: TestRedis;
  let now = new Date('2026-01-01T00:00:00Z');
  let store: RedisMetricsStore;
  const open = (more: { sealKey?: Buffer; incarnation?: string } = {}): RedisMetricsStore =>
    new RedisMetricsStore({
      connection: redis.connection,
      cluster: 'test',
      incarnation: 'i1',
      sealKey,
      clock: { now: () => now },
      ...more,
    });
  const key = (node: string): string => `{plumb:test}:metrics:${node}`;
  const known = async (): Promise<readonly string[]> => [...(await store.of(['n1', 'n2'], signal)).keys()];
  const text = async (node: string): Promise<string> => (await redis.client.get(key(node))) ?? '';

  before(async () => {
    redis = await startTestRedis();
    store = open();
  });
  after(async () => {
    await store?.close();
    await redis?.close();
  });

  it('are believed from a holder of the key alone, and of the node and the incarnation that they were written for', async () => {
    await store.put('n1', sampleOfNode('n1', '1n', ['a']), 3_600_000, signal);
    assert.deepEqual(await known(), ['n1']);
    const written = await text('n1');
    await redis.client.set(key('n2'), written);
    assert.deepEqual(await known(), ['n1'], 'moved to another node');
    for (const wrong of ['', 'x', '\n', '1.\n{}', written.replace('"7n"', '"9n"'), written.replace(/^1/, '2')]) {
      await redis.client.set(key('n1'), wrong);
      assert.deepEqual(await known(), [], wrong.slice(0, 60));
    }
    for (const another of [open({ sealKey: randomBytes(32) }), open({ incarnation: 'i2' })]) {
      await another.put('n1', sampleOfNode('n1', '1n'), 3_600_000, signal);
      assert.deepEqual(await known(), []);
      await another.close();
    }
  });

  it('are over at their time, also when they are put back', async () => {
    await store.put('n1', sampleOfNode('n1', '1n'), 45_000, signal);
    await redis.client.persist(key('n1'));
    assert.deepEqual(await known(), ['n1']);
    now = new Date(now.getTime() + 120_000);
    assert.deepEqual(await known(), []);
  });

  it('are read no further than a sample may be long', async () => {
    await redis.client.set(key('n1'), Buffer.alloc(16 * 1024 * 1024, '1'));
    assert.deepEqual(await known(), []);
  });
});
