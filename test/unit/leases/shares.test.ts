import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { shardOf, SHARDS } from '../../../reconciler/core/leases/shards.ts';
import { sharesOf } from '../../../reconciler/core/leases/shares.ts';
import { Silence } from '../../../reconciler/core/leases/silence.ts';

describe('shares of the shards', () => {
  const cases: readonly {
    readonly name: string;
    readonly members: readonly string[];
    readonly holders: readonly (readonly [number, string])[];
    readonly take: readonly number[];
    readonly giveUp: readonly number[];
  }[] = [
    { name: 'one alone takes all', members: ['a'], holders: [], take: [0, 1, 2, 3], giveUp: [] },
    { name: 'half when there are two', members: ['a', 'b'], holders: [], take: [0, 1], giveUp: [] },
    {
      name: 'gives up what is over its share',
      members: ['a', 'b'],
      holders: [
        [0, 'a'],
        [1, 'a'],
        [2, 'a'],
        [3, 'a'],
      ],
      take: [],
      giveUp: [2, 3],
    },
    {
      name: 'leaves what somebody holds',
      members: ['a', 'b'],
      holders: [
        [0, 'b'],
        [1, 'b'],
      ],
      take: [2, 3],
      giveUp: [],
    },
    {
      name: 'takes over from one that is gone',
      members: ['a'],
      holders: [
        [0, 'a'],
        [1, 'a'],
      ],
      take: [2, 3],
      giveUp: [],
    },
    { name: 'one that takes no shards has none', members: ['b'], holders: [[0, 'b']], take: [], giveUp: [] },
  ];
  for (const { name, members, holders, take, giveUp } of cases) {
    it(name, () => {
      assert.deepEqual(sharesOf('a', members, new Map(holders), 4), { take, giveUp });
    });
  }

  it('comes to rest with every shard held, and nobody above its share, from wherever it begins', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 6 }),
        fc.array(fc.integer({ min: 0, max: 7 }), { maxLength: 20 }),
        (shards, count, first) => {
          const members = Array.from({ length: count }, (_, index) => `m${index}`);
          const holders = new Map<number, string>();
          for (const [shard, holder] of first.entries())
            if (shard < shards && holder < count) holders.set(shard, `m${holder}`);
          for (let round = 0; round < 3; round += 1)
            for (const me of members) {
              const { take, giveUp } = sharesOf(me, members, holders, shards);
              for (const shard of giveUp) holders.delete(shard);
              for (const shard of take) holders.set(shard, me);
            }
          assert.equal(holders.size, shards);
          for (const me of members) {
            const held = [...holders.values()].filter((holder) => holder === me).length;
            assert.ok(held <= Math.ceil(shards / count));
            assert.deepEqual(sharesOf(me, members, holders, shards), { take: [], giveUp: [] });
          }
        },
      ),
    );
  });

  it('spreads keys over all shards', () => {
    const hit = new Set(Array.from({ length: 500 }, (_, index) => shardOf(`node-${index}`)));
    assert.equal(hit.size, SHARDS);
  });
});

describe('silence of the others', () => {
  it('counts from the first look that shows no new beat, at most so much a look', () => {
    const silence = new Silence(200);
    silence.look(
      [
        { id: 'a', beat: 1 },
        { id: 'b', beat: 1 },
      ],
      1000,
    );
    silence.look(
      [
        { id: 'a', beat: 2 },
        { id: 'b', beat: 1 },
      ],
      1100,
    );
    assert.deepEqual(silence.silentFor(100), [{ id: 'b', beat: 1 }]);
    // The store was away for a minute: nobody could be heard.
    silence.look(
      [
        { id: 'a', beat: 2 },
        { id: 'b', beat: 1 },
      ],
      61_100,
    );
    assert.deepEqual(silence.silentFor(300), [{ id: 'b', beat: 1 }]);
    assert.deepEqual(silence.silentFor(301), []);
    silence.look(
      [
        { id: 'a', beat: 3 },
        { id: 'b', beat: 2 },
      ],
      61_200,
    );
    assert.deepEqual(silence.silentFor(1), []);
  });
});
