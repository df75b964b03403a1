/**
 * Level-triggered work: a queue carries keys. At most one running and one waiting job per key; nothing is lost while
 * one runs.
 */
import type { QueueStats } from '../core/storage/queue-metrics.ts';

/** Each controller has a queue of its own, and so has each shard of the nodes. */
export type QueueName = 'revisions' | 'publishing' | 'scheduling' | `controllers.${string}` | `nodes.${number}`;

/**
 * `fresh`: something changed. `resync`: nothing is known to have changed; it waits until what is fresh has begun, and a
 * fresh request for the same key overtakes it. Where the process that asks works the queue itself, it alone remembers
 * the `resync` keys: whoever takes a queue over begins with all keys anyway. A `resync` also asks again for a key whose
 * fresh request was lost without a word.
 */
export type Priority = 'fresh' | 'resync';

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
  add(queue: QueueName, key: string, priority?: Priority): Promise<void>;
  /** The same for many keys in one round trip. */
  addMany(queue: QueueName, keys: readonly string[], priority?: Priority): Promise<void>;
  /**
   * Asks for a pass not before `delayMs` from now. An earlier pending delay wins; `add` overtakes it and never waits
   * for it.
   */
  addAfter(queue: QueueName, key: string, delayMs: number): Promise<void>;
  /**
   * Works the queue until the returned worker is closed. One process at a time does (docs/adr/0006): what another one
   * left running is run again at once, and what it may still do with its key is its own to stop. A handler that throws
   * RetryableError (or anything unknown) is run again with exponential back-off (50 ms doubling to 60 s, with jitter);
   * WaitingError after its own delay; TerminalError not at all. `close` begins no pass any more and waits for running
   * handlers, whose signal is aborted after `graceMs`.
   */
  work(
    queue: QueueName,
    concurrency: number,
    handler: (key: string, signal: AbortSignal) => Promise<JobResult>,
  ): QueueWorker;
  /** Every failure is told here: controllers turn it into a condition or an event. */
  onFailure(listener: (failure: QueueFailure) => void): void;
  /** Of every queue that this process added to or worked on; counted is what happens while it works it. */
  stats(): ReadonlyMap<QueueName, QueueStats>;
  close(): Promise<void>;
}

export interface QueueWorker {
  close(graceMs?: number): Promise<void>;
}
