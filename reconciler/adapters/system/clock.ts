/** The machine's clock and timers. */
import { limitSignals, pause, type JoinedSignal } from '../../../contracts/signals.ts';
import { timerOfAnyLength } from '../../../contracts/timers.ts';
import type { Clock } from '../../ports/clock.ts';

const after = timerOfAnyLength((ms, then) => {
  const timer = setTimeout(then, ms);
  return () => {
    clearTimeout(timer);
  };
});

export class SystemClock implements Clock {
  now(): Date {
    return new Date();
  }

  monotonic(): number {
    return performance.now();
  }

  /** Keeps the process alive while it waits, so that nobody exits in the middle of a pause. */
  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    await pause(after, ms, signal);
  }

  deadline(ms: number, ...signals: readonly AbortSignal[]): JoinedSignal {
    return limitSignals(after, ms, ...signals);
  }
}
