/** Writes the pods' last statuses down, a moment after they changed. */
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { StatusDisk } from '../ports/status-disk.ts';
import type { StatusHub } from './status-hub.ts';
import { createWaker } from './waker.ts';

/** Changes within this are one write. */
const SETTLE_MS = 250;

export function startStatusKeeper({ hub, disk, clock, log }: { readonly hub: StatusHub; readonly disk: StatusDisk; readonly clock: Clock; readonly log: Log }): { close(): Promise<void> } {
  const closing = new AbortController();
  const waker = createWaker(clock);
  hub.onChange(() => waker.wake());

  async function run(): Promise<void> {
    while (!closing.signal.aborted) {
      await waker.until(undefined);
      await clock.sleep(SETTLE_MS, closing.signal).catch(() => undefined);
      await disk.save(hub.statuses()).catch((cause: unknown) => log.warn('the last statuses cannot be written', { detail: cause instanceof Error ? cause.message : String(cause) }));
    }
  }

  const done = run();
  return {
    /** The last change is written. */
    async close() {
      closing.abort();
      waker.wake();
      await done;
    },
  };
}
