import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inSlices } from '../../../reconciler/controllers/runtime/slices.ts';
import { finish, type Paced } from '../../../reconciler/core/paced.ts';

/** Counts turns of the event loop until it has seen `turns` of them. */
function* waitingFor(turns: number, seen: () => number): Paced<number> {
  while (seen() < turns) yield;
  return seen();
}

describe('a paced calculation', () => {
  it('lets others go on, and ends with its answer', async () => {
    let turns = 0;
    let on = true;
    const turn = (): void => {
      turns += 1;
      if (on) setImmediate(turn);
    };
    turn();
    assert.equal(
      await inSlices(
        waitingFor(5, () => turns),
        new AbortController().signal,
      ),
      5,
    );
    on = false;
  });

  it('ends at once when nobody wants it any more', async () => {
    const stop = new AbortController();
    const reason = new Error('stopping');
    setImmediate(() => {
      stop.abort(reason);
    });
    await assert.rejects(
      inSlices(
        waitingFor(1, () => 0),
        stop.signal,
      ),
      reason,
    );
  });

  it('fails as it fails', async () => {
    function* failing(): Paced<never> {
      yield;
      throw new Error('no');
    }
    await assert.rejects(inSlices(failing(), new AbortController().signal), /^Error: no$/);
    assert.throws(() => finish(failing()), /^Error: no$/);
  });

  it('may be run without a pause', () => {
    let steps = 0;
    assert.equal(finish(waitingFor(3, () => steps++)), 4);
  });
});
