/**
 * The longest that one timer of Node.js waits, in milliseconds; a longer one would fire at once. Source: Node.js'
 * `setTimeout`, "delay".
 */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Sets a timer that calls `then` once; the answer calls it off. */
export type StartTimer = (ms: number, then: () => void) => () => void;

/** A timer of any length out of those that one timer can be. */
export function timerOfAnyLength(start: StartTimer): StartTimer {
  return (ms, then) => {
    const wait = (left: number): (() => void) => {
      const part = Math.min(left, LONGEST_TIMER_MS);
      return start(part, () => {
        if (left > part) callOff = wait(left - part);
        else then();
      });
    };
    let callOff = wait(ms);
    return () => {
      callOff();
    };
  };
}
