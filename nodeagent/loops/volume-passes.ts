/** Does something for volumes of this node until it is done, and tells how it went. */
import type { PersistentVolume } from '../../contracts/objects/index.ts';
import { isKeyOf } from '../../contracts/objects/key.ts';
import { homeOf } from '../../contracts/objects/made-volumes.ts';
import type { Clock } from '../ports/clock.ts';
import type { AssignmentStore } from './assignment-store.ts';
import { createWaker } from './waker.ts';

export interface VolumePassesDeps {
  readonly assignment: Pick<AssignmentStore, 'current' | 'onChange'>;
  readonly clock: Clock;
}

export interface VolumePasses<Word> {
  /** Of a volume whose home is this node. */
  readonly isDue: (volume: PersistentVolume) => boolean;
  /** Does it; again after a pause where it was not done. Throws nothing. */
  readonly attempt: (volume: PersistentVolume, closing: AbortSignal) => Promise<Attempt<Word>>;
  /** Milliseconds from a pass in which not all was done to the next. */
  readonly pauseMs: number;
  /** All words of a pass, where they are others than last time; before the first pass there are none. */
  readonly tell: (words: readonly Word[]) => void;
}

export interface Attempt<Word> {
  readonly isDone: boolean;
  /** Is JSON. */
  readonly word?: Word;
}

/** A pass now and whenever a volume changed, one volume after another. `close` waits for the attempt under way. */
export function startVolumePasses<Word>(
  { assignment, clock }: VolumePassesDeps,
  { isDue, attempt, pauseMs, tell }: VolumePasses<Word>,
): { close(): Promise<void> } {
  const closing = new AbortController();
  const waker = createWaker(clock);
  let told = '[]';
  const unsubscribe = assignment.onChange((changed) => {
    if (changed.some((key) => isKeyOf(key, 'PersistentVolume'))) waker.wake();
  });

  /** Whether all is done. */
  async function pass(): Promise<boolean> {
    const view = assignment.current();
    const due = view.list('PersistentVolume').filter((volume) => homeOf(volume) === view.node && isDue(volume));
    const attempts: Attempt<Word>[] = [];
    for (const volume of due) {
      attempts.push(await attempt(volume, closing.signal));
      if (closing.signal.aborted) return false;
    }
    const words = attempts.flatMap(({ word }) => (word === undefined ? [] : [word]));
    const text = JSON.stringify(words);
    if (text !== told) tell(words);
    told = text;
    return attempts.every(({ isDone }) => isDone);
  }

  async function run(): Promise<void> {
    while (!closing.signal.aborted) {
      const isDone = await pass();
      await waker.until(isDone ? undefined : clock.monotonic() + pauseMs);
    }
  }
  const done = run();

  return {
    async close() {
      unsubscribe();
      closing.abort();
      waker.wake();
      await done;
    },
  };
}
