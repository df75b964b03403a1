/** Holds pods to the limits of their volumes on disk: one that wrote more is evicted. */
import { errorText } from '../../contracts/errors.ts';
import { identityOf } from '../core/pod/objects.ts';
import { diskLimits, exceeded } from '../core/pod/volumes/limits.ts';
import type { Clock } from '../ports/clock.ts';
import type { DiskSpace } from '../ports/disk-space.ts';
import type { Log } from '../ports/log.ts';
import type { AssignmentStore } from './assignment-store.ts';
import { startBeat } from './beat.ts';
import type { PodManager } from './pod-manager.ts';
import { podsToRun } from './pods-to-run.ts';
import type { StatusHub } from './status-hub.ts';

export interface VolumeKeeperDeps {
  readonly space: Pick<DiskSpace, 'volumeOf'>;
  readonly assignment: AssignmentStore;
  readonly hub: Pick<StatusHub, 'statuses'>;
  readonly pods: Pick<PodManager, 'evict'>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Kubelet looks as often. */
const LOOK_EVERY_MS = 10_000;
/** A volume that takes long to count is counted the more seldom: a container chooses how long. */
const PAUSE_PER_COUNT = 20;

export function startVolumeKeeper(deps: VolumeKeeperDeps): { close(): Promise<void> } {
  const { space, assignment, hub, clock, log } = deps;
  const closing = new AbortController();
  let trouble = '';
  /** When a volume is counted again, by pod and name. */
  let due: ReadonlyMap<string, number> = new Map();

  async function pass(): Promise<void> {
    const next = new Map<string, number>();
    for (const pod of podsToRun(assignment, hub)) {
      const identity = identityOf(pod);
      for (const limit of diskLimits(pod)) {
        if (closing.signal.aborted) return;
        const key = `${identity.uid}/${limit.volume}`;
        const begun = clock.monotonic();
        const at = due.get(key);
        if (at !== undefined && at > begun) {
          next.set(key, at);
          continue;
        }
        const { bytes } = await space.volumeOf(identity, limit.volume);
        const now = clock.monotonic();
        next.set(key, now + (now - begun) * PAUSE_PER_COUNT);
        if (bytes <= limit.bytes) continue;
        log.warn('pod is evicted', { uid: identity.uid, volume: limit.volume, usedBytes: bytes });
        deps.pods.evict(identity.uid, exceeded(limit), 'Limit');
        break;
      }
    }
    due = next;
  }

  function complain(cause: unknown): void {
    const detail = errorText(cause);
    if (!closing.signal.aborted && detail !== trouble) log.warn('volumes cannot be counted', { detail });
    trouble = detail;
  }

  return startBeat({ clock, pauseMs: LOOK_EVERY_MS, closing, look: () => pass().catch(complain) });
}
