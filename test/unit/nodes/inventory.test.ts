import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { InventoryReader } from '../../../reconciler/controllers/nodes/inventory.ts';

describe('an inventory in one piece, as agents of before tell it', () => {
  for (const text of ['null', '5', '"text"', '[]', '{', ''])
    it(`that is ${text || 'empty'} is asked for again`, () => {
      const reader = new InventoryReader();
      assert.throws(
        () => {
          reader.takeWhole(text);
          reader.finish();
        },
        { code: 'AgentFailed' },
      );
    });

  it('counts what of it cannot be read, and leaves out lists that are none', () => {
    const reader = new InventoryReader();
    const info = {
      agentVersion: '1',
      bundleHash: 'b',
      runtimeHash: 'r',
      pid: 1,
      startedAt: '2026-01-01T00:00:00Z',
      node: 'n1',
      epoch: 1,
      assignmentVersion: null,
    };
    reader.takeWhole(JSON.stringify({ info, objects: [null, 7, {}], pods: { length: 1 } }));
    assert.deepEqual([reader.finish().unread, reader.finish().keys, reader.finish().pods], [3, [], []]);
  });
});
