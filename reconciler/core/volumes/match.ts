/**
 * Which volume a claim gets of those that there are. Source: Kubernetes, component-helpers/storage/volume
 * FindMatchingVolume, and pkg/controller/volume/persistentvolume index.go and CheckVolumeSatisfyClaim.
 */
import {
  parseQuantity,
  selectorMatches,
  type PersistentVolume,
  type PersistentVolumeClaim,
} from '../../../contracts/objects/index.ts';
import { offersModes } from './access-modes.ts';
import { isMade } from '../../../contracts/objects/made-volumes.ts';
import { isFor } from './names.ts';

export interface MatchOptions {
  /** Whether the volume can be had where it is wanted; anywhere when absent. */
  readonly reachable?: (volume: PersistentVolume) => boolean;
  /** Whether somebody else is about to get it. */
  readonly taken?: (volume: PersistentVolume) => boolean;
}

/**
 * Of the free ones that fit those that offer the fewest modes, of these the smallest, of equal ones the first by name.
 * `keptVolume` is asked first.
 */
export function matchingVolume<V extends PersistentVolume>(
  claim: PersistentVolumeClaim,
  volumes: readonly V[],
  { reachable = () => true, taken = () => false }: MatchOptions = {},
): V | undefined {
  return volumes
    .filter(
      (volume) =>
        volume.spec.claimRef === undefined &&
        volume.metadata.deletionTimestamp === undefined &&
        misfit(volume, claim) === undefined &&
        !taken(volume) &&
        reachable(volume),
    )
    .sort(bySize)[0];
}

/**
 * The volume that names the claim: one that a person keeps for it, where it is large enough, and one of ours whatever
 * its size, which the claim had before the store was lost. It is the claim's wherever it is: one that were made in its
 * place would be empty.
 */
export function keptVolume<V extends PersistentVolume>(
  claim: PersistentVolumeClaim,
  volumes: readonly V[],
): V | undefined {
  const kept = volumes.filter(
    (volume) =>
      isFor(volume, claim) &&
      volume.metadata.deletionTimestamp === undefined &&
      (isMade(volume) || isLargeEnough(volume, claim)),
  );
  // One that names this very claim was bound to it a moment ago.
  return kept.find(({ spec }) => spec.claimRef?.uid !== undefined) ?? kept.find(isMade) ?? kept[0];
}

/** Why a claim cannot have a volume, in Kubernetes' words; undefined where it can. */
export function misfit(volume: PersistentVolume, claim: PersistentVolumeClaim): string | undefined {
  if (!isLargeEnough(volume, claim)) return 'requested PV is too small';
  if (volume.spec.storageClassName !== (claim.spec.storageClassName ?? '')) return 'storageClassName does not match';
  if (!offersModes(volume.spec.accessModes, claim.spec.accessModes)) return 'incompatible accessMode';
  if (claim.spec.selector && !selectorMatches(claim.spec.selector, volume.metadata.labels))
    return 'its labels do not match the selector';
  return undefined;
}

function isLargeEnough(volume: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  return sizeOf(volume) >= parseQuantity(claim.spec.resources.requests['storage'] ?? '0');
}

/** Bytes. */
function sizeOf({ spec }: PersistentVolume): number {
  return parseQuantity(spec.capacity['storage'] ?? '0');
}

/** Kubernetes looks at volumes by how many modes they offer first, then by size. */
function bySize(a: PersistentVolume, b: PersistentVolume): number {
  return (
    a.spec.accessModes.length - b.spec.accessModes.length ||
    sizeOf(a) - sizeOf(b) ||
    (a.metadata.name < b.metadata.name ? -1 : 1)
  );
}
