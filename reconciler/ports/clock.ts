/** Time, as the I/O edge hands it to decisions. */
import type { JoinedSignal } from '../../contracts/signals.ts';

export interface Clock {
  /**
   * What the wall shows: for times that are kept or told. It may step either way, so a duration is never a difference
   * of two of these.
   */
  now(): Date;
  /** Milliseconds since some point before this process began: never steps, never goes back. For durations. */
  monotonic(): number;
  /** Resolves after `ms` (any length, also beyond a timer's 2^31-1), or rejects with the signal's reason. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /**
   * Aborts with the first of `signals`, or after `ms` with a `TimeoutError`; dispose of it when what it bounds is over.
   */
  deadline(ms: number, ...signals: readonly AbortSignal[]): JoinedSignal;
}
