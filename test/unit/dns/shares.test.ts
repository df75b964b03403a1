import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Shares } from '../../../nodeagent/core/dns/shares.ts';

it('an address has its share, whatever others take, and has it again once it gave back', () => {
  const shares = new Shares(2);
  assert.deepEqual(
    ['a', 'a', 'a', 'b'].map((address) => shares.take(address)),
    [true, true, false, true],
  );
  shares.giveBack('a');
  assert.deepEqual([shares.take('a'), shares.take('a')], [true, false]);
});
