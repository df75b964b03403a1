/**
 * Keys whose passes cost much are looked at less often. A ReplicaSet of thousands of pods is asked for by each change of
 * one of them, and each pass looks at all: without a rest, passes over it would take all the time that there is.
 */
import type { AnyKey } from '../../../contracts/objects/index.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Priority } from '../../ports/work-queue.ts';

/** A decision that is made sooner costs little beside what the queue takes for a pass. */
const COSTLY_MS = 5;
/** So many times as long as it took: passes over one key take a fifth of the time at most. */
const REST_TIMES = 4;
const LONGEST_REST_MS = 1000;

export interface RestsOptions {
  readonly clock: Pick<Clock, 'sleep'>;
  /** Ends all rests; what was asked for in them is forgotten. */
  readonly signal: AbortSignal;
  /** Called at the end of a rest in which somebody asked. */
  readonly ask: (key: AnyKey, priority: Priority) => void;
}

export class Rests {
  readonly #options: RestsOptions;
  /** Those that rest, and how urgently each is asked for. */
  readonly #resting = new Map<AnyKey, Priority | undefined>();

  constructor(options: RestsOptions) {
    this.#options = options;
  }

  /** How long it took to decide what is to be done for the key. */
  took(key: AnyKey, ms: number): void {
    if (ms < COSTLY_MS || this.#resting.has(key)) return;
    this.#resting.set(key, undefined);
    void this.#rest(key, Math.min(ms * REST_TIMES, LONGEST_REST_MS));
  }

  /** Whether the key rests: then it is asked for when it has rested. */
  defers(key: AnyKey, priority: Priority): boolean {
    if (!this.#resting.has(key)) return false;
    if (this.#resting.get(key) !== 'fresh') this.#resting.set(key, priority);
    return true;
  }

  async #rest(key: AnyKey, ms: number): Promise<void> {
    const { clock, signal, ask } = this.#options;
    await clock.sleep(ms, signal).catch(() => undefined);
    const asked = this.#resting.get(key);
    this.#resting.delete(key);
    if (asked !== undefined && !signal.aborted) ask(key, asked);
  }
}
