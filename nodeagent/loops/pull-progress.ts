/** Tells of pulls that take long, so that one which stands still is told from one which only needs its time. */
import { durationText } from '../core/pod/backoff.ts';
import { bytesText, receivedBetween, type Download } from '../core/image/received.ts';
import type { Clock } from '../ports/clock.ts';
import type { ImageStore } from '../ports/image-store.ts';

/** When a pull is told of for the first time; then each time that it has taken twice as long. */
const FIRST_TOLD_MS = 10_000;
const LOOK_EVERY_MS = 2_000;

export interface PullProgress {
  /** `tell` hears of it until it is disposed of. */
  watch(tell: (words: string) => void): Disposable;
}

interface Watched {
  readonly begunAt: number;
  /** What had come of all pulls when this one began. */
  readonly receivedBefore: number;
  readonly tell: (words: string) => void;
  dueMs: number;
}

/**
 * The runtime does not say to which image a download belongs: where several are pulled at once, what came of all of them
 * is told, and that it is so. Where it tells of no downloads at all, only the time is told.
 */
export function createPullProgress(
  images: Pick<ImageStore, 'downloads'>,
  clock: Clock,
  closing: AbortSignal,
): PullProgress {
  const watched = new Set<Watched>();
  let received = 0;
  let isLooking = false;

  async function look(): Promise<void> {
    let before: readonly Download[] | undefined;
    while (watched.size > 0 && !closing.aborted) {
      const now = await images.downloads(closing).catch(() => undefined);
      if (before && now) received += receivedBetween(before, now);
      before = now;
      for (const pull of watched) tellOf(pull, now !== undefined);
      await clock.sleep(LOOK_EVERY_MS, closing).catch(() => undefined);
    }
    isLooking = false;
  }

  function tellOf(pull: Watched, isKnown: boolean): void {
    const ms = clock.monotonic() - pull.begunAt;
    if (ms < pull.dueMs) return;
    while (pull.dueMs <= ms) pull.dueMs *= 2;
    const others = watched.size - 1;
    const besides = others === 0 ? '' : ` of it and ${others} other image${others === 1 ? '' : 's'}`;
    pull.tell(
      isKnown
        ? `${bytesText(received - pull.receivedBefore)}${besides} received in ${durationText(ms)}`
        : `not done after ${durationText(ms)}`,
    );
  }

  return {
    watch(tell) {
      const pull: Watched = { begunAt: clock.monotonic(), receivedBefore: received, tell, dueMs: FIRST_TOLD_MS };
      watched.add(pull);
      if (!isLooking) {
        isLooking = true;
        void look();
      }
      return { [Symbol.dispose]: () => void watched.delete(pull) };
    },
  };
}
