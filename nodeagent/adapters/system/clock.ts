/** The machine's clock and timers. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../../ports/clock.ts';

export const systemClock: Clock = {
  now: () => new Date(),
  async sleep(ms, signal) {
    try {
      await delay(ms, undefined, signal && { signal });
    } catch (cause) {
      signal?.throwIfAborted();
      throw cause;
    }
  },
};
