import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Stored } from '../../../contracts/objects/index.ts';
import { OwnAnswers } from '../../../reconciler/adapters/redis/own-answers.ts';

const object = { kind: 'ConfigMap' } as Stored;

describe('OwnAnswers', () => {
  it('knows the record of a version once, and no other record of it', () => {
    const answers = new OwnAnswers(100);
    answers.put('1', { record: 'one', object });
    assert.equal(answers.take('1', 'one'), object);
    assert.equal(answers.take('1', 'one'), undefined);
    answers.put('2', { record: 'two', object });
    assert.equal(answers.take('2', 'another'), undefined);
  });

  it('forgets the oldest when the records are too long together, however many they are', () => {
    const answers = new OwnAnswers(100);
    for (let version = 0; version < 30; version += 1) answers.put(String(version), { record: 'xxxx', object });
    assert.equal(answers.take('4', 'xxxx'), undefined);
    assert.equal(answers.take('5', 'xxxx'), object);
    answers.put('30', { record: 'y'.repeat(90), object });
    const left = Array.from({ length: 31 }, (_, version) => String(version)).filter(
      (version) => answers.take(version, version === '30' ? 'y'.repeat(90) : 'xxxx') !== undefined,
    );
    assert.deepEqual(left, ['28', '29', '30']);
  });

  it('counts a record once, however often it was the answer', () => {
    const answers = new OwnAnswers(100);
    for (let times = 0; times < 30; times += 1) answers.put('1', { record: 'xxxx', object });
    assert.equal(answers.take('1', 'xxxx'), object);
    answers.put('2', { record: 'y'.repeat(100), object });
    assert.equal(answers.take('2', 'y'.repeat(100)), object);
  });

  it('forgets what a listing showed, and its room', () => {
    const answers = new OwnAnswers(10);
    for (const version of ['8', '9', '10']) answers.put(version, { record: 'xxx', object });
    answers.listed(9);
    assert.deepEqual(
      ['8', '9', '10'].map((version) => answers.take(version, 'xxx')),
      [undefined, undefined, object],
    );
    answers.put('11', { record: 'y'.repeat(10), object });
    assert.equal(answers.take('11', 'y'.repeat(10)), object);
  });
});
