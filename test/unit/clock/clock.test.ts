import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, it } from 'node:test';
import { joinSignals } from '../../../contracts/signals.ts';
import { systemClock } from '../../../nodeagent/adapters/system/clock.ts';
import { SystemClock } from '../../../reconciler/adapters/system/clock.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Whether `promise` has settled when what was due at once has happened. */
async function settlesAtOnce(promise: Promise<unknown>): Promise<boolean> {
  return Promise.race([
    promise.then(
      () => true,
      () => true,
    ),
    new Promise<boolean>((resolve) => {
      setTimeout(() => resolve(false), 20);
    }),
  ]);
}

describe('joined signals', () => {
  it('aborts with the first, for its reason', () => {
    const [a, b] = [new AbortController(), new AbortController()];
    using joined = joinSignals(a.signal, b.signal);
    b.abort('b ends');
    a.abort('a ends');
    assert.equal(joined.signal.reason, 'b ends');
  });

  it('is aborted from the start where one of them is', () => {
    using joined = joinSignals(new AbortController().signal, AbortSignal.abort('over'));
    assert.equal(joined.signal.reason, 'over');
  });

  it('leaves nothing on what it joined, however often', () => {
    const long = new AbortController();
    for (let i = 0; i < 100; i += 1) {
      using _joined = joinSignals(long.signal, new AbortController().signal);
    }
    assert.equal(getEventListeners(long.signal, 'abort').length, 0);
  });
});

for (const [name, clock] of [
  ['the control plane', new SystemClock()],
  ['the agent', systemClock],
] as const) {
  describe(`the clock of ${name}`, () => {
    it('waits for longer than one timer can', async () => {
      const stop = new AbortController();
      const sleeping = clock.sleep(2 ** 31 + 1000, stop.signal);
      assert.equal(await settlesAtOnce(sleeping), false);
      stop.abort(new Error('enough'));
      await assert.rejects(sleeping, /enough/);
    });

    it('sleeps for any number under one signal, and leaves nothing on it', async () => {
      const stop = new AbortController();
      const listeners = (): number => getEventListeners(stop.signal, 'abort').length;
      const [short, ...long] = [1, ...Array<number>(20).fill(60_000)].map((ms) => clock.sleep(ms, stop.signal));
      assert.equal(listeners(), 1);
      await short;
      stop.abort(new Error('enough'));
      for (const sleeping of long) await assert.rejects(sleeping, /enough/);
      assert.equal(listeners(), 0);
      await assert.rejects(clock.sleep(1, stop.signal), /enough/);
      const { signal } = new AbortController();
      await clock.sleep(1, signal);
      assert.equal(getEventListeners(signal, 'abort').length, 0);
    });

    it('ends a deadline with a TimeoutError, also after garbage was collected', async () => {
      using limit = clock.deadline(10);
      const ended = new Promise((resolve) => {
        limit.signal.addEventListener('abort', resolve);
      });
      collectGarbage();
      await ended;
      assert.equal((limit.signal.reason as Error).name, 'TimeoutError');
    });

    it('ends no deadline that was disposed of', async () => {
      const outer = new AbortController();
      const limit = clock.deadline(1, outer.signal);
      limit[Symbol.dispose]();
      await clock.sleep(5);
      outer.abort();
      assert.equal(limit.signal.aborted, false);
    });

    it('never goes back', () => {
      const first = clock.monotonic();
      assert.ok(clock.monotonic() >= first);
    });
  });
}
