/** Long calculations, in slices between which the event loop goes on. */
import type { Paced } from '../../core/paced.ts';

/** A node's heartbeat or a person's request waits this much longer at most, and one step of the calculation. */
const SLICE_MS = 10;

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
