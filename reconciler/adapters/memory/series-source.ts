/** Series in memory, each with its value. Asked for by name: it has no formulas. */
import type { Prometheus } from '../../../contracts/objects/index.ts';
import type { LabelMatcher, SeriesSelection } from '../../core/workloads/horizontal-pod-autoscaler-series.ts';
import type { SeriesSource } from '../../ports/series-source.ts';

export interface MemorySeries {
  readonly metric: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export class MemorySeriesSource implements SeriesSource {
  series: readonly MemorySeries[];

  constructor(series: readonly MemorySeries[] = []) {
    this.series = series;
  }

  async sums(
    _settings: Prometheus,
    { metric, matchers, by }: SeriesSelection,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, number>> {
    signal.throwIfAborted();
    const sums = new Map<string, number>();
    for (const one of this.series) {
      const labels = new Map(Object.entries(one.labels));
      if (one.metric !== metric || !matchers.every((matcher) => matches(matcher, labels))) continue;
      const key = by === undefined ? '' : labels.get(by);
      if (key !== undefined && Number.isFinite(one.value)) sums.set(key, (sums.get(key) ?? 0) + one.value);
    }
    return sums;
  }
}

function matches({ label, is, values }: LabelMatcher, labels: ReadonlyMap<string, string>): boolean {
  return values.includes(labels.get(label) ?? '') === (is === 'in');
}
