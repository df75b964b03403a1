/** For whoever takes in all that is there, in slices: what changes meanwhile comes behind it. */
import type { ChangeListener, StoreCache } from './cache.ts';
import { turns } from './slices.ts';

export class HeldChanges {
  readonly #listener: ChangeListener;
  /** Undefined when nothing is held any more. */
  #held: Parameters<ChangeListener>[] | undefined = [];
  /** Ends the subscription. */
  readonly stop: () => void;

  /** Holds all changes from now on. The listener must not throw. */
  constructor(cache: Pick<StoreCache, 'subscribe'>, listener: ChangeListener) {
    this.#listener = listener;
    this.stop = cache.subscribe((...change) => {
      if (this.#held) this.#held.push(change);
      else listener(...change);
    });
  }

  /** Tells what was held, in its order, and from then on each change as it comes. Throws the signal's reason. */
  async release(signal: AbortSignal): Promise<void> {
    // Those that come in the pauses are behind them in the list.
    for (const change of this.#held ?? []) {
      if (turns.isOver) await turns.next();
      signal.throwIfAborted();
      this.#listener(...change);
    }
    this.#held = undefined;
  }
}
