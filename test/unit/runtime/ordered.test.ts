import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Ordered } from '../../../reconciler/controllers/runtime/ordered.ts';

const change = fc.record({ key: fc.constantFrom(...'abcdefgh'), remove: fc.boolean(), read: fc.boolean() });

describe('an ordered list', () => {
  it('has what was put and not deleted, in order, after whatever came before', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
        const ordered = new Ordered<string>();
        const model = new Map<string, string>();
        const given: { readonly list: readonly string[]; readonly then: readonly string[] }[] = [];
        for (const [at, { key, remove, read }] of changes.entries()) {
          if (remove) {
            ordered.delete(key);
            model.delete(key);
          } else {
            ordered.put(key, `${key}${at}`);
            model.set(key, `${key}${at}`);
          }
          assert.equal(ordered.size, model.size);
          if (read) given.push({ list: ordered.values(), then: [...model.values()].sort() });
        }
        assert.deepEqual(ordered.values(), [...model.values()].sort());
        for (const { list, then } of given) assert.deepEqual(list, then, 'a list that was given out changed');
      }),
    );
  });

  it('is the same list while nothing changes', () => {
    const ordered = new Ordered<number>();
    ordered.put('a', 1);
    assert.equal(ordered.values(), ordered.values());
  });
});
