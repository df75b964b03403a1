/** Members and leases as Redis holds them: only what a control plane writes is read. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeTable, encodeMember, labelOf, LONGEST_FIELD } from '../../../reconciler/adapters/redis/lease-table.ts';

const HOME = { home: 'home-1', label: labelOf('host:/var/lib|plumb') };

describe('the table of members and leases', () => {
  it('is read as it was written', () => {
    const state = { beat: 7, ready: true, letGo: { upTo: 3, shards: [0, 15] } };
    assert.deepEqual(decodeTable(['version', '12', 'member:4', encodeMember(HOME, state), 'lease:shard-1', '4']), {
      members: [{ id: '4', label: 'host:/var/lib|plumb', ...state }],
      holders: new Map([['shard-1', '4']]),
    });
  });

  it('has labels of one line, of 200 characters at most', () => {
    const label = labelOf(`\u001b[31mhost\n${'x'.repeat(300)}`);
    assert.match(label, /^\?\[31mhost\?x+$/);
    assert.equal(label.length, 200);
  });

  it('has room for what one says of as many shards as there may be', () => {
    const shards = Array.from({ length: 1024 }, (_, shard) => shard);
    const value = encodeMember(HOME, { beat: 1, ready: true, letGo: { upTo: 999_999_999_999_999, shards } });
    assert.ok(value.length <= LONGEST_FIELD);
    assert.deepEqual(decodeTable(['member:1', value])?.members[0]?.letGo.shards, shards);
  });

  for (const [what, field, value] of [
    ['a beat that is no number, which would always be another one', 'member:4', 'home|x|1|0:|label'],
    ['a beat below zero', 'member:4', 'home|-1|1|0:|label'],
    ['a beat beyond what is counted', 'member:4', 'home|9007199254740993|1|0:|label'],
    ['a version that is no number', 'member:4', 'home|1|1|NaN:|label'],
    ['a shard that is no number', 'member:4', 'home|1|1|7:1,x|label'],
    ['a version for no shards at all', 'member:4', 'home|1|1|7|label'],
    ['no beat', 'member:4', 'home||1|0:|label'],
    ['ready in words', 'member:4', 'home|1|true|0:|label'],
    ['no label', 'member:4', 'home|1|1|0:'],
    ['a label for a terminal', 'member:4', 'home|1|1|0:|\u001b[2J'],
    ['a label that is too long', 'member:4', `home|1|1|0:|${'x'.repeat(201)}`],
    ['a member without a number', 'member:', 'home|1|1|0:|label'],
    ['a holder that is no member', 'lease:shard-1', 'x'],
  ] as const)
    it(`is refused with ${what}`, () => {
      assert.equal(decodeTable([field, value]), undefined);
    });
});
