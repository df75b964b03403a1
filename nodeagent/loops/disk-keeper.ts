/**
 * Keeps the node's disks from filling up, in kubelet's order: unused images go above a mark; when a disk is short, the
 * node says so, containers that ended and all unused images go; when nothing of that helps, one pod after another is
 * evicted. While there is room, a little of it is held for when there is none (disk-reserve.ts).
 */
import { withDefaultTag } from '../../contracts/objects/image-name.ts';
import { errorText } from '../../contracts/errors.ts';
import { everyContainer } from '../../contracts/objects/pod-containers.ts';
import { requestsOf } from '../../contracts/objects/pod-requests.ts';
import {
  agedImages,
  areInodesShort,
  imageBytesToFree,
  imagesToRemove,
  reserveBytes,
  shortages,
  type ImageAge,
  type NodeDisks,
} from '../core/node/disk.ts';
import { podToEvict, type Candidate } from '../core/node/eviction.ts';
import { afterLook, NOT_LOOKED, type PressureState } from '../core/node/pressure.ts';
import { identityOf } from '../core/pod/objects.ts';
import { imagesOfVolumes } from '../core/pod/volumes/image.ts';
import type { Clock } from '../ports/clock.ts';
import { RuntimeError } from '../ports/container-runtime.ts';
import type { DiskSpace } from '../ports/disk-space.ts';
import type { ImageStore } from '../ports/image-store.ts';
import type { Log } from '../ports/log.ts';
import type { AssignmentStore } from './assignment-store.ts';
import { startBeat } from './beat.ts';
import type { Evictor } from './evictor.ts';
import type { PodManager } from './pod-manager.ts';
import { podsToRun, priorityIn } from './pods-to-run.ts';
import type { StatusHub } from './status-hub.ts';

export interface DiskKeeperDeps {
  readonly space: DiskSpace;
  readonly images: ImageStore;
  readonly assignment: AssignmentStore;
  readonly pods: Pick<PodManager, 'observed' | 'wakeAll'>;
  readonly evictor: Evictor;
  readonly hub: Pick<StatusHub, 'statuses'>;
  /** Name of the sandboxes' image. */
  readonly sandboxImage: () => string;
  readonly clock: Clock;
  readonly log: Log;
  /** Called after the first look, and when that becomes another. */
  readonly onState: (state: PressureState) => void;
  /** Images were removed. */
  readonly onImages: () => void;
}

/** Kubelet looks as often. */
const LOOK_EVERY_MS = 10_000;
/** Images' ages are noted at least this often. */
const NOTE_IMAGES_MS = 60_000;

/** A pod that may go; `seen`: bytes, or files, that were counted of it, of which there may be more. */
interface Held extends Candidate {
  readonly seen: number;
}

export function startDiskKeeper(deps: DiskKeeperDeps): { close(): Promise<void> } {
  const { space, images, assignment, hub, clock, log } = deps;
  const closing = new AbortController();
  let ages: ReadonlyMap<string, ImageAge> = new Map();
  let notedAt = Number.NEGATIVE_INFINITY;
  let watch = NOT_LOOKED;
  /** What was complained of last. */
  let trouble = '';

  function tell(short: readonly string[], now: number): void {
    const seen =
      short.length > 0
        ? { pressure: true, message: `the node is short of disk: ${short.join(', ')}` }
        : { pressure: false, message: 'the node has no disk pressure' };
    const before = watch.state;
    watch = afterLook(watch, seen, now);
    if (!watch.state || watch.state.message === before?.message) return;
    if (watch.state.pressure || before) log.warn('disk pressure', { detail: watch.state.message });
    deps.onState(watch.state);
    deps.pods.wakeAll();
  }

  /** As pods that are to run name them, and the sandboxes' one. */
  function wantedNames(): readonly string[] {
    const ofPods = podsToRun(assignment, hub).flatMap((pod) => [
      ...everyContainer(pod.spec).map(({ image }) => withDefaultTag(image)),
      ...imagesOfVolumes(pod),
    ]);
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

  async function evictOne(disks: NodeDisks, short: readonly string[]): Promise<void> {
    if (deps.evictor.isBusy()) return;
    // A runtime on a full disk may not answer: the pods' own files tell enough then.
    const written = await space.writtenByContainers(closing.signal).catch(complain);
    const priority = priorityIn(assignment);
    // Of inodes no pod can ask for some.
    const [what, order] = areInodesShort(short) ? (['files', 'priority'] as const) : (['bytes', 'requests'] as const);
    const pods: Held[] = [];
    for (const pod of podsToRun(assignment, hub)) {
      const { uid } = identityOf(pod);
      const inLayers = (deps.pods.observed(uid)?.containers ?? []).reduce(
        (sum, container) => sum + (written?.get(container.id)?.[what] ?? 0),
        0,
      );
      const files = await space.filesOf(identityOf(pod));
      const seen = inLayers + files[what];
      pods.push({
        uid,
        priority: priority(pod),
        // What is hidden among very many files, or very deep, would otherwise be paid for by its neighbours; and it is
        // what takes a node's inodes.
        used: files.whole ? seen : undefined,
        seen,
        requested: what === 'files' ? 0 : (requestsOf(pod).get('ephemeral-storage') ?? 0),
      });
    }
    const chosen = podToEvict(pods, order);
    if (!chosen) return;
    log.warn('pod is evicted', { uid: chosen.uid, [what]: chosen.seen });
    deps.evictor.evict(
      chosen.uid,
      what === 'files' ? inodesMessage(chosen, disks, short) : bytesMessage(chosen, disks, short),
    );
  }

  function inodesMessage({ used, seen }: Held, { node, images }: NodeDisks, short: readonly string[]): string {
    const free = Math.min(...[node, images].filter(({ inodes }) => inodes > 0).map(({ freeInodes }) => freeInodes));
    return `The node was low on resource: inodes (${short.join(', ')}; available: ${free}). The pod was using ${used === undefined ? 'at least ' : ''}${seen}.`;
  }

  function bytesMessage(chosen: Held, disks: NodeDisks, short: readonly string[]): string {
    const free = Math.min(disks.node.freeBytes, disks.images.freeBytes);
    return `The node was low on resource: ephemeral-storage (${short.join(', ')}; available: ${kibibytes(free)}). The pod was using ${chosen.used === undefined ? 'at least ' : ''}${kibibytes(chosen.seen)}, request is ${kibibytes(chosen.requested)}.`;
  }

  async function pass(): Promise<void> {
    const now = clock.monotonic();
    const disks = await space.read(closing.signal);
    const short = shortages(disks);
    const isNew = short.length > 0 && watch.state?.pressure !== true;
    tell(short, now);
    if (short.length === 0) await space.reserve(reserveBytes(disks)).catch(complain);
    const bytes = imageBytesToFree(disks);
    // Where images cannot be removed, as on a full disk, pods have to go all the same.
    const removed = bytes > 0 || now - notedAt >= NOTE_IMAGES_MS ? await tidyImages(bytes, now).catch(complain) : 0;
    // What was just let go of shows at the next look.
    if (short.length === 0 || isNew || (removed ?? 0) > 0) return;
    await evictOne(disks, short);
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

const kibibytes = (bytes: number): string => `${Math.floor(bytes / 1024)}Ki`;
