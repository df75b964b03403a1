/**
 * Level-triggered work: a queue carries keys. At most one running and one waiting job per key; nothing is lost while
 * one runs.
 */

export type QueueName = 'revisions' | 'controllers' | 'scheduling' | 'nodes' | 'timers';

export interface JobResult {
  /** Look again after this long, unless something else asks earlier. */
  readonly requeueAfterMs?: number;
}

export interface QueueFailure {
  readonly queue: QueueName;
  readonly key: string;
  readonly error: unknown;
  /** 1 for the first failure in a row. */
  readonly attempt: number;
  readonly retryInMs: number | undefined;
}

export interface WorkQueue {
  /** Why nothing could be added last, in words for people; undefined while all is well. */
  readonly problem: string | undefined;
  /** Asks for a pass over `key`. While one waits it is a no-op; while one runs, exactly one more follows. */
  add(queue: QueueName, key: string): Promise<void>;
  /** The same for many keys in one round trip. */
  addMany(queue: QueueName, keys: readonly string[]): Promise<void>;
  /**
   * Asks for a pass not before `delayMs` from now. An earlier pending delay wins; `add` overtakes it and never waits
   * for it.
   */
  addAfter(queue: QueueName, key: string, delayMs: number): Promise<void>;
  /**
   * Works the queue until the returned worker is closed. A handler that throws RetryableError (or anything unknown) is
   * run again with exponential back-off (50 ms doubling to 60 s, with jitter); WaitingError after its own delay;
   * TerminalError not at all. `close` waits for running handlers, whose signal is aborted after `graceMs`.
   */
  work(
    queue: QueueName,
    concurrency: number,
    handler: (key: string, signal: AbortSignal) => Promise<JobResult>,
  ): QueueWorker;
  /** Every failure is told here: controllers turn it into a condition or an event. */
  onFailure(listener: (failure: QueueFailure) => void): void;
  close(): Promise<void>;
}

export interface QueueWorker {
  close(graceMs?: number): Promise<void>;
}
