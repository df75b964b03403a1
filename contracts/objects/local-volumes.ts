/** Volumes that a node has on its own disk, made for a claim. Free of schemas: a node agent uses it. */
import { readKey } from './own-key.ts';
import { parseQuantity } from './quantity-value.ts';
import type { PersistentVolume } from './storage.ts';
import {
  DATA_GIVEN_UP,
  HOSTNAME_LABEL,
  LOCAL_PROVISIONER,
  PROVISIONED_BY,
  SIZE_BEFORE_GROWTH,
  VOLUME_SIZE,
} from './well-known.ts';

/** Whether it was made on a node's disk, or will be. */
export function isLocallyMade({ metadata }: Pick<PersistentVolume, 'metadata'>): boolean {
  return readKey(metadata.annotations, PROVISIONED_BY) === LOCAL_PROVISIONER && LOCAL_NAME.test(metadata.name);
}

/** `pvc-` and the claim's uid: it names a folder, so that it must lead nowhere else. */
export const LOCAL_NAME = /^pvc-[A-Za-z0-9][A-Za-z0-9-]{0,62}$/;

/** The node whose disk such a volume is on; undefined for any other volume. */
export function diskOf(volume: PersistentVolume): string | undefined {
  if (!isLocallyMade(volume)) return undefined;
  const [term] = volume.spec.nodeAffinity?.required?.nodeSelectorTerms ?? [];
  return term?.matchExpressions?.find(({ key }) => key === HOSTNAME_LABEL)?.values?.[0];
}

/** Whether it is a file system of its own, which takes no more than its size. */
export function isSizeEnforced({ metadata }: Pick<PersistentVolume, 'metadata'>): boolean {
  return readKey(metadata.annotations, VOLUME_SIZE) === 'enforced';
}

/** Bytes that it is held to; undefined for one that may fill its node's disk. */
export function enforcedBytes(volume: PersistentVolume): number | undefined {
  return isLocallyMade(volume) && isSizeEnforced(volume) ? parseQuantity(volume.spec.capacity.storage) : undefined;
}

/** Of the file system of such a volume, and so of its image. */
export const IMAGE_BLOCK = 4096;
/** Less has no room for a journal, and soon none for anything else. */
const SMALLEST_IMAGE = 16 * 2 ** 20;

/** Bytes of its node's disk that a volume takes which is to have `capacity` bytes: never fewer. */
export function imageBytes(capacity: number): number {
  return Math.max(SMALLEST_IMAGE, Math.ceil(capacity / IMAGE_BLOCK) * IMAGE_BLOCK);
}

/** The capacity that it had, while its node has not said that it has the one of its spec. */
export function sizeBeforeGrowth({ metadata }: Pick<PersistentVolume, 'metadata'>): string | undefined {
  return readKey(metadata.annotations, SIZE_BEFORE_GROWTH);
}

/** Whether what is in it may be removed, once the volume is deleted. */
export function isDataGivenUp({ metadata, spec }: PersistentVolume): boolean {
  const uid = spec.claimRef?.uid;
  return uid !== undefined && readKey(metadata.annotations, DATA_GIVEN_UP) === uid;
}
