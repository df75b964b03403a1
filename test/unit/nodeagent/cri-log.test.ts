import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { messagesOf } from '../../../nodeagent/core/logs/cri-log.ts';

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
