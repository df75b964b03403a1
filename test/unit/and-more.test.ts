import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { andMore } from '../../reconciler/core/and-more.ts';

describe('a list in a sentence', () => {
  const rows: readonly (readonly [readonly string[], number, string])[] = [
    [[], 2, ''],
    [['a'], 2, 'a'],
    [['a', 'b'], 2, 'a, b'],
    [['a', 'b', 'c'], 2, 'a, b and 1 more'],
    [['a', 'b', 'c', 'd'], 1, 'a and 3 more'],
  ];
  for (const [texts, shown, wanted] of rows)
    it(JSON.stringify(wanted), () => assert.equal(andMore(texts, shown), wanted));

  it('has the separator that is asked for', () => assert.equal(andMore(['a', 'b', 'c'], 2, '; '), 'a; b and 1 more'));
});
