/** The machine's clock and timers. */
import { setTimeout as delay } from 'node:timers/promises';
import { limitSignals } from '../../../contracts/signals.ts';
import { LONGEST_TIMER_MS } from '../../../contracts/timers.ts';
import type { Clock } from '../../ports/clock.ts';

export const systemClock: Clock = {
  now: () => new Date(),
  monotonic: () => performance.now(),
  async sleep(ms, signal) {
    for (let left = ms; ; left -= LONGEST_TIMER_MS) {
      try {
        await delay(Math.min(left, LONGEST_TIMER_MS), undefined, signal && { signal });
      } catch (cause) {
        signal?.throwIfAborted();
        throw cause;
      }
      if (left <= LONGEST_TIMER_MS) return;
    }
  },
  deadline: (ms, ...signals) => limitSignals((left, over) => systemClock.sleep(left, over), ms, ...signals),
};
