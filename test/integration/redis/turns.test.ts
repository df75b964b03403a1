/** Who else is served by the event loop has a turn between the records of one write, and of what others wrote. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RedisObjectStore } from '../../../reconciler/adapters/redis/object-store.ts';
import { CryptoIds } from '../../../reconciler/adapters/system/ids.ts';
import type { TurnTaking } from '../../../reconciler/ports/turn-taking.ts';
import { configMap } from '../../contract/object-store/objects.ts';
import { clock, onRedis, sealKey, signal } from './open-store.ts';

/** Others wait at every step. Counts how often they were let in. */
class Crowd implements TurnTaking {
  count = 0;
  readonly isOver = true;

  async next(): Promise<void> {
    this.count += 1;
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}

const MANY = 100;
const creates = (prefix: string) =>
  Array.from({ length: MANY }, (_, n) => ({ op: 'create' as const, object: configMap(`${prefix}-${n}`, {}) }));

describe('the store on Redis, where others wait for the event loop', () => {
  it(
    'lets them in before each record that it makes and that it reads',
    onRedis(async (redis, other) => {
      const crowd = new Crowd();
      const store = new RedisObjectStore({
        connection: redis.connection,
        cluster: 'test',
        sealKey,
        clock,
        ids: new CryptoIds(),
        turns: crowd,
      });
      try {
        await store.open(signal);
        const changes = store.watch('0', signal)[Symbol.asyncIterator]();
        const results = await store.write(creates('own'));
        assert.equal(results.filter(({ ok }) => ok).length, MANY);
        assert.ok(crowd.count >= 2 * MANY, `${crowd.count} turns for ${MANY} records made and ${MANY} read`);

        const told = new Map<string, unknown>();
        const until = async (count: number): Promise<void> => {
          while (told.size < count) {
            const { value: batch } = await changes.next();
            assert.ok(batch?.type === 'events');
            for (const { object } of batch.events) told.set(object.metadata.name, object);
          }
        };
        await until(MANY);
        for (const result of results)
          assert.ok(result.ok && told.get(result.object.metadata.name) === result.object, 'read once, by the answer');

        crowd.count = 0;
        await other.write(creates('other'));
        await until(2 * MANY);
        assert.ok(crowd.count >= MANY, `${crowd.count} turns for ${MANY} records of somebody else`);
      } finally {
        await store.close();
      }
    }),
  );

  it(
    'takes answers that overtake one another',
    onRedis(async (redis, other) => {
      const store = new RedisObjectStore({
        connection: redis.connection,
        cluster: 'test',
        sealKey,
        clock,
        ids: new CryptoIds(),
        turns: new Crowd(),
      });
      try {
        await store.open(signal);
        const [made] = await store.write([{ op: 'create', object: configMap('one', { round: '0' }) }]);
        assert.ok(made?.ok);
        const { object } = made;
        const change = { op: 'update' as const, object: { ...object, data: { round: '1' } } as typeof object };
        // The long write is read long after what others did to the same object was heard.
        const [long, , short] = await Promise.all([
          store.write([...creates('long'), change]),
          other.write(creates('other')),
          store.write([change]),
        ]);
        const outcomes = [long.at(-1), short[0]].map((result) => (result?.ok ? 'ok' : result?.reason));
        assert.deepEqual(outcomes.sort(), ['Conflict', 'ok']);
        assert.equal((await store.list('ConfigMap')).objects.length, 2 * MANY + 1);
      } finally {
        await store.close();
      }
    }),
  );
});
