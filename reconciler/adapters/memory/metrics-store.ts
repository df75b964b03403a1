/** Samples of use within one process. */
import type { NodeSample } from '../../core/metrics/shapes.ts';
import type { Clock } from '../../ports/clock.ts';
import type { MetricsStore } from '../../ports/metrics-store.ts';

interface Kept {
  readonly sample: NodeSample;
  /** On the monotonic clock. */
  readonly until: number;
}

/** What several of them share. */
export type MemoryMetrics = Map<string, Kept>;

export class MemoryMetricsStore implements MetricsStore {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #kept: MemoryMetrics;

  constructor(clock: Pick<Clock, 'monotonic'>, kept: MemoryMetrics = new Map()) {
    this.#clock = clock;
    this.#kept = kept;
  }

  async put(node: string, sample: NodeSample, ttlMs: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const now = this.#clock.monotonic();
    for (const [name, { until }] of this.#kept) if (until <= now) this.#kept.delete(name);
    this.#kept.set(node, { sample, until: now + ttlMs });
  }

  async of(nodes: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, NodeSample>> {
    signal.throwIfAborted();
    const now = this.#clock.monotonic();
    return new Map(
      nodes.flatMap((node): readonly (readonly [string, NodeSample])[] => {
        const kept = this.#kept.get(node);
        return kept && kept.until > now ? [[node, kept.sample]] : [];
      }),
    );
  }

  async close(): Promise<void> {
    // Nothing is held open.
  }
}
