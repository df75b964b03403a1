import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { describe, it } from 'node:test';
import { joinSignals, onAbort } from '../../contracts/signals.ts';

const count = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length;

describe('a signal that many wait under', () => {
  it('has one listener, however many there are, and none when all are done', () => {
    const closing = new AbortController();
    const joined = Array.from({ length: 60 }, () => joinSignals(closing.signal, new AbortController().signal));
    assert.equal(count(closing.signal), 1);
    for (const one of joined) one[Symbol.dispose]();
    assert.equal(count(closing.signal), 0);
  });

  it('ends all of them with its reason, but not who has let go', () => {
    const closing = new AbortController();
    const [left, ...joined] = Array.from({ length: 20 }, () => joinSignals(closing.signal));
    left?.[Symbol.dispose]();
    const why = new Error('stopping');
    closing.abort(why);
    assert.ok(joined.every(({ signal }) => signal.reason === why));
    assert.equal(left?.signal.aborted, false);
  });

  it('calls each once, and not one that another let go of before', () => {
    const closing = new AbortController();
    const called: string[] = [];
    onAbort(closing.signal, () => {
      called.push('a');
      letGo();
    });
    const letGo = onAbort(closing.signal, () => {
      called.push('b');
    });
    onAbort(closing.signal, () => {
      called.push('c');
    });
    closing.abort();
    assert.deepEqual(called, ['a', 'c']);
  });
});
