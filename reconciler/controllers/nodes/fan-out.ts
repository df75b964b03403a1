/**
 * Brings what all nodes hold alike to all of them. Changes are published together, then every node that is behind gets
 * all that it lacks, in one sweep; those of the time of a sweep are in the next one. So what a sweep costs bounds how
 * often there is one, and a thousand nodes that join cost a thousand nodes some sweeps, not a thousand pushes each.
 *
 * Not through a queue: what a node lacks is where its agent is in the log, so a sweep that is lost with its process has
 * lost nothing.
 */
import type { Kind } from '../../../contracts/objects/index.ts';
import type { AssignmentTracker } from '../../core/nodes/assignment-tracker.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import { turns } from '../runtime/slices.ts';
import type { Places } from './places.ts';

export interface Reached {
  readonly name: string;
  /** Whether a push runs, or there is nobody to push to: then what is missing is not the sweep's to bring. */
  readonly isBusy: boolean;
  push(signal: AbortSignal): Promise<void>;
}

export interface FanOutOptions {
  readonly tracker: AssignmentTracker;
  readonly clock: Clock;
  readonly log: Log;
  readonly nodes: () => Iterable<Reached>;
  /** Where a push that failed is tried again. */
  readonly again: (node: string) => void;
  /** Of pushes. */
  readonly places: Pick<Places, 'enter'>;
}

/** Between sweeps, for each node. As long as a sweep itself takes, or so. */
const REST_MS_PER_NODE = 0.5;
/**
 * Where nothing waits but kinds that no node acts on before something else names them: pods of a new node are reached
 * through EndpointSlices, and with those come the routes.
 */
const LAZY: ReadonlySet<Kind> = new Set(['Node', 'Source']);
const LAZY_REST_MS_PER_NODE = 4;
const LONGEST_LAZY_REST_MS = 10_000;
/**
 * That news rests at least so many times as long as the last sweep took, so that sweeps are a fifth of the work at most:
 * while thousands of nodes join, most of it is to meet those that nobody spoke to yet. Up to this long.
 */
const LAZY_REST_PER_SWEEP = 4;
const LONGEST_REST_MS = 60_000;
/** These may wait for the next sweep. Of all others a pod that is bound next may be in need, and gets them with itself. */
const PACED: ReadonlySet<Kind> = new Set(['Node', 'Source', 'EndpointSlice', 'PeerSlice']);

export class FanOut {
  readonly #options: FanOutOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  /** Ends the rest before a sweep. */
  #rest = new AbortController();
  #isUrgent = false;
  #isPublishing = false;
  /** Something was published that no sweep began with. */
  #isOwed = false;
  #sweptAt = -Infinity;
  /** How long the last sweep took. */
  #sweepMs = 0;

  constructor(options: FanOutOptions) {
    this.#options = options;
  }

  /** Call when the tracker took something in. */
  noticed(): void {
    const { unpublished } = this.#options.tracker;
    if (unpublished.size === 0 || this.#stopping.signal.aborted) return;
    if (!this.#isUrgent && [...unpublished].some((kind) => !LAZY.has(kind))) {
      this.#isUrgent = true;
      this.#rest.abort();
    }
    if (!this.#isPublishing && [...unpublished].some((kind) => !PACED.has(kind))) {
      this.#isPublishing = true;
      setImmediate(() => {
        this.#isPublishing = false;
        this.#publish();
      });
    }
    this.#running ??= this.#run();
  }

  async close(): Promise<void> {
    this.#stopping.abort(new Error('the fan-out is being closed'));
    this.#rest.abort();
    await this.#running;
  }

  #publish(): void {
    this.#isOwed = true;
    this.#options.tracker.publish();
  }

  async #run(): Promise<void> {
    const { tracker, clock, log } = this.#options;
    const { signal } = this.#stopping;
    // What changes in one turn is published together.
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    try {
      while ((tracker.unpublished.size > 0 || this.#isOwed) && !signal.aborted) {
        await this.#wait();
        if (signal.aborted) break;
        this.#publish();
        this.#isOwed = false;
        this.#isUrgent = false;
        const began = clock.monotonic();
        await this.#sweep();
        this.#sweptAt = clock.monotonic();
        this.#sweepMs = this.#sweptAt - began;
      }
    } catch (error) {
      if (!signal.aborted) log.error('what all nodes hold is not brought to them', { error: String(error) });
    }
    this.#running = undefined;
  }

  async #wait(): Promise<void> {
    const { clock, nodes } = this.#options;
    for (let over = false; !over && !this.#stopping.signal.aborted;) {
      const count = [...nodes()].length;
      const restMs = this.#isUrgent ? count * REST_MS_PER_NODE : this.#lazyRestMs(count);
      const leftMs = this.#sweptAt + restMs - clock.monotonic();
      if (leftMs <= 0) return;
      this.#rest = new AbortController();
      over = await clock.sleep(leftMs, this.#rest.signal).then(
        () => true,
        () => false,
      );
    }
  }

  #lazyRestMs(nodes: number): number {
    const perNode = Math.min(nodes * LAZY_REST_MS_PER_NODE, LONGEST_LAZY_REST_MS);
    return Math.max(perNode, Math.min(this.#sweepMs * LAZY_REST_PER_SWEEP, LONGEST_REST_MS));
  }

  async #sweep(): Promise<void> {
    const { tracker, nodes, places, log, again } = this.#options;
    const { signal } = this.#stopping;
    for (const node of [...nodes()]) {
      if (node.isBusy || !tracker.isBehind(node.name)) continue;
      const leave = await places.enter(signal);
      void node
        .push(signal)
        .catch((error: unknown) => {
          if (signal.aborted) return;
          log.debug('a node is not brought what all hold', { node: node.name, error: String(error) });
          again(node.name);
        })
        .finally(leave);
      if (turns.isOver) await turns.next();
    }
  }
}
