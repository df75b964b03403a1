/**
 * How many calls to nodes are under way at once. A place that is not left is free after a while: nodes that are off hold
 * up nobody.
 */
import { onAbort } from '../../../contracts/signals.ts';
import type { Clock } from '../../ports/clock.ts';

/** A node that is there answers sooner: a second, where the event loop has its turns. */
const LATE_LOOKS = 10;
const LOOK_MS = 100;

/**
 * Whether a call takes too long to be waited for: true when it does, false some time after `isOver` says that it ended.
 * In looks, not by one timer: what our own event loop is behind is not the node's, and if it were, a loop that is behind
 * would be given ever more to do at once. Nothing is called off at the end, as nearly every call comes to it in time.
 */
export async function late(clock: Pick<Clock, 'sleep'>, isOver: () => boolean): Promise<boolean> {
  for (let looks = 0; looks < LATE_LOOKS && !isOver(); looks += 1) await clock.sleep(LOOK_MS);
  return !isOver();
}

export class Places {
  readonly #clock: Pick<Clock, 'sleep'>;
  readonly #waiting = new Set<() => void>();
  #free: number;

  constructor(count: number, clock: Pick<Clock, 'sleep'>) {
    this.#free = count;
    this.#clock = clock;
  }

  /** First come, first served. Resolves with the way to leave again, which may be called more than once. */
  async enter(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#free > 0) this.#free -= 1;
    else await this.#turn(signal);
    let isFree = false;
    const leave = (): void => {
      if (isFree) return;
      isFree = true;
      this.#next();
    };
    void late(this.#clock, () => isFree).then(leave);
    return leave;
  }

  async #turn(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const come = (): void => {
        letGo();
        resolve();
      };
      const letGo = onAbort(signal, () => {
        letGo();
        this.#waiting.delete(come);
        reject(signal.reason as Error);
      });
      this.#waiting.add(come);
    });
  }

  #next(): void {
    const [next] = this.#waiting;
    if (next) {
      this.#waiting.delete(next);
      next();
    } else this.#free += 1;
  }
}
