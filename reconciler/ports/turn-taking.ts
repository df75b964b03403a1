/** Who else is to be served by the event loop has a turn between the steps of long work. */
import type { Paced } from '../core/paced.ts';

export interface TurnTaking {
  /** Whether who asks should go on after {@link next}. Cheap: it is asked at every step. */
  readonly isOver: boolean;
  /** Resolves when it is this one's turn again. */
  next(): Promise<void>;
}

/** For whom nobody waits: a tool that does one thing. */
export const UNSHARED: TurnTaking = { isOver: false, next: async () => undefined };

/** Throws the signal's reason when that is aborted in between. */
export async function inTurns<T>(work: Paced<T>, turns: TurnTaking, signal?: AbortSignal): Promise<T> {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
    if (!turns.isOver) continue;
    await turns.next();
    signal?.throwIfAborted();
  }
}
