/** What somebody else put into the table of members and leases: the store is rebuilt, once, and then it is whole. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RedisLeases } from '../../../reconciler/adapters/redis/leases.ts';
import type { PositionMark } from '../../../reconciler/adapters/redis/position-mark.ts';
import type { TestRedis } from '../../support/redis.ts';
import { clock, LOST, META, onRedis, signal, storeOn, TAMPERED } from './open-store.ts';

/** What a session does with the table when it begins, and on its way. */
async function joinAndTake(leases: RedisLeases): Promise<void> {
  const { member } = await leases.join({ home: 'home', label: 'here' }, signal);
  await leases.renew(member, { beat: 1, ready: true, letGo: { upTo: 0, shards: [] } }, signal);
  await leases.acquire(member, ['opening'], signal);
}

async function leasesOn(redis: TestRedis, mark: PositionMark): Promise<{ leases: RedisLeases; fresh: boolean }> {
  const store = storeOn(redis, mark);
  const { incarnation, fresh } = await store.open(signal);
  await store.close();
  const { connection } = redis;
  return { leases: new RedisLeases({ connection, cluster: 'test', incarnation, clock, mark }), fresh };
}

const many = (prefix: string): string[] => Array.from({ length: 5000 }, (_, n) => [`${prefix}${n}`, '1']).flat();

describe('members and leases that somebody else wrote', () => {
  for (const [what, fields, error] of [
    ['the number of shards', ['shards', 'x'], TAMPERED],
    ['too large a number of shards', ['shards', '1000000'], TAMPERED],
    ['the count of epochs', ['epoch', 'x'], LOST],
    ['too large a count of epochs', ['epoch', '9007199254740990'], TAMPERED],
    ['the count of members', ['members', 'x'], LOST],
    ['a member that never falls silent', ['member:99', 'theirs|x|1|0:|there'], TAMPERED],
    ['a holder', ['lease:shard-1', 'x'], TAMPERED],
    ['more members than there can be', many('member:'), LOST],
    ['a label of megabytes', ['member:99', `theirs|1|1|0:|${'x'.repeat(3_000_000)}`], LOST],
  ] as const)
    it(
      `begin a recovery: ${what}`,
      onRedis(async (redis, _store, mark) => {
        const before = await leasesOn(redis, mark);
        try {
          await redis.client.hset(META, ...fields);
          await assert.rejects(joinAndTake(before.leases), error);
        } finally {
          await before.leases.close();
        }
        const after = await leasesOn(redis, mark);
        try {
          assert.equal(after.fresh, true);
          await joinAndTake(after.leases);
        } finally {
          await after.leases.close();
        }
      }),
    );
});
