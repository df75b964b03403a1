/** How often what all nodes hold is brought to them. Time passes only where something is said to take it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FanOut } from '../../../reconciler/controllers/nodes/fan-out.ts';
import { AssignmentTracker } from '../../../reconciler/core/nodes/assignment-tracker.ts';
import type { Stored } from '../../../contracts/objects/index.ts';
import { service } from '../controllers/objects.ts';
import { nodeObject, stored } from './stored.ts';

const NODES = 100;

class World {
  readonly tracker = new AssignmentTracker('store-1');
  /** When each sweep began, and for whom, in milliseconds. */
  readonly sweeps: { readonly at: number; readonly nodes: Set<string> }[] = [];
  /** Of one node in a sweep. */
  pushMs = 0;
  readonly fanOut: FanOut;
  #now = 0;
  /** Whoever sleeps, and when it is over. */
  readonly #sleeping = new Set<{ readonly until: number; readonly over: () => void }>();

  constructor() {
    const names = Array.from({ length: NODES }, (_, i) => `n${i}`);
    const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: assert.fail };
    this.fanOut = new FanOut({
      tracker: this.tracker,
      clock: {
        now: () => new Date(this.#now),
        monotonic: () => this.#now,
        sleep: (ms, signal) =>
          new Promise((resolve, reject) => {
            const sleeper = { until: this.#now + ms, over: resolve };
            this.#sleeping.add(sleeper);
            signal?.addEventListener('abort', () => {
              if (this.#sleeping.delete(sleeper)) reject(signal.reason as Error);
            });
          }),
        deadline: () => assert.fail('nothing has a deadline'),
      },
      log: silent,
      nodes: () => names.map((name) => ({ name, isBusy: false, push: async () => this.#pushed(name) })),
      again: assert.fail,
      places: {
        enter: async () => {
          this.#now += this.pushMs;
          return () => undefined;
        },
      },
    });
  }

  notice(object: Stored): void {
    this.tracker.observe('put', object, this.#now);
    this.fanOut.noticed();
  }

  /** Until nothing goes on but sleep. */
  async rest(): Promise<void> {
    for (let turns = 0; turns < 20; turns += 1) await new Promise((resolve) => setImmediate(resolve));
  }

  /** To the end of the next sleep; says how long it was. */
  async wake(): Promise<number> {
    const [first] = [...this.#sleeping].sort((a, b) => a.until - b.until);
    assert.ok(first, 'somebody sleeps');
    this.#sleeping.delete(first);
    const ms = first.until - this.#now;
    this.#now = first.until;
    first.over();
    await this.rest();
    return ms;
  }

  get isQuiet(): boolean {
    return this.#sleeping.size === 0;
  }

  #pushed(name: string): void {
    if (this.sweeps.at(-1)?.nodes.has(name) !== false) this.sweeps.push({ at: this.#now, nodes: new Set() });
    this.sweeps.at(-1)?.nodes.add(name);
    const delta = this.tracker.delta(name) ?? this.tracker.wholeDelta(name);
    this.tracker.acknowledge(name, delta);
  }
}

describe('the fan-out to all nodes', () => {
  it('brings the first news at once, and what comes during the rest after it in one sweep', async () => {
    const w = new World();
    w.notice(nodeObject('m0', '10.0.0.0/24'));
    await w.rest();
    assert.deepEqual([w.sweeps.length, w.sweeps[0]?.nodes.size], [1, NODES]);
    for (let i = 1; i <= 50; i += 1) {
      w.notice(nodeObject(`m${i}`, `10.0.${i}.0/24`));
      await w.rest();
    }
    assert.equal(w.sweeps.length, 1);
    await w.wake();
    assert.deepEqual([w.sweeps.length, w.isQuiet], [2, true]);
    assert.equal(w.tracker.isBehind('n7'), false);
  });

  it('rests the longer the longer a sweep took, unless there is news that nodes act on', async () => {
    const w = new World();
    w.pushMs = 100;
    w.notice(nodeObject('m0', '10.0.0.0/24'));
    await w.rest();
    w.notice(nodeObject('m1', '10.0.1.0/24'));
    await w.rest();
    assert.equal(await w.wake(), 4 * NODES * w.pushMs);
    assert.equal(w.sweeps.length, 2);
    w.notice(nodeObject('m2', '10.0.2.0/24'));
    await w.rest();
    w.notice(stored<'Service'>(service('web')));
    await w.rest();
    assert.ok((await w.wake()) < 1000);
    assert.equal(w.sweeps.length, 3);
    assert.equal(w.isQuiet, true);
  });

  it('ends while it rests', async () => {
    const w = new World();
    w.notice(nodeObject('m0', '10.0.0.0/24'));
    await w.rest();
    w.notice(nodeObject('m1', '10.0.1.0/24'));
    await w.rest();
    await w.fanOut.close();
    assert.equal(w.sweeps.length, 1);
  });
});
