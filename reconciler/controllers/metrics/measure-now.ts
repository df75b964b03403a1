/** What nodes take, for somebody who asks now and waits. */
import { errorText } from '../../../contracts/errors.ts';
import type { NodeSample } from '../../core/metrics/shapes.ts';
import type { Clock } from '../../ports/clock.ts';
import type { MetricsStore } from '../../ports/metrics-store.ts';
import { Places } from '../nodes/places.ts';
import { Looks, type LooksDeps } from './looks.ts';

export interface MeasureDeps extends LooksDeps {
  /** Where samples of nodes are that another control plane speaks to. */
  readonly store: Pick<MetricsStore, 'of'>;
  /** Where the control plane runs that speaks to a node, when it is another one. */
  readonly heldElsewhere: (node: string) => string | undefined;
  readonly clock: Clock;
}

/** A sample, or why there is none. */
export type Measured = { readonly sample: NodeSample } | { readonly problem: string };

/** Between the two looks that make a rate: what /proc/stat counts in 10 ms is 0.5 % of it. */
const WINDOW_MS = 2_000;
/** A look of somebody who asked before is as good as one that is waited for, when it is no older. */
const OLDEST_LOOK_MS = 60_000;
const LONGEST_ANSWER_MS = 5_000;
const ASKED_AT_ONCE = 64;

export class MeasureNow {
  readonly #deps: MeasureDeps;
  readonly #looks: Looks;
  readonly #places: Places;

  constructor(deps: MeasureDeps) {
    this.#deps = deps;
    this.#looks = new Looks(deps);
    this.#places = new Places(ASKED_AT_ONCE, deps.clock);
  }

  /**
   * Of every node that is named, all at once: two seconds and an answer, and at once where it was asked a moment ago. A
   * node that does not answer has a problem, and holds up the others for five seconds at most.
   */
  async of(nodes: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, Measured>> {
    const { sourceOf, clock, store } = this.#deps;
    this.#looks.keep((_node, ageMs) => ageMs <= OLDEST_LOOK_MS);
    const here = nodes.filter((node) => sourceOf(node) !== undefined);
    const measured = new Map<string, Measured>();
    const again: string[] = [];
    const look = async (node: string, isLast: boolean): Promise<void> => {
      const isFirst = !isLast && !this.#looks.hasEarlier(node);
      const found = await this.#look(node, signal);
      if (isFirst && 'sample' in found) again.push(node);
      else measured.set(node, found);
    };
    await Promise.all(here.map((node) => look(node, false)));
    if (again.length > 0) {
      await clock.sleep(WINDOW_MS, signal);
      await Promise.all(again.map((node) => look(node, true)));
    }
    const others = nodes.filter((node) => !measured.has(node));
    const known = others.length > 0 ? await store.of(others, signal) : new Map<string, NodeSample>();
    for (const node of others) {
      const sample = known.get(node);
      measured.set(node, sample ? { sample } : { problem: this.#whyNot(node) });
    }
    return measured;
  }

  async #look(node: string, signal: AbortSignal): Promise<Measured> {
    const leave = await this.#places.enter(signal);
    using limit = this.#deps.clock.deadline(LONGEST_ANSWER_MS, signal);
    try {
      return { sample: await this.#looks.at(node, limit.signal) };
    } catch (error) {
      signal.throwIfAborted();
      return {
        problem: limit.signal.aborted
          ? `node ${node} did not answer within ${LONGEST_ANSWER_MS / 1000} s`
          : `node ${node}: ${errorText(error)}`,
      };
    } finally {
      leave();
    }
  }

  #whyNot(node: string): string {
    const label = this.#deps.heldElsewhere(node);
    return label === undefined
      ? `there is no connection to node ${node}: see why with \`plumb node ls\``
      : `another control plane speaks to node ${node}: ask there, at ${label}`;
  }
}
