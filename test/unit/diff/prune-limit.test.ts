import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { overPruneLimit, type Refusal } from '../../../reconciler/core/diff/index.ts';
import type { PruneLimits } from '../../../reconciler/core/diff/prune-limit.ts';
import { NOTHING_DESIRED, type Desired, type DesiredState } from '../../../reconciler/core/manifests/index.ts';
import { unlessRestored } from '../../../reconciler/core/revisions/prune-guard.ts';

describe('how much one commit may delete', () => {
  const table: readonly [percent: number | undefined, deleted: number, left: number, wanted: RegExp | undefined][] = [
    [undefined, 0, 0, undefined],
    [undefined, 2, 1, undefined],
    [undefined, 10, 1, undefined],
    [undefined, 11, 1, /11 of 12 objects, more than 50 %/],
    [undefined, 11, 11, undefined],
    [undefined, 1, 0, /all 1 objects/],
    [undefined, 7, 0, /all 7 objects and leave nothing/],
    [undefined, 400, 600, undefined],
    [100, 7, 0, undefined],
    [0, 1, 99, /1 of 100 objects, more than spec\.sync\.maxPrunePercent \(0\)/],
    [40, 2, 2, /2 of 4/],
    [50, 2, 2, undefined],
  ];
  for (const [percent, deleted, left, wanted] of table) {
    it(`${deleted} deleted, ${left} left, limit ${percent ?? 'not set'}: ${wanted ? 'refused' : 'allowed'}`, () => {
      const said = overPruneLimit({ maxPrunePercent: percent }, deleted, left)?.message;
      if (wanted) assert.match(said ?? '', wanted);
      else assert.equal(said, undefined);
    });
  }

  it('a number of objects holds beside the share, and takes the place of the default', () => {
    const over = (limits: PruneLimits, deleted: number, left: number): string | undefined =>
      overPruneLimit(limits, deleted, left)?.field;
    assert.equal(over({ maxPruneObjects: 5 }, 6, 994), 'maxPruneObjects');
    assert.equal(over({ maxPruneObjects: 500 }, 400, 10), undefined);
    assert.equal(over({ maxPruneObjects: 500, maxPrunePercent: 50 }, 400, 10), 'maxPrunePercent');
    assert.equal(over({ maxPruneObjects: 500 }, 7, 0), 'maxPrunePercent');
  });
});

describe('a commit with the files of an earlier one', () => {
  const refusal = (code: string, acknowledge?: string): Refusal => ({
    severity: 'error',
    code,
    file: 'a',
    line: 1,
    column: 1,
    message: '',
    ...(acknowledge !== undefined && { acknowledge }),
  });
  const refusals = [refusal('PruneLimit', '2'), refusal('ImmutableField')];
  const some: Desired = { ...NOTHING_DESIRED, state: new Map([['k', {}]]) as unknown as DesiredState };
  const codes = (log: readonly { tree: string }[], desired: Desired): string[] =>
    unlessRestored(refusals, log, desired).map((d) => d.code);
  it('is not held to the limit, but to everything else', () =>
    assert.deepEqual(codes([{ tree: 'a' }, { tree: 'b' }, { tree: 'a' }], some), ['ImmutableField']));
  it('is when nothing is in it', () =>
    assert.deepEqual(codes([{ tree: 'a' }, { tree: 'b' }, { tree: 'a' }], NOTHING_DESIRED), [
      'PruneLimit',
      'ImmutableField',
    ]));
  it('is when there is no such one', () =>
    assert.deepEqual(codes([{ tree: 'a' }, { tree: 'b' }], some), ['PruneLimit', 'ImmutableField']));
});
