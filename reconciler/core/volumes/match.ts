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
import { isLocallyMade } from '../../../contracts/objects/local-volumes.ts';
import { isFor } from './names.ts';

export interface MatchOptions {
  /** Only a volume that is kept for the claim: the scheduler chooses among the others. */
  readonly keptOnly?: boolean;
  /** Whether the volume can be had where it is wanted; anywhere when absent. */
  readonly reachable?: (volume: PersistentVolume) => boolean;
  /** Whether somebody else is about to get it. */
  readonly taken?: (volume: PersistentVolume) => boolean;
}

/**
 * The volume that is kept for the claim; else of the free ones that fit those that offer the fewest modes, of these the
 * smallest, of equal ones the first by name.
 */
export function matchingVolume<V extends PersistentVolume>(
  claim: PersistentVolumeClaim,
  volumes: readonly V[],
  { keptOnly = false, reachable = () => true, taken = () => false }: MatchOptions = {},
): V | undefined {
  const open = volumes.filter((volume) => volume.metadata.deletionTimestamp === undefined && !taken(volume));
  const kept = open.find((volume) => isFor(volume, claim) && isLargeEnough(volume, claim));
  if (kept) return reachable(kept) ? kept : undefined;
  if (keptOnly) return undefined;
  return open
    .filter((volume) => volume.spec.claimRef === undefined && misfit(volume, claim) === undefined && reachable(volume))
    .sort(bySize)[0];
}

/**
 * The volume of ours that the claim had before the store was lost, or before it was made again. It is the claim's whatever
 * its size and wherever it is: one that were made in its place would be empty.
 */
export function keptVolume<V extends PersistentVolume>(
  claim: PersistentVolumeClaim,
  volumes: readonly V[],
): V | undefined {
  return volumes.find(
    (volume) => volume.metadata.deletionTimestamp === undefined && isLocallyMade(volume) && isFor(volume, claim),
  );
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
