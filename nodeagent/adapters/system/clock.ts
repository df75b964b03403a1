/** The machine's clock and timers. */
import { setTimeout as delay } from 'node:timers/promises';
import { limitSignals } from '../../../contracts/signals.ts';
import { pauseOfAnyLength, timerOfAnyLength } from '../../../contracts/timers.ts';
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
  sleep: (ms, signal) => pauseOfAnyLength((part, over) => delay(part, undefined, over && { signal: over }), ms, signal),
  deadline: (ms, ...signals) => limitSignals(after, ms, ...signals),
};
