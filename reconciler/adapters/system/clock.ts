/** The machine's clock and timers. */
import { setTimeout as delay } from 'node:timers/promises';
import { limitSignals, type JoinedSignal } from '../../../contracts/signals.ts';
import { LONGEST_TIMER_MS } from '../../../contracts/timers.ts';
import type { Clock } from '../../ports/clock.ts';

export class SystemClock implements Clock {
  now(): Date {
    return new Date();
  }

  monotonic(): number {
    return performance.now();
  }

  /** Keeps the process alive while it waits, so that nobody exits in the middle of a pause. */
  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    for (let left = ms; ; left -= LONGEST_TIMER_MS) {
      try {
        await delay(Math.min(left, LONGEST_TIMER_MS), undefined, signal && { signal });
      } catch (cause) {
        signal?.throwIfAborted();
        throw cause;
      }
      if (left <= LONGEST_TIMER_MS) return;
    }
  }

  deadline(ms: number, ...signals: readonly AbortSignal[]): JoinedSignal {
    return limitSignals((left, over) => this.sleep(left, over), ms, ...signals);
  }
}
