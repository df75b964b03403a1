/** When a failed job runs again: the error's class is the decision. */
import { PlumbError, WaitingError } from '../errors.ts';

const FIRST_RETRY_MS = 50;
const LONGEST_RETRY_MS = 60_000;
/** Share of the delay that is random, so that jobs that failed together do not come back together. */
const JITTER = 0.25;

/** The exponential delay, without jitter, before try `attempt + 1`; `attempt` is 1 for the first failure in a row. */
export function backoffMs(attempt: number): number {
  return Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(attempt - 1, 30));
}

/**
 * Milliseconds until the job runs again, or undefined when trying again is no use. `random` is in [0, 1).
 * Anything that is no PlumbError is taken as retryable: a fault of ours may be gone with the next change.
 */
export function retryDelayMs(error: unknown, attempt: number, random: number): number | undefined {
  if (error instanceof WaitingError) return error.afterMs;
  if (error instanceof PlumbError && error.retry === 'never') return undefined;
  return Math.round(backoffMs(attempt) * (1 - JITTER * random));
}

/** How often each job failed in a row, as one process saw it. */
export class FailureStreaks {
  readonly #attempts = new Map<string, number>();

  /** Counts one more failure of `job`; tells which in a row it is and when the job runs again. */
  failed(
    job: string,
    error: unknown,
    random: number,
  ): { readonly attempt: number; readonly retryInMs: number | undefined } {
    const attempt = (this.#attempts.get(job) ?? 0) + 1;
    this.#attempts.set(job, attempt);
    return { attempt, retryInMs: retryDelayMs(error, attempt, random) };
  }

  succeeded(job: string): void {
    this.#attempts.delete(job);
  }
}
