/**
 * Ends of containers on a full disk. A runtime that has no byte left to write down that a container ended goes on to say
 * that it runs, and tries again after 1 s, 2 s, 4 s and so on (containerd, pkg/cri/server/events.go: up to 5 min). The
 * agent holds a little room on the disk, and gives of it while somebody waits for such an end: as soon as the processes
 * must be gone, since one that fills the disk would take that room too.
 */
import { errorText } from '../../contracts/errors.ts';
import { joinSignals } from '../../contracts/signals.ts';
import { isFull } from '../core/node/disk.ts';
import type { Clock } from '../ports/clock.ts';
import type { ContainerRuntime } from '../ports/container-runtime.ts';
import type { DiskSpace } from '../ports/disk-space.ts';
import type { Log } from '../ports/log.ts';

/** From the end of a grace period until the processes are gone, in milliseconds. */
const KILL_MS = 1000;
/** The runtime has that long to use what it was given. */
const USE_MS = 2000;

/** The runtime, with room for the ends that it is asked for. */
export function withRoomToEnd(
  runtime: ContainerRuntime,
  { space, clock, log }: { space: Pick<DiskSpace, 'read' | 'giveBack'>; clock: Clock; log: Log },
): ContainerRuntime {
  async function makeRoom(pauseMs: number, until: AbortSignal): Promise<void> {
    for (let pause = pauseMs; !until.aborted; pause = USE_MS) {
      await clock.sleep(pause, until);
      if (isFull(await space.read(until)) && (await space.giveBack()))
        log.warn('the disk is full', { detail: 'the agent gave back room that it held, for the end of a container' });
    }
  }

  return {
    ...runtime,
    async stopContainer(id, graceSeconds, signal, stopSignal) {
      const ended = new AbortController();
      using over = joinSignals(ended.signal, signal);
      const room = makeRoom(graceSeconds * 1000 + KILL_MS, over.signal).catch((cause: unknown) => {
        if (!over.signal.aborted)
          log.warn('no room could be made for the end of a container', { detail: errorText(cause) });
      });
      try {
        await runtime.stopContainer(id, graceSeconds, signal, stopSignal);
      } finally {
        ended.abort();
        await room;
      }
    },
  };
}
