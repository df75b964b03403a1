/**
 * Runs the scheduler: one lane in the cluster, woken by what could place a pending pod, batching what comes together.
 */
import { errorText } from '../../../contracts/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { QueueWorker, WorkQueue } from '../../ports/work-queue.ts';
import type { StoreCache } from '../runtime/cache.ts';
import { HeldChanges } from '../runtime/held-changes.ts';
import { inSlices, turns } from '../runtime/slices.ts';
import type { Writer } from '../runtime/writer.ts';
import { PendingPods, SCHEDULER_NAME, type Pass } from './pending-pods.ts';

export interface SchedulingLaneOptions {
  readonly queue: WorkQueue;
  readonly cache: StoreCache;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly log: Log;
}

const KEY = 'pending';
/** Pods tried in one turn of the event loop; their bindings are written while the next are tried. */
const SLICE = 100;

export class SchedulingLane {
  readonly #options: SchedulingLaneOptions;
  #pending: PendingPods | undefined;
  #asked = false;
  readonly #stopping = new AbortController();
  /** A pass that runs goes on until no pod can be tried, and asks for the next one itself. */
  #working = false;
  /** When the next pass is asked for already, by the clock that nobody sets. */
  #next = Infinity;
  /** The time of day when that clock began. */
  readonly #beganAt: number;
  #worker: QueueWorker | undefined;
  #held: HeldChanges | undefined;
  #starting: Promise<void> | undefined;

  constructor(options: SchedulingLaneOptions) {
    this.#options = options;
    this.#beganAt = options.clock.now().getTime() - options.clock.monotonic();
  }

  /** Call once, with a synced cache. What is there is taken in first, in slices. */
  start(): void {
    this.#starting = this.#takeIn().catch((error: unknown) => {
      if (!this.#stopping.signal.aborted)
        this.#options.log.error('scheduling does not begin', { error: errorText(error) });
    });
  }

  /** What the scheduler knows; undefined before it knows all that is there. */
  get pending(): PendingPods | undefined {
    return this.#pending;
  }

  /** Asks the queue for nothing any more. */
  async close(graceMs?: number): Promise<void> {
    this.#stopping.abort(new Error('scheduling is being closed'));
    this.#held?.stop();
    await this.#starting;
    await this.#worker?.close(graceMs);
  }

  async #takeIn(): Promise<void> {
    const { cache, queue } = this.#options;
    const { signal } = this.#stopping;
    let pending: PendingPods | undefined;
    const held = new HeldChanges(cache, (type, object, previous) => {
      pending?.changed(type, object, previous);
      this.#ask();
    });
    this.#held = held;
    const filled = (pending = await inSlices(PendingPods.filling(cache), signal));
    await held.release(signal);
    this.#pending = filled;
    this.#worker = queue.work('scheduling', 1, (_key, during) => this.#work(filled, during));
    this.#ask();
  }

  /** The time of day as it is where nobody sets the clock: what pods back off by. */
  #steady(): Date {
    return new Date(this.#beganAt + this.#options.clock.monotonic());
  }

  /** All changes of one turn of the event loop make one pass; where no pod can be tried there is none. */
  #ask(): void {
    if (this.#asked) return;
    this.#asked = true;
    setImmediate(() => {
      this.#asked = false;
      if (this.#stopping.signal.aborted || this.#working) return;
      const { queue, log } = this.#options;
      const steady = this.#steady();
      const wait = this.#pending?.nextInMs(steady);
      if (wait === undefined || (wait > 0 && this.#next <= steady.getTime() + wait)) return;
      this.#next = wait === 0 ? Infinity : steady.getTime() + wait;
      (wait === 0 ? queue.add('scheduling', KEY) : queue.addAfter('scheduling', KEY, wait)).catch((error: unknown) => {
        this.#next = Infinity;
        log.warn('could not ask for scheduling', { error: errorText(error) });
      });
    });
  }

  async #work(pending: PendingPods, signal: AbortSignal): Promise<{ requeueAfterMs?: number }> {
    const { clock } = this.#options;
    this.#next = Infinity;
    this.#working = true;
    let writing = Promise.resolve();
    try {
      while (!signal.aborted) {
        const pass = pending.pass(clock.now(), SLICE, this.#steady());
        if (pass.steps.length === 0 && pass.tried === 0) break;
        const earlier = writing;
        writing = this.#write(pending, pass, earlier, signal);
        // It is awaited in the next round. Until then a failure has no handler, which would end the process.
        writing.catch(() => undefined);
        await earlier;
        await turns.next();
      }
    } finally {
      this.#working = false;
      await writing;
    }
    const wait = pending.nextInMs(this.#steady());
    return wait === undefined ? {} : { requeueAfterMs: wait };
  }

  /**
   * Writes what a pass decided once the earlier writes are done. Bindings and deletions that the store refuses are
   * tried anew, as are all of them after a failure; that a status was refused is mended by the next refusal.
   */
  async #write(
    pending: PendingPods,
    { steps, placed, preemptions }: Pass,
    earlier: Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      await earlier;
      const problems = await this.#options.writer.attempt(steps, SCHEDULER_NAME, signal);
      const refused = new Set(problems.map(({ step }) => ('object' in step ? step.object.metadata.uid : step.uid)));
      for (const pod of placed) if (refused.has(pod.metadata.uid)) pending.notBound(pod);
      for (const preemption of preemptions)
        if (preemption.victims.some(({ metadata }) => refused.has(metadata.uid))) pending.notDeleted(preemption);
    } catch (error) {
      for (const pod of placed) pending.notBound(pod);
      for (const preemption of preemptions) pending.notDeleted(preemption);
      throw error;
    }
  }
}
