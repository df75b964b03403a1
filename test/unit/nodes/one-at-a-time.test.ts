import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { OneAtATime } from '../../../reconciler/controllers/nodes/one-at-a-time.ts';

/** Runs that end when they are told to. */
class Runs {
  readonly ends: ((error?: Error) => void)[] = [];
  readonly begin = (): Promise<void> =>
    new Promise((resolve, reject) => {
      this.ends.push((error) => {
        if (error) reject(error);
        else resolve();
      });
    });
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('runs of one thing', () => {
  it('are never two at once, and one more serves all who ask meanwhile', async () => {
    const [one, runs] = [new OneAtATime(), new Runs()];
    const first = one.run(runs.begin);
    await turn();
    assert.deepEqual([runs.ends.length, one.isRunning], [1, true]);
    const asked = [one.run(runs.begin), one.run(runs.begin)];
    await turn();
    assert.equal(runs.ends.length, 1);
    runs.ends[0]?.();
    await first;
    await turn();
    assert.equal(runs.ends.length, 2);
    runs.ends[1]?.();
    await Promise.all(asked);
    assert.equal(one.isRunning, false);
  });

  it('go on after one that failed, which fails for those who asked for it', async () => {
    const [one, runs] = [new OneAtATime(), new Runs()];
    const first = one.run(runs.begin);
    await turn();
    const second = one.run(runs.begin);
    runs.ends[0]?.(new Error('broken'));
    await assert.rejects(first, /broken/);
    await turn();
    runs.ends[1]?.();
    await second;
  });

  it('are over when none runs and none is to run', async () => {
    const [one, runs] = [new OneAtATime(), new Runs()];
    const first = one.run(runs.begin);
    await turn();
    const second = one.run(runs.begin);
    let isOver = false;
    const settled = one.settled().then(() => (isOver = true));
    runs.ends[0]?.(new Error('broken'));
    await assert.rejects(first);
    await turn();
    assert.equal(isOver, false);
    runs.ends[1]?.();
    await second;
    await settled;
  });
});
