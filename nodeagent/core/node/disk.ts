/**
 * What a node does before its disk is full. Thresholds and order are the kubelet's defaults. Sources: Kubernetes
 * documentation, "Node-pressure Eviction" and "Garbage Collection"; pkg/kubelet/images/image_gc_manager.go,
 * pkg/kubelet/eviction. Ours is that a share of a large disk has an upper bound.
 */

/** One file system. `free` is what others than the superuser may take. */
export interface DiskUse {
  readonly bytes: number;
  readonly freeBytes: number;
  /** 0 where the file system makes them as it needs them. */
  readonly inodes: number;
  readonly freeInodes: number;
}

/** What somebody holds of a file system. */
export interface Holding {
  readonly bytes: number;
  /** Files and folders: an inode each. */
  readonly files: number;
}

/** The file system of pods' files and logs, and that of images and containers' own files; often the same one. */
export interface NodeDisks {
  readonly node: DiskUse;
  readonly images: DiskUse;
}

/**
 * A part of the disk, and where that is more than a node can need, as of a large disk that others fill too, so many
 * bytes.
 */
interface Share {
  readonly part: number;
  readonly atMost: number;
}
const GIB = 2 ** 30;
/** With no more than this free (kubelet: 85 % in use), unused images go until there is that (80 % in use). */
const IMAGES_GO_AT: Share = { part: 0.15, atMost: 30 * GIB };
const IMAGES_GO_UNTIL: Share = { part: 0.2, atMost: 40 * GIB };
/** What is to stay free: evictionHard's nodefs.available, imagefs.available, nodefs.inodesFree, imagefs.inodesFree. */
const MIN_FREE: Readonly<Record<keyof NodeDisks, Share>> = {
  node: { part: 0.1, atMost: 10 * GIB },
  images: { part: 0.15, atMost: 15 * GIB },
};
const MIN_FREE_INODES = 0.05;
/** Kubelet's imageMinimumGCAge. */
const MIN_AGE_MS = 120_000;

/** What is short, in kubelet's names of signals; empty when nothing is. */
export function shortages(disks: NodeDisks): readonly string[] {
  return (['node', 'images'] as const).flatMap((which) => {
    const { bytes, freeBytes, inodes, freeInodes } = disks[which];
    const name = which === 'node' ? 'nodefs' : 'imagefs';
    return [
      ...(bytes > 0 && freeBytes < bytesOf(MIN_FREE[which], bytes) ? [`${name}.available`] : []),
      ...(inodes > 0 && freeInodes < inodes * MIN_FREE_INODES ? [`${name}.inodesFree`] : []),
    ];
  });
}

/** Whether what is short are inodes alone: then it is of no use that a pod lets go of bytes. */
export function areInodesShort(short: readonly string[]): boolean {
  return short.every((signal) => signal.endsWith('.inodesFree'));
}

/** Bytes that volumes of a size of their own may still take of the node's disk: it is never short because of them. */
export function roomForVolumes({ bytes, freeBytes }: Pick<DiskUse, 'bytes' | 'freeBytes'>): number {
  return Math.max(0, Math.floor(freeBytes - bytesOf(MIN_FREE.node, bytes)));
}

/** A change of less than one part in so many is not told: how much there is changes all the time. */
const TOLD_PARTS = 32;

/** Whether so much room for volumes is news after what was told last. */
export function isNewsOfRoom(bytes: number, told: number | undefined): boolean {
  return told === undefined || Math.abs(bytes - told) * TOLD_PARTS > Math.min(bytes, told);
}

/** With no more than this free, a runtime cannot even write down that a container is gone. */
const FULL_AT: Share = { part: 0.01, atMost: 4 * 2 ** 20 };
/** Bytes that the agent holds of the node's own disk, to give them back when it is full. */
const RESERVE: Share = { part: 0.02, atMost: 32 * 2 ** 20 };

/** Whether a disk is so full that nothing on it can go on. */
export function isFull(disks: NodeDisks): boolean {
  return [disks.node, disks.images].some(({ bytes, freeBytes }) => bytes > 0 && freeBytes <= bytesOf(FULL_AT, bytes));
}

export function reserveBytes({ node }: NodeDisks): number {
  return Math.floor(bytesOf(RESERVE, node.bytes));
}

/** Bytes of images to remove: everything unused under pressure, down to the low mark above the high one. */
export function imageBytesToFree(disks: NodeDisks): number {
  if (shortages(disks).length > 0) return Number.POSITIVE_INFINITY;
  const { bytes, freeBytes } = disks.images;
  return bytes > 0 && freeBytes <= bytesOf(IMAGES_GO_AT, bytes) ? bytesOf(IMAGES_GO_UNTIL, bytes) - freeBytes : 0;
}

function bytesOf({ part, atMost }: Share, bytes: number): number {
  return Math.min(bytes * part, atMost);
}

export interface StoredImage {
  readonly id: string;
  readonly tags: readonly string[];
  readonly digests: readonly string[];
  readonly sizeBytes: number;
}

/** Milliseconds of a clock that never steps. */
export interface ImageAge {
  readonly firstSeenAt: number;
  /** Undefined for one that was not in use since the agent began to look. */
  readonly usedAt: number | undefined;
}

/** Whether one of `names` (ids, tags or digests) means the image. */
export function isNamed(image: StoredImage, names: ReadonlySet<string>): boolean {
  return (
    names.has(image.id) || image.tags.some((tag) => names.has(tag)) || image.digests.some((digest) => names.has(digest))
  );
}

/** The ages of the images that are there now. */
export function agedImages(
  before: ReadonlyMap<string, ImageAge>,
  images: readonly StoredImage[],
  inUse: ReadonlySet<string>,
  now: number,
): ReadonlyMap<string, ImageAge> {
  return new Map(
    images.map((image) => {
      const known = before.get(image.id);
      return [
        image.id,
        { firstSeenAt: known?.firstSeenAt ?? now, usedAt: isNamed(image, inUse) ? now : known?.usedAt },
      ];
    }),
  );
}

/**
 * Ids of images to remove, in order: the least recently used first, of those the one known longest. None that is in
 * use, or that is new here: somebody may just be about to use it.
 */
export function imagesToRemove(
  images: readonly StoredImage[],
  ages: ReadonlyMap<string, ImageAge>,
  inUse: ReadonlySet<string>,
  bytes: number,
  now: number,
): readonly string[] {
  const order = (image: StoredImage): readonly [number, number] => {
    const age = ages.get(image.id);
    return [age?.usedAt ?? Number.NEGATIVE_INFINITY, age?.firstSeenAt ?? now];
  };
  const candidates = images
    .filter((image) => !isNamed(image, inUse) && now - order(image)[1] >= MIN_AGE_MS)
    .map((image) => ({ image, order: order(image) }))
    .sort(
      (a, b) =>
        compare(a.order[0], b.order[0]) || compare(a.order[1], b.order[1]) || (a.image.id < b.image.id ? -1 : 1),
    );
  const chosen: string[] = [];
  let freed = 0;
  for (const { image } of candidates) {
    if (freed >= bytes) break;
    chosen.push(image.id);
    freed += image.sizeBytes;
  }
  return chosen;
}

function compare(a: number, b: number): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
