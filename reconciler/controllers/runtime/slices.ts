/** Long calculations, in slices between which the event loop goes on. */
import type { Paced } from '../../core/paced.ts';

/** A node's heartbeat or a person's request waits this much longer at most, and one step of the calculation. */
const SLICE_MS = 10;

/** For loops over much: whether the present turn lasted long enough, and the way to the next. */
export class Turns {
  #end = performance.now() + SLICE_MS;

  get isOver(): boolean {
    return performance.now() >= this.#end;
  }

  /** After everybody else had theirs. */
  async next(): Promise<void> {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    this.#end = performance.now() + SLICE_MS;
  }
}

/** Throws the signal's reason when that is aborted in between. */
export async function inSlices<T>(work: Paced<T>, signal: AbortSignal): Promise<T> {
  for (;;) {
    for (const end = performance.now() + SLICE_MS; performance.now() < end;) {
      const { done, value } = work.next();
      if (done) return value;
    }
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    signal.throwIfAborted();
  }
}
