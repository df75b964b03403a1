/** The machine's clock and timers. */
import { limitSignals, pause } from '../../../contracts/signals.ts';
import { timerOfAnyLength } from '../../../contracts/timers.ts';
import type { Clock } from '../../ports/clock.ts';

const after = timerOfAnyLength((ms, then) => {
  const timer = setTimeout(then, ms);
  return () => {
    clearTimeout(timer);
  };
});

export const systemClock: Clock = {
  now: () => new Date(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) => pause(after, ms, signal),
  deadline: (ms, ...signals) => limitSignals(after, ms, ...signals),
};
