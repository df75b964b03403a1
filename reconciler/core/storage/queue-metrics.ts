/**
 * What is counted of one queue in one process. Source: Kubernetes, client-go util/workqueue/metrics.go, which
 * controller-runtime exports as `workqueue_*`. Times are readings of one monotonic clock, in ms.
 */

export interface QueueStats {
  /** Keys that wait, as far as this process asked for them. */
  readonly depth: number;
  readonly adds: number;
  /** Passes that failed and are made again. */
  readonly retries: number;
  readonly running: number;
  /** From the first request for a key to the beginning of its pass. */
  readonly latency: Durations;
  readonly work: Durations;
  /** Of the passes that run: how long the longest has. */
  readonly longestRunningMs: number;
}

export interface Durations {
  readonly count: number;
  readonly sumMs: number;
  /** How many were at most as long as each of {@link DURATION_BOUNDS_MS}. */
  readonly buckets: readonly number[];
}

export const DURATION_BOUNDS_MS: readonly number[] = [1, 10, 100, 1_000, 10_000, 100_000];

export class QueueMetrics {
  /** Keys that wait, and since when. */
  readonly #waiting = new Map<string, number>();
  readonly #running = new Map<string, number>();
  readonly #latency = new Spread();
  readonly #work = new Spread();
  #adds = 0;
  #retries = 0;

  added(key: string, at: number): void {
    this.#adds += 1;
    if (!this.#waiting.has(key)) this.#waiting.set(key, at);
  }

  began(key: string, at: number): void {
    const since = this.#waiting.get(key);
    this.#waiting.delete(key);
    // What another process asked for: when, is not known here.
    if (since !== undefined) this.#latency.add(at - since);
    this.#running.set(key, at);
  }

  ended(key: string, at: number): void {
    const began = this.#running.get(key);
    this.#running.delete(key);
    if (began !== undefined) this.#work.add(at - began);
  }

  failed(): void {
    this.#retries += 1;
  }

  /** What waited is not this process' business any more. */
  forgetWaiting(): void {
    this.#waiting.clear();
  }

  stats(at: number): QueueStats {
    return {
      depth: this.#waiting.size,
      adds: this.#adds,
      retries: this.#retries,
      running: this.#running.size,
      latency: this.#latency.durations,
      work: this.#work.durations,
      longestRunningMs: Math.max(0, ...[...this.#running.values()].map((began) => at - began)),
    };
  }
}

class Spread {
  #count = 0;
  #sumMs = 0;
  readonly #buckets = DURATION_BOUNDS_MS.map(() => 0);

  add(ms: number): void {
    this.#count += 1;
    this.#sumMs += ms;
    for (const [index, bound] of DURATION_BOUNDS_MS.entries())
      if (ms <= bound) this.#buckets[index] = (this.#buckets[index] ?? 0) + 1;
  }

  get durations(): Durations {
    return { count: this.#count, sumMs: this.#sumMs, buckets: [...this.#buckets] };
  }
}
