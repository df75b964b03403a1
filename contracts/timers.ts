/** The longest that one timer of Node.js waits, in milliseconds; a longer one would fire at once. Source: Node.js' `setTimeout`, "delay". */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;
