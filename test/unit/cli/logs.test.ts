/** Logs of several containers, as one stream of lines. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { durationSeconds } from '../../../cli/print/format.ts';
import { LogLines } from '../../../cli/print/log-lines.ts';

const shown = (prefix: string, ...chunks: readonly string[]): readonly string[] => {
  const lines = new LogLines(prefix);
  return [...chunks.map((chunk) => lines.take(Buffer.from(chunk)).toString()), lines.end().toString()];
};

describe('lines of a log', () => {
  it('are shown whole, with whose they are in front of each', () => {
    assert.deepEqual(shown('[a] ', 'one\ntw', 'o', '\n\nthree\n'), ['[a] one\n', '', '[a] two\n[a] \n[a] three\n', '']);
    assert.deepEqual(shown('', 'one\ntw', 'o\n'), ['one\n', 'two\n', '']);
  });

  it('end with an end, so that the next one does not begin in the middle', () => {
    assert.deepEqual(shown('[a] ', 'one\ntwo'), ['[a] one\n', '[a] two\n']);
    assert.deepEqual(shown('[a] '), ['']);
  });

  it('are shown in parts where they have no end, and not held', () => {
    const [first = '', rest = '', end] = shown('[a] ', 'x'.repeat(100_000), 'y\nz');
    assert.equal(first, `[a] ${'x'.repeat(100_000)}`);
    assert.deepEqual([rest, end], ['y\n', '[a] z\n']);
  });
});

describe('a duration', () => {
  it('is written as for kubectl', () => {
    for (const [text, seconds] of [
      ['90s', 90],
      ['5m', 300],
      ['1h30m', 5400],
      ['1.5h', 5400],
      ['10ms', 1],
      ['0s', 1],
    ] as const)
      assert.equal(durationSeconds(text), seconds, text);
    for (const text of ['', '5', 'm', '5d', '-5s', '5s ', 'x5s'])
      assert.throws(() => durationSeconds(text), /no duration/);
  });
});
