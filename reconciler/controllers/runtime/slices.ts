/**
 * Long calculations, in slices between which the event loop goes on; and much short work that comes at once. Both take
 * their turns from one place: a hundred slices of 10 ms in one round of the event loop would hold it up for a second.
 */
import type { Paced } from '../../core/paced.ts';
import { inTurns, type TurnTaking } from '../../ports/turn-taking.ts';

/** What all slices of one round of the event loop take together, and one step of a calculation more. */
const TURN_MS = 10;

/** What it needs of the event loop. */
export interface EventLoop {
  /** Milliseconds of a clock that never steps. */
  now(): number;
  /** In the next round, after what came from outside. */
  nextRound(then: () => void): void;
  /** In this round, when everything that can go on at once went on. */
  whenSettled(then: () => void): void;
}

/**
 * Shares the rounds of an event loop out, first come, first served. What came from outside in a round counts as well:
 * the more there is of it, the less is left for slices.
 */
export class Turns implements TurnTaking {
  readonly #loop: EventLoop;
  readonly #waiting: (() => void)[] = [];
  /** How many of them had their turn in this round. */
  #resumed = 0;
  /** Whether one of them has it now. */
  #isResuming = false;
  /** When the round's time is up; undefined while nobody asked in it. */
  #end: number | undefined;

  constructor(loop: EventLoop) {
    this.#loop = loop;
  }

  /** Whether who asks should go on after {@link next}: no time is left, or others wait for what is left. */
  get isOver(): boolean {
    const end = (this.#end ??= this.#begin());
    return this.#loop.now() >= end || (!this.#isResuming && this.#resumed < this.#waiting.length);
  }

  /** Resolves in a later round that has time left, after those who asked before. */
  async next(): Promise<void> {
    this.#end ??= this.#begin();
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  #begin(): number {
    this.#loop.nextRound(() => {
      this.#waiting.splice(0, this.#resumed);
      this.#resumed = 0;
      this.#end = undefined;
      if (this.#waiting.length > 0) this.#resume((this.#end = this.#begin()), this.#waiting.length);
    });
    return this.#loop.now() + TURN_MS;
  }

  /** One after the other, each when the one before can but wait. Those that ask again are for the next round. */
  #resume(end: number, count: number): void {
    this.#isResuming = true;
    this.#waiting[this.#resumed]?.();
    this.#resumed += 1;
    this.#loop.whenSettled(() => {
      this.#isResuming = false;
      if (this.#resumed < count && this.#loop.now() < end) this.#resume(end, count);
    });
  }
}

/** Of this process's event loop: there is one, so they are shared by all that runs on it. */
export const turns = new Turns({
  now: () => performance.now(),
  nextRound: (then) => {
    setImmediate(then);
  },
  // The queue of microtasks is worked until it is empty; what waits for the next tick comes after it.
  whenSettled: (then) => {
    queueMicrotask(() => {
      process.nextTick(then);
    });
  },
});

/** {@link inTurns} of this process. */
export async function inSlices<T>(work: Paced<T>, signal: AbortSignal): Promise<T> {
  return inTurns(work, turns, signal);
}
