/** Hears what others change in the machine's packet filter, for as long as the loop that asks. */
import { errorText } from '../../contracts/errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { FilterDisturbance, PacketFilter } from '../ports/packet-filter.ts';
import type { NetworkLog } from './network-log.ts';

/**
 * Changes of one kind are told at most this often: two programs that fight over the table do not take the machine's
 * time.
 */
const PAUSE_MS = 1000;
const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 60_000;

/**
 * Tells of changes until `signal` aborts; resolves then. The first of a kind at once, those of the next second together
 * at its end. When the watch broke, it is tried again after a pause that doubles from 1 s to 60 s, and `others` is
 * told, as nobody knows what happened meanwhile.
 */
export async function watchFilter(
  filter: PacketFilter,
  clock: Clock,
  log: NetworkLog,
  tell: (change: FilterDisturbance) => void,
  signal: AbortSignal,
): Promise<void> {
  const told = new Map<FilterDisturbance, { again: boolean }>();
  const throttled = (change: FilterDisturbance): void => {
    const recent = told.get(change);
    if (recent) {
      recent.again = true;
      return;
    }
    const entry = { again: false };
    told.set(change, entry);
    tell(change);
    void clock.sleep(PAUSE_MS, signal).then(
      () => {
        told.delete(change);
        if (entry.again) throttled(change);
      },
      () => undefined,
    );
  };

  let pause = FIRST_RETRY_MS;
  let reason = '';
  while (!signal.aborted) {
    const since = clock.monotonic();
    const failure = await filter.watch(throttled, signal).catch((error: unknown) => error);
    if (signal.aborted) return;
    pause = clock.monotonic() - since > LAST_RETRY_MS ? FIRST_RETRY_MS : Math.min(pause * 2, LAST_RETRY_MS);
    const message = errorText(failure);
    if (message !== reason)
      log('warn', 'changes to the packet filter by others are seen at the slow beat only', { reason: message });
    reason = message;
    await clock.sleep(pause, signal).catch(() => undefined);
    throttled('others');
  }
}
