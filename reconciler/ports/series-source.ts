/** Measures that are not of the nodes: of applications and of the world outside. */
import type { Prometheus } from '../../contracts/objects/index.ts';
import type { SeriesAccess } from '../core/workloads/series-access.ts';
import type { SeriesSelection } from '../core/workloads/horizontal-pod-autoscaler-series.ts';

export interface SeriesSource {
  /**
   * What the selected series come to now: one sum for each value of `by`, or one under `''` where it is absent. Series
   * without that label, and values that are no numbers, are left out; empty where there are no series. The settings are
   * given with each call, as a commit may change them.
   *
   * Throws RetryableError `PrometheusUnavailable` where it does not answer in time, or at greater length than
   * any answer is, TerminalError `PrometheusRefused` where it does not take the query.
   */
  sums(
    settings: Prometheus,
    selection: SeriesSelection,
    signal: AbortSignal,
    access?: SeriesAccess,
  ): Promise<ReadonlyMap<string, number>>;
}
