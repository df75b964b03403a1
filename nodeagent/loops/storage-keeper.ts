/** Holds pods to the limits of what they write to the node's disk: one that wrote more is evicted. */
import { errorText } from '../../contracts/errors.ts';
import type { Pod } from '../../contracts/objects/index.ts';
import { identityOf } from '../core/pod/objects.ts';
import { limitsStorage, storageExceeded, type StorageUse } from '../core/pod/storage-limits.ts';
import { diskLimits, exceeded } from '../core/pod/volumes/limits.ts';
import type { Clock } from '../ports/clock.ts';
import type { Holding } from '../core/node/disk.ts';
import type { DiskSpace } from '../ports/disk-space.ts';
import type { Log } from '../ports/log.ts';
import type { AssignmentStore } from './assignment-store.ts';
import { startBeat } from './beat.ts';
import type { PodManager } from './pod-manager.ts';
import { podsToRun } from './pods-to-run.ts';
import type { StatusHub } from './status-hub.ts';

export interface StorageKeeperDeps {
  readonly space: Pick<DiskSpace, 'filesOf' | 'logsOf' | 'volumeOf' | 'writtenByContainers'>;
  readonly assignment: AssignmentStore;
  readonly hub: Pick<StatusHub, 'statuses'>;
  readonly pods: Pick<PodManager, 'evict' | 'observed'>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Kubelet looks as often. */
const LOOK_EVERY_MS = 10_000;
/** What takes long to count is counted the more seldom: a container chooses how long. */
const PAUSE_PER_COUNT = 20;

type Counted = <T>(key: string, count: () => Promise<T>) => Promise<T | undefined>;
/** What containers wrote, by id; undefined where the runtime does not answer for a moment. */
type Written = () => Promise<ReadonlyMap<string, Holding> | undefined>;

export function startStorageKeeper(deps: StorageKeeperDeps): { close(): Promise<void> } {
  const { space, assignment, hub, clock, log } = deps;
  const closing = new AbortController();
  let trouble = '';
  /** When something is counted again, by pod and volume; what a pod takes together has no volume's name. */
  let due: ReadonlyMap<string, number> = new Map();

  async function pass(): Promise<void> {
    const next = new Map<string, number>();
    /** Counts where it is time to; undefined where it is not. */
    async function counted<T>(key: string, count: () => Promise<T>): Promise<T | undefined> {
      const begun = clock.monotonic();
      const at = due.get(key);
      if (at !== undefined && at > begun) {
        next.set(key, at);
        return undefined;
      }
      const found = await count();
      const now = clock.monotonic();
      next.set(key, now + (now - begun) * PAUSE_PER_COUNT);
      return found;
    }
    let asked: ReturnType<Written> | undefined;
    /** The runtime tells of all containers at once: asked once for all pods, where one is counted. */
    const written: Written = () => (asked ??= space.writtenByContainers(closing.signal).catch(complain));
    for (const pod of podsToRun(assignment, hub)) {
      const { uid } = identityOf(pod);
      const message = (await overVolumes(pod, counted)) ?? (await overTotal(pod, counted, written));
      if (closing.signal.aborted) return;
      if (message === undefined) continue;
      log.warn('pod is evicted', { uid, detail: message });
      deps.pods.evict(uid, message, 'Limit');
    }
    due = next;
  }

  /** Why a volume of the pod holds too much. */
  async function overVolumes(pod: Pod, counted: Counted): Promise<string | undefined> {
    const identity = identityOf(pod);
    for (const limit of diskLimits(pod)) {
      if (closing.signal.aborted) return undefined;
      const held = await counted(`${identity.uid}/${limit.volume}`, () => space.volumeOf(identity, limit.volume));
      if (held && held.bytes > limit.bytes) return exceeded(limit);
    }
    return undefined;
  }

  /** Why all that the pod takes, or one of its containers, is too much. */
  async function overTotal(pod: Pod, counted: Counted, written: Written): Promise<string | undefined> {
    if (!limitsStorage(pod) || closing.signal.aborted) return undefined;
    const use = await counted(identityOf(pod).uid, () => useOf(pod, written));
    return use && storageExceeded(pod, use);
  }

  async function useOf(pod: Pod, written: Written): Promise<StorageUse> {
    const identity = identityOf(pod);
    // A runtime that does not answer keeps nobody from being counted.
    const inLayer = await written();
    const containers = new Map<string, number>();
    let inLayers = 0;
    for (const { id, name } of deps.pods.observed(identity.uid)?.containers ?? []) {
      const bytes = inLayer?.get(id)?.bytes ?? 0;
      inLayers += bytes;
      containers.set(name, (containers.get(name) ?? 0) + bytes);
    }
    for (const [name, bytes] of containers) containers.set(name, bytes + (await space.logsOf(identity, name)).bytes);
    return { pod: inLayers + (await space.filesOf(identity)).bytes, containers };
  }

  function complain(cause: unknown): undefined {
    const detail = errorText(cause);
    if (!closing.signal.aborted && detail !== trouble)
      log.warn('what pods take of the disk cannot be counted', { detail });
    trouble = detail;
  }

  return startBeat({ clock, pauseMs: LOOK_EVERY_MS, closing, look: () => pass().catch(complain) });
}
