/**
 * Keeps the node's disks from filling up, in kubelet's order: unused images go above a mark; when a disk is short, the
 * node says so, containers that ended and all unused images go; when nothing of that helps, one pod after another is
 * evicted.
 *
 * On a disk without a free byte a container runtime can neither remove an image nor write down that a container has
 * ended. The agent holds a little room, and gives it back when the one that filled the disk was told to end.
 */
import { withDefaultTag } from '../../contracts/objects/image-name.ts';
import { errorText } from '../../contracts/errors.ts';
import type { Pod } from '../../contracts/objects/index.ts';
import { everyContainer, lastingContainers } from '../../contracts/objects/pod-containers.ts';
import { parseQuantity } from '../../contracts/objects/quantity-value.ts';
import {
  agedImages,
  imageBytesToFree,
  imagesToRemove,
  isFull,
  podToEvict,
  PRESSURE_HOLDS_MS,
  reserveBytes,
  shortages,
  type ImageAge,
  type NodeDisks,
  type PodDisk,
} from '../core/node/disk.ts';
import type { DiskState } from '../core/node/report.ts';
import { identityOf } from '../core/pod/objects.ts';
import type { Clock } from '../ports/clock.ts';
import { RuntimeError } from '../ports/container-runtime.ts';
import type { DiskSpace } from '../ports/disk-space.ts';
import type { ImageStore } from '../ports/image-store.ts';
import type { Log } from '../ports/log.ts';
import type { AssignmentStore } from './assignment-store.ts';
import { startBeat } from './beat.ts';
import type { PodManager } from './pod-manager.ts';
import { podsToRun } from './pods-to-run.ts';
import type { StatusHub } from './status-hub.ts';

export interface DiskKeeperDeps {
  readonly space: DiskSpace;
  readonly images: ImageStore;
  readonly assignment: AssignmentStore;
  readonly pods: Pick<PodManager, 'observed' | 'evict' | 'wakeAll'>;
  readonly hub: Pick<StatusHub, 'statuses'>;
  /** Name of the sandboxes' image. */
  readonly sandboxImage: () => string;
  readonly clock: Clock;
  readonly log: Log;
  /** Called after the first look, and when that becomes another. */
  readonly onState: (state: DiskState) => void;
  /** Images were removed. */
  readonly onImages: () => void;
}

/** Kubelet looks as often. */
const LOOK_EVERY_MS = 10_000;
/** Images' ages are noted at least this often. */
const NOTE_IMAGES_MS = 60_000;
/** An evicted pod may take this long to free what it held before the next one goes. */
const EVICTION_MS = 30_000;
const CRITICAL_CLASSES: readonly (string | undefined)[] = ['system-node-critical', 'system-cluster-critical'];

export function startDiskKeeper(deps: DiskKeeperDeps): { close(): Promise<void> } {
  const { space, images, assignment, hub, clock, log } = deps;
  const closing = new AbortController();
  let ages: ReadonlyMap<string, ImageAge> = new Map();
  let notedAt = Number.NEGATIVE_INFINITY;
  let state: DiskState | undefined;
  let shortAt = 0;
  /** What was complained of last. */
  let trouble = '';
  let evicting: { readonly uid: string; readonly at: number } | undefined;

  function tell(short: readonly string[], now: number): void {
    if (short.length > 0) shortAt = now;
    else if (state?.pressure === true && now - shortAt < PRESSURE_HOLDS_MS) return;
    const next: DiskState =
      short.length > 0
        ? { pressure: true, message: `the node is short of disk: ${short.join(', ')}` }
        : { pressure: false, message: 'the node has no disk pressure' };
    if (state?.message === next.message) return;
    if (next.pressure || state) log.warn('disk pressure', { detail: next.message });
    state = next;
    deps.onState(next);
    deps.pods.wakeAll();
  }

  /** As pods that are to run name them, and the sandboxes' one. */
  function wantedNames(): readonly string[] {
    const ofPods = podsToRun(assignment, hub).flatMap((pod) =>
      everyContainer(pod.spec).map(({ image }) => withDefaultTag(image)),
    );
    return [...new Set([deps.sandboxImage(), ...ofPods])].filter((name) => name !== '');
  }

  async function idsOf(names: readonly string[]): Promise<readonly string[]> {
    const ids: string[] = [];
    for (const name of names) {
      const found = await images.find(name, closing.signal).catch(unlessNoImage);
      if (found) ids.push(found.id);
    }
    return ids;
  }

  /** How many images were removed. */
  async function tidyImages(bytes: number, now: number): Promise<number> {
    const known = new Set(wantedNames());
    const [stored, ofContainers] = await Promise.all([images.list(closing.signal), space.imagesInUse(closing.signal)]);
    const inUse = new Set([...ofContainers, ...(await idsOf([...known]))]);
    ages = agedImages(ages, stored, inUse, now);
    notedAt = now;
    let removed = 0;
    for (const id of imagesToRemove(stored, ages, inUse, bytes, now)) {
      // A removal takes its time: a pod may have come that finds its image here, and pulls none.
      const fresh = wantedNames().filter((name) => !known.has(name));
      for (const name of fresh) known.add(name);
      for (const wanted of await idsOf(fresh)) inUse.add(wanted);
      if (inUse.has(id)) continue;
      // One that cannot be removed does not keep the others.
      await images.remove(id, closing.signal).then(() => {
        removed += 1;
      }, complain);
    }
    if (removed > 0) {
      log.info('unused images removed', { images: removed });
      deps.onImages();
    }
    return removed;
  }

  /** Whether one was chosen. */
  async function evictOne(disks: NodeDisks, short: readonly string[], now: number): Promise<boolean> {
    if (evicting && now - evicting.at < EVICTION_MS && (deps.pods.observed(evicting.uid)?.containers.length ?? 0) > 0)
      return false;
    // A runtime on a full disk may not answer: the pods' own files tell enough then.
    const written = await space.writtenByContainers(closing.signal).catch(complain);
    const pods: PodDisk[] = [];
    for (const pod of podsToRun(assignment, hub)) {
      const { uid } = identityOf(pod);
      const inLayers = (deps.pods.observed(uid)?.containers ?? []).reduce(
        (sum, container) => sum + (written?.get(container.id) ?? 0),
        0,
      );
      const files = await space.filesOf(identityOf(pod));
      pods.push({
        uid,
        usedBytes: inLayers + files.bytes,
        counted: files.whole,
        requestedBytes: requestOf(pod),
        critical: CRITICAL_CLASSES.includes(pod.spec.priorityClassName),
      });
    }
    const chosen = podToEvict(pods);
    if (!chosen) return false;
    evicting = { uid: chosen.uid, at: now };
    const free = Math.min(disks.node.freeBytes, disks.images.freeBytes);
    log.warn('pod is evicted', { uid: chosen.uid, usedBytes: chosen.usedBytes });
    deps.pods.evict(
      chosen.uid,
      `The node was low on resource: ephemeral-storage (${short.join(', ')}; available: ${kibibytes(free)}). The pod was using ${chosen.counted ? '' : 'at least '}${kibibytes(chosen.usedBytes)}, request is ${kibibytes(chosen.requestedBytes)}.`,
      'NodePressure',
    );
    return true;
  }

  async function pass(): Promise<void> {
    const now = clock.monotonic();
    const disks = await space.read(closing.signal);
    const short = shortages(disks);
    const isNew = short.length > 0 && state?.pressure !== true;
    tell(short, now);
    if (short.length === 0) await space.reserve(reserveBytes(disks)).catch(complain);
    const bytes = imageBytesToFree(disks);
    // Where images cannot be removed, as on a full disk, pods have to go all the same.
    const removed = bytes > 0 || now - notedAt >= NOTE_IMAGES_MS ? await tidyImages(bytes, now).catch(complain) : 0;
    // What was just let go of shows at the next look.
    if (short.length === 0 || isNew || (removed ?? 0) > 0) return;
    const begun = await evictOne(disks, short, now).catch(complain);
    if (begun !== true && isFull(disks)) await space.reserve(0);
  }

  function complain(cause: unknown): void {
    const detail = errorText(cause);
    if (!closing.signal.aborted && detail !== trouble) log.warn('the disks cannot be kept in order', { detail });
    trouble = detail;
  }

  return startBeat({ clock, pauseMs: LOOK_EVERY_MS, closing, look: () => pass().catch(complain) });
}

/**
 * A name that the runtime makes nothing of, as an ambiguous beginning of an id, is no image's. Anything else may be a
 * moment's trouble.
 */
function unlessNoImage(cause: unknown): undefined {
  if (!(cause instanceof RuntimeError && (cause.failure === 'Other' || cause.failure === 'NotFound'))) throw cause;
}

function requestOf(pod: Pod): number {
  return lastingContainers(pod.spec).reduce((sum, container) => {
    const requests = container.resources.requests as Readonly<Record<string, string>> | undefined;
    const request = requests?.['ephemeral-storage'];
    return sum + (request === undefined ? 0 : parseQuantity(request));
  }, 0);
}

const kibibytes = (bytes: number): string => `${Math.floor(bytes / 1024)}Ki`;
