/**
 * How long tests wait for what they believe will come. What comes is not waited for longer than it takes; the bound is
 * for what hangs, and is stretched on a machine that has more to do than processors: there all takes longer.
 */
import { availableParallelism, loadavg } from 'node:os';

/** At most so many times the bound, however much the machine has to do. */
const MOST = 5;
const LOOK_EVERY_MS = 500;
const POLLED_EVERY_MS = 25;

/** How many times longer than alone something takes now. Source: proc(5), /proc/loadavg: processes that run or would. */
function stretch(): number {
  return Math.min(MOST, Math.max(1, (loadavg()[0] ?? 0) / availableParallelism()));
}

/** Begins to wait; the function that it gives says whether it has been long enough. */
export function patience(ms: number): () => boolean {
  const began = performance.now();
  return () => performance.now() - began > ms * stretch();
}

/** Calls `then` when it has been long enough, unless the function that it gives was called before. */
export function whenOver(ms: number, then: () => void): () => void {
  const isOver = patience(ms);
  let timer: NodeJS.Timeout;
  const look = (): void => {
    if (isOver()) then();
    else timer = setTimeout(look, LOOK_EVERY_MS);
  };
  timer = setTimeout(look, ms);
  return () => clearTimeout(timer);
}

/** Is aborted when it has been long enough. Keeps nothing alive. */
export function inPatience(ms: number): AbortSignal {
  const over = new AbortController();
  const isOver = patience(ms);
  const timer = setInterval(() => {
    if (!isOver()) return;
    clearInterval(timer);
    over.abort(new Error(`not within ${ms} ms`));
  }, LOOK_EVERY_MS).unref();
  return over.signal;
}

/** Resolves once `look` holds: for what tells nobody that it changed. Rejects, with what `why` says, when it has been long enough. */
export async function polled(ms: number, look: () => boolean, why: () => string): Promise<void> {
  for (const isOver = patience(ms); !look();) {
    if (isOver()) throw new Error(`not within ${ms} ms: ${why()}`);
    await new Promise((resolve) => setTimeout(resolve, POLLED_EVERY_MS));
  }
}
