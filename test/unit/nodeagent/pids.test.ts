import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { pidsLimits } from '../../../nodeagent/core/pod/pids.ts';

describe('pidsLimits', () => {
  for (const [what, machine, expected] of [
    ['the usual pid_max', { pidMax: 32_768, threadsMax: 250_000 }, { pods: 24_576, pod: 4096 }],
    ['a large machine', { pidMax: 4_194_304, threadsMax: 1_000_000 }, { pods: 750_000, pod: 4096 }],
    ['a small one, bounded by its memory', { pidMax: 4_194_304, threadsMax: 7700 }, { pods: 5775, pod: 1443 }],
  ] as const) {
    it(what, () => assert.deepEqual(pidsLimits(machine), expected));
  }
});
