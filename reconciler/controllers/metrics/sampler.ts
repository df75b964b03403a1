/**
 * Samples of the nodes that are spoken to from here and that somebody wants to know of. Every control plane asks its
 * own; through the store all know of all.
 */
import { errorText } from '../../../contracts/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { MetricsStore } from '../../ports/metrics-store.ts';
import { Places } from '../nodes/places.ts';
import { Looks, type LooksDeps } from './looks.ts';

export interface SamplerDeps extends LooksDeps {
  /**
   * Names of the nodes whose use is to be known now, asked at every beat; of those that another control plane speaks to
   * as well, as that one asks itself the same. From the state that all share, so that nobody needs to be told: such as
   * the nodes of all pods that an autoscaler counts.
   */
  readonly wanted: () => Iterable<string>;
  readonly store: MetricsStore;
  readonly clock: Clock;
  readonly log: Log;
}

/** As metrics-server's `--metric-resolution`. */
export const SAMPLE_PERIOD_MS = 15_000;
/** One answer that does not come leaves no hole. */
const KEPT_MS = 3 * SAMPLE_PERIOD_MS;
const LONGEST_ANSWER_MS = 10_000;
/** Nodes that are asked at once. */
const ASKED_AT_ONCE = 16;

export class Sampler {
  readonly #deps: SamplerDeps;
  readonly #looks: Looks;
  readonly #places: Places;
  readonly #stopping = new AbortController();
  /** Nodes whose look is under way; the next beat passes them over. */
  readonly #asked = new Map<string, Promise<void>>();
  #running: Promise<void> | undefined;

  constructor(deps: SamplerDeps) {
    this.#deps = deps;
    this.#looks = new Looks(deps);
    this.#places = new Places(ASKED_AT_ONCE, deps.clock);
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async close(): Promise<void> {
    this.#stopping.abort(new Error('the sampler is being closed'));
    await this.#running;
    await Promise.all(this.#asked.values());
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#deps;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        this.#beat();
      } catch (error) {
        log.error('nodes are not sampled', { error: errorText(error) });
      }
      await clock.sleep(SAMPLE_PERIOD_MS, signal).catch(() => undefined);
    }
  }

  #beat(): void {
    const { wanted, sourceOf } = this.#deps;
    const nodes = new Set([...wanted()].filter((node) => sourceOf(node) !== undefined));
    this.#looks.keep((node) => nodes.has(node));
    for (const node of nodes) {
      if (this.#asked.has(node)) continue;
      this.#asked.set(
        node,
        this.#ask(node).finally(() => this.#asked.delete(node)),
      );
    }
  }

  /** Never rejects. */
  async #ask(node: string): Promise<void> {
    const { clock, store, log } = this.#deps;
    try {
      const leave = await this.#places.enter(this.#stopping.signal);
      using limit = clock.deadline(LONGEST_ANSWER_MS, this.#stopping.signal);
      const sample = await this.#looks.at(node, limit.signal).finally(leave);
      // A first look tells of pods that just started, at most. What who had the node before put there says more.
      if (sample.node) await store.put(node, sample, KEPT_MS, limit.signal);
    } catch (error) {
      if (!this.#stopping.signal.aborted) log.debug('a node was not sampled', { node, error: errorText(error) });
    }
  }
}
