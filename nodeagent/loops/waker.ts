/** Waiting for a time or for a call, whichever is first. A call that comes before the waiting is not lost. */
import type { Clock } from '../ports/clock.ts';

export interface Waker {
  wake(): void;
  /** `at`: by the monotonic clock; undefined waits for a call only. */
  until(at: number | undefined): Promise<void>;
}

export function createWaker(clock: Clock): Waker {
  let asked = false;
  let ring: (() => void) | undefined;
  return {
    wake() {
      asked = true;
      ring?.();
    },
    async until(at) {
      if (!asked) {
        const wait = at === undefined ? undefined : at - clock.monotonic();
        if (wait === undefined || wait > 0) {
          const over = new AbortController();
          const rung = new Promise<void>((resolve) => {
            ring = resolve;
          });
          await (wait === undefined
            ? rung
            : Promise.race([rung, clock.sleep(wait, over.signal).catch(() => undefined)]));
          over.abort();
          ring = undefined;
        }
      }
      asked = false;
    },
  };
}
