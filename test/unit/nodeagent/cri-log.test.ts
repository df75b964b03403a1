import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { logText, messagesOf } from '../../../nodeagent/core/logs/cri-log.ts';

describe('messages of a log', () => {
  const line = (tag: string, text: string): string => `2026-01-01T00:00:00Z stdout ${tag} ${text}`;
  it('have the last one, though it has no end', () => {
    assert.deepEqual(messagesOf([line('F', 'a'), line('P', 'b'), line('F', 'c'), line('P', 'DONE'), '']), [
      'a',
      'bc',
      'DONE',
    ]);
    assert.deepEqual(messagesOf([line('F', 'a'), '']), ['a']);
  });
});

describe('a log that comes in pieces', () => {
  const line = (second: number, tag: string, text: string): string =>
    `2026-01-01T00:00:0${second}Z stdout ${tag} ${text}`;

  it('has one time in front of a line, however the runtime cut it', () => {
    const shown = logText({ timestamps: true, since: undefined });
    assert.equal(
      shown([line(1, 'P', 'a long'), line(2, 'P', ' line')]) + shown([line(3, 'F', ' ends'), line(4, 'F', 'next')]),
      '2026-01-01T00:00:01Z a long line ends\n2026-01-01T00:00:04Z next\n',
    );
  });

  it('leaves out what was printed before, and lines in no format', () => {
    const shown = logText({ timestamps: false, since: Date.parse('2026-01-01T00:00:02Z') });
    assert.equal(shown([line(1, 'F', 'a'), line(2, 'F', 'b'), 'nonsense', line(3, 'F', 'c')]), 'b\nc\n');
  });
});
