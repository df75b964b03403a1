/** Sets of indexes, held against sets of numbers. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Indexes } from '../../../reconciler/core/workloads/indexes.ts';

const MOST = 40;
const some = fc.uniqueArray(fc.nat(MOST - 1));

describe('a set of indexes', () => {
  it('has what was put into it, and says so in intervals', () => {
    fc.assert(
      fc.property(some, some, (one, other) => {
        const [a, b] = [Indexes.of(one), Indexes.of(other)];
        const both = new Set([...one, ...other]);
        const all = Array.from({ length: MOST }, (_, index) => index);
        assert.deepEqual(
          all.filter((index) => a.with(b).has(index)),
          all.filter((index) => both.has(index)),
        );
        assert.equal(a.with(b).size, both.size);
        assert.equal(a.common(b), one.filter((index) => other.includes(index)).length);
        assert.deepEqual(a.firstMissing(5, MOST), all.filter((index) => !one.includes(index)).slice(0, 5));
        assert.equal(Indexes.parse(a.toString(), MOST).toString(), a.toString());
      }),
    );
  });

  it('reads intervals of any order and size, up to what there is, and nothing else', () => {
    const read = (text: string, completions?: number): string => Indexes.parse(text, completions).toString();
    assert.equal(read('7,1-3,2-5,,x,9-8,-1', 8), '1-5,7');
    assert.equal(read('5-9999999999', 2 ** 31 - 1), `5-${2 ** 31 - 2}`);
    assert.equal(read('0-9999999999'), '0-9999999999');
    assert.equal(read('1-99999999999'), '');
    assert.equal(Indexes.parse(undefined).has(0), false);
  });

  it('of as many intervals as a manifest may write is soon held against another', () => {
    const every = (step: number): Indexes => Indexes.of(Array.from({ length: 200_000 }, (_, index) => index * step));
    assert.equal(every(2).common(every(3)), 66_667);
    assert.equal(every(2).has(399_998), true);
  });
});
