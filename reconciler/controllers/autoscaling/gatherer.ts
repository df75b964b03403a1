/**
 * Reads what autoscalers measure, every 15 s as Kubernetes' controller does, and asks for a pass over each then. It
 * runs where their controller runs: one control plane has both.
 */
import { errorText } from '../../../contracts/errors.ts';
import { keyOf, objectKey, type MetricSpec, type ObjectKey, type StoredPod } from '../../../contracts/objects/index.ts';
import type { Reading } from '../../core/workloads/horizontal-pod-autoscaler-metrics.ts';
import { resourceReading, type Samples } from '../../core/workloads/horizontal-pod-autoscaler-samples.ts';
import { selectionOf, seriesReading } from '../../core/workloads/horizontal-pod-autoscaler-series.ts';
import { accessIn } from '../../core/workloads/series-access.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { MetricsStore } from '../../ports/metrics-store.ts';
import type { SeriesSource } from '../../ports/series-source.ts';
import type { StoreView } from '../runtime/controller.ts';
import type { Rounds } from './rounds.ts';
import { clusterSettings } from '../cluster-settings.ts';
import { Places } from '../nodes/places.ts';
import { allScaled, nodesOf, type Scaled } from './targets.ts';

export interface GathererDeps {
  readonly view: StoreView;
  readonly rounds: Rounds;
  readonly metrics: Pick<MetricsStore, 'of'>;
  readonly series: SeriesSource;
  /** Asks the controller for a pass over each. */
  readonly ask: (keys: readonly ObjectKey[]) => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Kubernetes' `--horizontal-pod-autoscaler-sync-period`. */
export const GATHER_PERIOD_MS = 15_000;
/** All of one beat; what has not come by then is told as missing. */
const LONGEST_BEAT_MS = 10_000;
/** Questions to Prometheus. */
const ASKED_AT_ONCE = 8;
/**
 * Nodes are sampled because an autoscaler is there, and two looks make a sample: of one that was just found it is not told
 * that there is none.
 */
const FIRST_SAMPLES_MS = 45_000;

export class Gatherer {
  readonly #deps: GathererDeps;
  readonly #stopping = new AbortController();
  /** When each autoscaler was first seen here, by uid. */
  readonly #seen = new Map<string, number>();
  readonly #places: Places;
  #running: Promise<void> | undefined;

  constructor(deps: GathererDeps) {
    this.#deps = deps;
    this.#places = new Places(ASKED_AT_ONCE, deps.clock);
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async close(): Promise<void> {
    this.#stopping.abort(new Error('the autoscalers are being closed'));
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#deps;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const begun = clock.monotonic();
      await this.#beat().catch((error: unknown) => {
        if (!signal.aborted) log.error('autoscalers measure nothing', { error: errorText(error) });
      });
      const left = Math.max(0, GATHER_PERIOD_MS - (clock.monotonic() - begun));
      await clock.sleep(left, signal).catch(() => undefined);
    }
  }

  async #beat(): Promise<void> {
    const { view, rounds, clock } = this.#deps;
    const all = allScaled(view);
    const uids = new Set(all.map(({ autoscaler }) => autoscaler.metadata.uid));
    rounds.keep(uids);
    for (const uid of this.#seen.keys()) if (!uids.has(uid)) this.#seen.delete(uid);
    for (const uid of uids) if (!this.#seen.has(uid)) this.#seen.set(uid, clock.monotonic());
    if (all.length === 0) return;
    using limit = clock.deadline(LONGEST_BEAT_MS, this.#stopping.signal);
    const samples = await this.#samples(all, limit.signal);
    // Whoever measures nothing else need not wait for others.
    const [named, plain] = partition(all, ({ autoscaler }) => autoscaler.spec.metrics.some(isNamed));
    await this.#measure(plain, samples, limit.signal);
    await Promise.all(named.map((scaled) => this.#measure([scaled], samples, limit.signal)));
  }

  /** Begins a round of each, and asks for a pass over those of which there is something to decide. */
  async #measure(some: readonly Scaled[], samples: Samples | string, signal: AbortSignal): Promise<void> {
    const begun = await Promise.all(some.map((scaled) => this.#begin(scaled, samples, signal)));
    const keys = some.filter((_scaled, i) => begun[i]).map(({ autoscaler }) => keyOf(autoscaler));
    if (keys.length > 0) await this.#deps.ask(keys);
  }

  /** Of the nodes that pods of these are on; or why there are none. */
  async #samples(all: readonly Scaled[], signal: AbortSignal): Promise<Samples | string> {
    const nodes = nodesOf(all);
    try {
      return nodes.size === 0 ? new Map() : await this.#deps.metrics.of([...nodes], signal);
    } catch (error) {
      this.#stopping.signal.throwIfAborted();
      return errorText(error);
    }
  }

  /** Whether there is something to decide on. */
  async #begin(
    { autoscaler, target, rivals }: Scaled,
    samples: Samples | string,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { metadata, spec } = autoscaler;
    const pods = typeof target === 'string' ? [] : target.pods;
    // Two over the same pods do nothing, whatever there is to read.
    const measures = rivals.length > 0 ? [] : spec.metrics;
    const readings = await Promise.all(
      measures.map(async (metric) =>
        isNamed(metric)
          ? this.#named(metric, metadata.namespace ?? '', pods, signal)
          : resourceReadingOf(metric, pods, samples),
      ),
    );
    const isEarly = this.#deps.clock.monotonic() - (this.#seen.get(metadata.uid) ?? 0) < FIRST_SAMPLES_MS;
    const isAwaited = (metric: MetricSpec, i: number): boolean => !isNamed(metric) && readings[i]?.of === 'nothing';
    if (isEarly && typeof target !== 'string' && target.replicas > 0 && measures.some(isAwaited)) return false;
    this.#deps.rounds.begin(metadata.uid, { generation: metadata.generation, readings, rivals });
    return true;
  }

  async #named(metric: Named, namespace: string, pods: readonly StoredPod[], signal: AbortSignal): Promise<Reading> {
    const { view, series, clock } = this.#deps;
    const prometheus = clusterSettings(view).metrics?.prometheus;
    if (!prometheus) return { of: 'nothing', why: 'the Cluster names no Prometheus (spec.metrics.prometheus.url)' };
    const { secretRef } = prometheus;
    const access = secretRef && accessIn(view.get(objectKey('Secret', secretRef.namespace, secretRef.name)));
    if (typeof access === 'string')
      return { of: 'nothing', why: `the Secret ${secretRef?.namespace ?? ''}/${secretRef?.name ?? ''} ${access}` };
    const names = pods.map(({ metadata }) => metadata.name);
    try {
      const leave = await this.#places.enter(signal);
      const sums = await series.sums(prometheus, selectionOf(metric, namespace, names), signal, access).finally(leave);
      return seriesReading(metric, sums, clock.now());
    } catch (error) {
      this.#stopping.signal.throwIfAborted();
      return { of: 'nothing', why: signal.aborted ? 'it was not answered in time' : errorText(error) };
    }
  }
}

type Named = Extract<MetricSpec, { readonly type: 'Pods' | 'Object' | 'External' }>;

function isNamed(metric: MetricSpec): metric is Named {
  return metric.type === 'Pods' || metric.type === 'Object' || metric.type === 'External';
}

function resourceReadingOf(
  metric: Exclude<MetricSpec, Named>,
  pods: readonly StoredPod[],
  samples: Samples | string,
): Reading {
  if (typeof samples === 'string') return { of: 'nothing', why: samples };
  if (metric.type === 'Resource') return resourceReading(pods, samples, metric.resource.name);
  const { name, container } = metric.containerResource;
  return resourceReading(pods, samples, name, container);
}

function partition<T>(all: readonly T[], test: (one: T) => boolean): readonly [readonly T[], readonly T[]] {
  return [all.filter(test), all.filter((one) => !test(one))];
}
