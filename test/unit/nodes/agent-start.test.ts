import assert from 'node:assert/strict';
import { it } from 'node:test';
import { startTimeoutMs } from '../../../reconciler/controllers/nodes/agent-install.ts';

it('gives an agent twice as long after each start that it did not answer in, a quarter of an hour at most', () => {
  assert.deepEqual(
    [0, 1, 2, 3, 4, 5, 1000].map((misses) => startTimeoutMs(misses) / 1000),
    [60, 120, 240, 480, 900, 900, 900],
  );
});
