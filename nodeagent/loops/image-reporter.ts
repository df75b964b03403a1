/** Tells which images the machine has: at the start, after pulls, and at a slow beat for what others add and remove. */
import { errorText } from '../../contracts/errors.ts';
import { reportedImages } from '../core/node/images.ts';
import type { Clock } from '../ports/clock.ts';
import type { ImageStore } from '../ports/image-store.ts';
import type { Log } from '../ports/log.ts';
import type { StatusHub } from './status-hub.ts';
import { createWaker } from './waker.ts';

const LOOK_EVERY_MS = 300_000;
const LOOK_AGAIN_MS = 10_000;

export interface ImageReporterDeps {
  readonly images: ImageStore;
  readonly hub: StatusHub;
  readonly clock: Clock;
  readonly log: Log;
}

export interface ImageReporter {
  /** Something was pulled or removed. */
  changed(): void;
  close(): Promise<void>;
}

export function startImageReporter({ images, hub, clock, log }: ImageReporterDeps): ImageReporter {
  const closing = new AbortController();
  const waker = createWaker(clock);
  let trouble = '';

  /** Milliseconds until the next look. */
  async function pass(): Promise<number> {
    try {
      hub.tellImages(reportedImages(await images.list(closing.signal)));
      trouble = '';
      return LOOK_EVERY_MS;
    } catch (cause) {
      const detail = errorText(cause);
      if (!closing.signal.aborted && detail !== trouble) log.warn('images cannot be listed', { detail });
      trouble = detail;
      return LOOK_AGAIN_MS;
    }
  }

  async function run(): Promise<void> {
    while (!closing.signal.aborted) {
      const pause = await pass();
      if (!closing.signal.aborted) await waker.until(clock.monotonic() + pause);
    }
  }

  const done = run();
  return {
    changed: () => {
      waker.wake();
    },
    async close() {
      closing.abort();
      waker.wake();
      await done;
    },
  };
}
