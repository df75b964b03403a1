/** What is looked at by the clock alone: no event tells of it. */
import type { Clock } from '../ports/clock.ts';

export interface Beat {
  readonly clock: Clock;
  /** Milliseconds from the end of one look to the next. */
  readonly pauseMs: number;
  /** Aborted by `close`: for what a look waits for. */
  readonly closing: AbortController;
  /** Tells of its own failures. */
  readonly look: () => Promise<void>;
}

/** Looks now and at every beat. `close` waits for the look that is under way. */
export function startBeat({ clock, pauseMs, closing, look }: Beat): { close(): Promise<void> } {
  async function run(): Promise<void> {
    while (!closing.signal.aborted) {
      await look();
      await clock.sleep(pauseMs, closing.signal).catch(() => undefined);
    }
  }

  const done = run();
  return {
    async close() {
      closing.abort();
      await done;
    },
  };
}
