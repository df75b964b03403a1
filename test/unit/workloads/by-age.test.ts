import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Stored } from '../../../contracts/objects/index.ts';
import { byAge, sortedByAge } from '../../../reconciler/core/workloads/owners.ts';

const made = (name: string, creationTimestamp: string): Stored =>
  ({ kind: 'ConfigMap', metadata: { name, creationTimestamp } }) as Stored;
/** One moment in two spellings among them. */
const TIMES = ['2026-01-01T00:00:00Z', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:01Z', '2025-12-31T23:59:59Z'];

describe('sortedByAge', () => {
  it('is the order of byAge, and leaves what it was given as it is', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.constantFrom(...TIMES))), (pairs) => {
        const objects = Object.freeze(pairs.map(([name, time]) => made(name, time)));
        assert.deepEqual(sortedByAge(objects), [...objects].sort(byAge));
      }),
    );
  });
});
