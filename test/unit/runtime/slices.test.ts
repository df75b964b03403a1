import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inSlices, Turns, type EventLoop } from '../../../reconciler/controllers/runtime/slices.ts';
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

/** Rounds are made by the test, and everything that goes on takes the time that it says. */
class PlayedLoop implements EventLoop {
  #now = 0;
  #next: (() => void)[] = [];
  #settled: (() => void)[] = [];

  now(): number {
    return this.#now;
  }

  nextRound(then: () => void): void {
    this.#next.push(then);
  }

  whenSettled(then: () => void): void {
    this.#settled.push(then);
  }

  pass(ms: number): void {
    this.#now += ms;
  }

  /** Whether a round is asked for; an event loop without one waits for what comes from outside. */
  get isAskedFor(): boolean {
    return this.#next.length > 0;
  }

  /** Answers how long it took. */
  async round(): Promise<number> {
    const began = this.#now;
    for (const then of this.#next.splice(0)) {
      then();
      await settled();
      for (let after = this.#settled.shift(); after; after = this.#settled.shift()) {
        after();
        await settled();
      }
    }
    return this.#now - began;
  }
}

/** When everything that can go on at once went on. */
async function settled(): Promise<void> {
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
}

describe('the turns of an event loop', () => {
  /** Steps of `stepMs` until `count` are done, in turns; each is written down. */
  async function working(loop: PlayedLoop, turns: Turns, name: string, count: number, stepMs: number, done: string[]) {
    for (let step = 0; step < count; step += 1) {
      if (turns.isOver) await turns.next();
      loop.pass(stepMs);
      done.push(name);
    }
  }

  it('are shared: many calculations at once hold a round up no longer than one', async () => {
    const loop = new PlayedLoop();
    const turns = new Turns(loop);
    const done: string[] = [];
    const works = Array.from({ length: 50 }, (_, i) => working(loop, turns, `work ${i}`, 20, 1, done));
    assert.ok(loop.now() <= 11, `${loop.now()} ms before the first round`);
    while (loop.isAskedFor) assert.ok((await loop.round()) <= 11);
    await Promise.all(works);
    assert.equal(done.length, 50 * 20);
  });

  it('go round: nobody who waits is overtaken', async () => {
    const loop = new PlayedLoop();
    const turns = new Turns(loop);
    const done: string[] = [];
    const works = ['a', 'b', 'c'].map((name) => working(loop, turns, name, 30, 5, done));
    await loop.round();
    // Somebody new has to wait behind those.
    works.push(working(loop, turns, 'd', 1, 5, done));
    while (loop.isAskedFor) await loop.round();
    await Promise.all(works);
    assert.equal(done.slice(0, 11).join(''), 'aaaabbccaad');
  });

  it('hold short work of many in one round', async () => {
    const loop = new PlayedLoop();
    const turns = new Turns(loop);
    const done: string[] = [];
    loop.pass(1);
    assert.ok(!turns.isOver);
    loop.pass(20);
    const works = Array.from({ length: 40 }, (_, i) => working(loop, turns, String(i), 1, 0.5, done));
    assert.equal(done.length, 0, 'what came from outside took the round already');
    await loop.round();
    assert.equal(done.length, 20);
    await loop.round();
    assert.equal(done.length, 40);
    await Promise.all(works);
  });

  it('leave an event loop without work alone', async () => {
    const loop = new PlayedLoop();
    const turns = new Turns(loop);
    assert.ok(!turns.isOver);
    await loop.round();
    assert.ok(!loop.isAskedFor);
    loop.pass(3_600_000);
    assert.ok(!turns.isOver, 'a new round has all its time');
  });
});
