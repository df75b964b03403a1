import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Places } from '../../../reconciler/controllers/nodes/places.ts';

/** Sleeps end when they are told to, all of them: one turn of an event loop that may be late. */
class Turns {
  readonly #sleeping = new Set<() => void>();
  readonly clock = {
    sleep: (_ms: number, signal?: AbortSignal): Promise<void> =>
      new Promise((resolve, reject) => {
        this.#sleeping.add(resolve);
        signal?.addEventListener('abort', () => {
          this.#sleeping.delete(resolve);
          reject(signal.reason as Error);
        });
      }),
  };

  async next(): Promise<void> {
    const over = [...this.#sleeping];
    this.#sleeping.clear();
    for (const end of over) end();
    await settled();
  }
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const { signal } = new AbortController();

describe('places for calls to nodes', () => {
  it('are given in order, as they are left; leaving twice frees one', async () => {
    const places = new Places(1, new Turns().clock);
    const order: string[] = [];
    const leave = await places.enter(signal);
    const second = places.enter(signal).then((go) => (order.push('second'), go));
    const third = places.enter(signal).then((go) => (order.push('third'), go));
    leave();
    leave();
    (await second)();
    await third;
    assert.deepEqual(order, ['second', 'third']);
  });

  it('are free after some turns of the loop, however long those take, though nobody leaves', async () => {
    const turns = new Turns();
    const places = new Places(1, turns.clock);
    await places.enter(signal);
    let entered = false;
    const second = places.enter(signal).then(() => (entered = true));
    for (let turn = 0; turn < 9; turn += 1) await turns.next();
    assert.equal(entered, false);
    await turns.next();
    await second;
  });

  it('are not taken by who waits no longer', async () => {
    const places = new Places(1, new Turns().clock);
    const leave = await places.enter(signal);
    const gone = new AbortController();
    const second = places.enter(gone.signal);
    gone.abort(new Error('gone'));
    await assert.rejects(second, /gone/);
    const third = places.enter(signal);
    leave();
    await third;
  });
});
