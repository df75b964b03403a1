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

/**
 * Resolves with the first answer of `look` that is neither undefined nor false: for what tells nobody that it changed.
 * Rejects, with what `what` says, when it has been long enough, and at once with what `look` throws.
 */
export async function polled<T>(
  what: string | (() => string),
  look: () => Promise<T | undefined | false> | T | undefined | false,
  { timeoutMs, everyMs = POLLED_EVERY_MS }: { readonly timeoutMs: number; readonly everyMs?: number },
): Promise<T> {
  for (const isOver = patience(timeoutMs); ;) {
    const answer = await look();
    if (answer !== undefined && answer !== false) return answer;
    if (isOver()) throw new Error(`not within ${timeoutMs} ms: ${typeof what === 'string' ? what : what()}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
