/** The machine's clock and timers. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../../ports/clock.ts';

export class SystemClock implements Clock {
  now(): Date {
    return new Date();
  }

  /** Keeps the process alive while it waits, so that nobody exits in the middle of a pause. */
  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    try {
      await delay(ms, undefined, signal === undefined ? undefined : { signal });
    } catch (cause) {
      signal?.throwIfAborted();
      throw cause;
    }
  }
}
