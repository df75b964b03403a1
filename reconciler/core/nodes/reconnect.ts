/** How long to wait before a machine is tried again. */
import { PlumbError } from '../errors.ts';

const FIRST_MS = 100;
/** A machine that comes back is used within this time. */
const LONGEST_MS = 5_000;
/**
 * What only a person can change (a host key, an authorized key) is looked at seldom; a change of the Machine is noticed
 * at once.
 */
const TERMINAL_MS = 60_000;

/** `failures`: in a row, 1 for the first. `random`: 0 to 1; spreads the pause over its upper half. */
export function reconnectDelayMs(failures: number, error: unknown, random: number): number {
  return Math.round(pauseMs(failures, error) * (0.5 + random / 2));
}

function pauseMs(failures: number, error: unknown): number {
  if (error instanceof PlumbError && error.retry === 'never') return TERMINAL_MS;
  if (error instanceof PlumbError && 'afterMs' in error && typeof error.afterMs === 'number') return error.afterMs;
  return Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(failures - 1, 20));
}
