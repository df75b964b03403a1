/** Writes the pods' last statuses down, a moment after they changed, and recalls them. */
import { errorText } from '../../contracts/errors.ts';
import type { PodStatus } from '../../contracts/objects/index.ts';
import type { AssignmentSource } from '../core/assignment.ts';
import { identityOf } from '../core/pod/objects.ts';
import { statusAfterReboot } from '../core/pod/status.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { LastStatuses, StatusDisk } from '../ports/status-disk.ts';
import type { StatusHub } from './status-hub.ts';
import { createWaker } from './waker.ts';

/** Changes within this are one write. */
const SETTLE_MS = 250;

/**
 * The statuses that an agent before this one told, by uid, as they can only be now. After a reboot they are told at
 * once: what the control plane heard before is not to stand beside a node that is ready until every pod was looked at.
 */
export function recallStatuses(
  { statuses, rebooted }: LastStatuses,
  { assignment, hub, clock }: { readonly assignment: AssignmentSource; readonly hub: StatusHub; readonly clock: Clock },
): ReadonlyMap<string, PodStatus> {
  if (!rebooted) return statuses;
  const now = clock.now().getTime();
  const recalled = new Map([...statuses].map(([uid, status]) => [uid, statusAfterReboot(status, now)]));
  for (const identity of assignment.current().list('Pod').map(identityOf)) {
    const status = recalled.get(identity.uid);
    if (status) hub.tellPod(identity, status);
  }
  return recalled;
}

export function startStatusKeeper({
  hub,
  disk,
  clock,
  log,
}: {
  readonly hub: StatusHub;
  readonly disk: StatusDisk;
  readonly clock: Clock;
  readonly log: Log;
}): { close(): Promise<void> } {
  const closing = new AbortController();
  const waker = createWaker(clock);
  hub.onChange(() => waker.wake());

  async function run(): Promise<void> {
    while (!closing.signal.aborted) {
      await waker.until(undefined);
      await clock.sleep(SETTLE_MS, closing.signal).catch(() => undefined);
      await disk.save(hub.statuses()).catch((cause: unknown) =>
        log.warn('the last statuses cannot be written', {
          detail: errorText(cause),
        }),
      );
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
