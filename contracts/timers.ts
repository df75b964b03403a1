/**
 * The longest that one timer of Node.js waits, in milliseconds; a longer one would fire at once. Source: Node.js'
 * `setTimeout`, "delay".
 */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** A pause of any length out of pauses that one timer can make. Rejects with the signal's reason. */
export async function pauseOfAnyLength(
  pause: (ms: number, signal: AbortSignal | undefined) => Promise<unknown>,
  ms: number,
  signal?: AbortSignal,
): Promise<void> {
  for (let left = ms; ; left -= LONGEST_TIMER_MS) {
    try {
      await pause(Math.min(left, LONGEST_TIMER_MS), signal);
    } catch (cause) {
      signal?.throwIfAborted();
      throw cause;
    }
    if (left <= LONGEST_TIMER_MS) return;
  }
}
