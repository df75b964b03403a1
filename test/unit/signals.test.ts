import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { describe, it } from 'node:test';
import { joinSignals, onAbort, unlessAborted } from '../../contracts/signals.ts';

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

describe('work that does not look at its signal', () => {
  it('is given up when the signal aborts, with its reason', async () => {
    const stop = new AbortController();
    const given = unlessAborted(stop.signal, new Promise(() => undefined));
    const why = new Error('stopping');
    stop.abort(why);
    await assert.rejects(given, why);
    await assert.rejects(unlessAborted(stop.signal, Promise.resolve('late')), why);
  });

  it('leaves no listener, whether it is done or fails', async () => {
    const { signal } = new AbortController();
    for (let round = 0; round < 20; round += 1) {
      assert.equal(await unlessAborted(signal, Promise.resolve('done')), 'done');
      await assert.rejects(unlessAborted(signal, Promise.reject(new Error('failed'))), /failed/);
    }
    assert.equal(count(signal), 0);
  });
});
