/** Time that passes only when a test says so, and everything that is due in between happens in its order. */
import { limitSignals, pause, type JoinedSignal } from '../../../contracts/signals.ts';
import type { StartTimer } from '../../../contracts/timers.ts';
import type { Clock } from '../../../reconciler/ports/clock.ts';

interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

export class VirtualClock implements Clock {
  readonly #sleepers = new Set<Sleeper>();
  #passed = 0;

  now(): Date {
    return new Date(Date.UTC(2026, 0, 1) + this.#passed);
  }

  monotonic(): number {
    return this.#passed;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    await pause(this.#after, ms, signal);
  }

  deadline(ms: number, ...signals: readonly AbortSignal[]): JoinedSignal {
    return limitSignals(this.#after, ms, ...signals);
  }

  readonly #after: StartTimer = (ms, then) => {
    const sleeper = { at: this.#passed + ms, wake: then };
    this.#sleepers.add(sleeper);
    return () => {
      this.#sleepers.delete(sleeper);
    };
  };

  async pass(ms: number): Promise<void> {
    const end = this.#passed + ms;
    await settled();
    for (;;) {
      const [next] = [...this.#sleepers].sort((a, b) => a.at - b.at);
      if (!next || next.at > end) break;
      this.#sleepers.delete(next);
      this.#passed = next.at;
      next.wake();
      await settled();
    }
    this.#passed = end;
  }
}

/** Everything has been done that waits for no time. */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
