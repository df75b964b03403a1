/** A record that was put back is told from one that was written, by what is known of its object. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Stored } from '../../../contracts/objects/index.ts';
import { Freshness } from '../../../reconciler/adapters/redis/freshness.ts';
import type { DecodedRecord } from '../../../reconciler/adapters/redis/record.ts';

/** The config map `a` at `version`, whose body was written over `base`. */
const record = (version: number, base: number, uid = 'first'): DecodedRecord => ({
  object: {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'a', namespace: 'default', uid, resourceVersion: String(version) },
  } as Stored,
  bodyBase: base,
  statusBase: 0,
});
const deleted = (version: number, base: number): DecodedRecord => ({ ...record(version, 0), endBase: base });

/** Created at 1, deleted at 2. */
function afterDeletion(): Freshness {
  const freshness = new Freshness();
  assert.ok(freshness.accept('put', record(1, 0)));
  assert.ok(freshness.accept('delete', deleted(2, 1)));
  return freshness;
}

describe('a record of a deleted object', () => {
  for (const [what, asked, isSound] of [
    ['is not there for who asked when the deletion was known', 2, false],
    ['is not there for who asked later', 3, false],
    ['may be in an answer that was on its way when it was deleted', 1, true],
  ] as const)
    it(what, () => {
      const freshness = afterDeletion();
      assert.equal(freshness.acceptCurrent(record(1, 0), undefined, asked), isSound);
      assert.equal(freshness.known('configmaps/default/a'), undefined, 'it does not come back to life');
    });

  it('is not in a listing either', () => {
    assert.equal(afterDeletion().acceptAll([record(1, 0)], 2), undefined);
    assert.deepEqual(afterDeletion().acceptAll([record(1, 0)], 1), []);
  });

  it('may pass in the change stream, up to the deletion', () => {
    const freshness = afterDeletion();
    assert.ok(freshness.accept('put', record(1, 0)));
    assert.ok(!freshness.accept('put', record(3, 0)), 'with a version above that of the deletion');
  });

  it('is another one where an object of its uid was created since', () => {
    const freshness = afterDeletion();
    freshness.expect('first');
    assert.ok(freshness.acceptCurrent(record(3, 0), undefined, 2));
  });
});

describe('a record of an object that was replaced', () => {
  it('is not there for who knew its successor', () => {
    const freshness = new Freshness();
    assert.ok(freshness.accept('put', record(1, 0)));
    assert.ok(freshness.accept('put', record(4, 0, 'second')));
    const known = freshness.known('configmaps/default/a');
    assert.ok(!freshness.acceptCurrent(record(1, 0), known, 4));
    assert.ok(!freshness.acceptCurrent(record(5, 1), known, 4), 'with a newer version');
  });
});
