/**
 * What a volume comes to: available, bound, released, going. Source: Kubernetes, pkg/controller/volume/persistentvolume
 * pv_controller.go (syncVolume, reclaimVolume) and pkg/controller/volume/pvprotection.
 */
import {
  DATA_GIVEN_UP,
  keyOf,
  readKey,
  VOLUME_PROTECTION,
  type PersistentVolumeStatus,
  type StoredPersistentVolume,
  type StoredPersistentVolumeClaim,
} from '../../../contracts/objects/index.ts';
import type { Decision, Step } from '../step.ts';
import { sizeWords } from './local-volume.ts';
import { isDataGivenUp, isLocallyMade } from '../../../contracts/objects/local-volumes.ts';
import { isMade } from '../../../contracts/objects/made-volumes.ts';
import { isMadeOnShare, shareWork } from '../../../contracts/objects/nfs-volumes.ts';
import { BOUND_BY_CONTROLLER, DATA_DELETED, DATA_FINALIZER, withAnnotations } from './names.ts';
import { tendSteps, type Tenders } from './share-volume.ts';

export interface VolumeInput {
  readonly volume: StoredPersistentVolume;
  /** Of the name in `claimRef`. */
  readonly claim: StoredPersistentVolumeClaim | undefined;
  /** Whether the repository names it as one whose data may go. */
  readonly isGivenUp: boolean;
  readonly nodes: Tenders;
  readonly now: Date;
}

export function planVolume(input: VolumeInput): Decision {
  const steps = planSteps(input);
  // Two writes of one object: the second would be in the way of the first.
  if (steps.some((step) => step.do === 'update' || step.do === 'delete')) return { steps };
  const tending = isMadeOnShare(input.volume) ? tendSteps(input.volume, input.nodes, input.now) : { steps: [] };
  return { ...tending, steps: [...steps, ...tending.steps] };
}

function planSteps(input: VolumeInput): Step[] {
  const { volume } = input;
  const { metadata } = volume;
  const finalizers = metadata.finalizers ?? [];
  if (metadata.deletionTimestamp !== undefined) return endSteps(input);
  const protect: Step[] = finalizers.includes(VOLUME_PROTECTION)
    ? []
    : [
        {
          do: 'update',
          object: { ...volume, metadata: { ...metadata, finalizers: [...finalizers, VOLUME_PROTECTION] } },
        },
      ];
  return [...protect, ...phaseSteps(input)];
}

function phaseSteps(input: VolumeInput): Step[] {
  const { volume, claim } = input;
  const { claimRef } = volume.spec;
  if (claimRef?.uid === undefined) return told(input, 'Available');
  if (claim?.metadata.uid !== claimRef.uid) return released(input);
  const { volumeName } = claim.spec;
  if (volumeName === volume.metadata.name) return told(input, 'Bound');
  // The claim is about to name it.
  if (volumeName === undefined) return [];
  const isOurs = readKey(volume.metadata.annotations, BOUND_BY_CONTROLLER) !== undefined;
  if (isMade(volume)) return released(input);
  const { claimRef: _claim, ...spec } = volume.spec;
  const { uid: _uid, ...kept } = claimRef;
  return [{ do: 'update', object: { ...volume, spec: isOurs ? spec : { ...spec, claimRef: kept } } }];
}

/** Kept, unless its policy is Delete and its claim gave up what is in it, or the repository does. */
function released(input: VolumeInput): Step[] {
  const { volume, isGivenUp } = input;
  const { metadata, spec } = volume;
  const steps = told(input, 'Released');
  if (!isMade(volume)) return steps;
  // Nobody has been in it: whatever is there was there before.
  if (shareWork(volume) === 'make') return [...steps, { do: 'delete', key: keyOf(volume), uid: metadata.uid }];
  const isMarked = isDataGivenUp(volume);
  if (isGivenUp && !isMarked)
    return [{ do: 'update', object: withAnnotations(volume, { [DATA_GIVEN_UP]: spec.claimRef?.uid }) }, ...steps];
  return isMarked && (isGivenUp || spec.persistentVolumeReclaimPolicy === 'Delete')
    ? [...steps, { do: 'delete', key: keyOf(volume), uid: metadata.uid }]
    : steps;
}

function told({ volume, now }: VolumeInput, phase: PersistentVolumeStatus['phase']): Step[] {
  const { status } = volume;
  if (status?.phase === phase) return [];
  const message = isLocallyMade(volume) && phase === 'Bound' ? sizeWords(volume) : undefined;
  const next: PersistentVolumeStatus = {
    phase,
    ...(message !== undefined && { message }),
    lastPhaseTransitionTime: now.toISOString(),
  };
  return [{ do: 'updateStatus', object: { ...volume, status: next } }];
}

/** One that is bound stays; one of ours whose data is given up stays until its node has removed it. */
function endSteps({ volume, claim }: VolumeInput): Step[] {
  const { metadata, spec, status } = volume;
  const isBound = claim !== undefined && claim.metadata.uid === spec.claimRef?.uid;
  const isKept = !isDataGivenUp(volume) || (isMadeOnShare(volume) && shareWork(volume) !== 'remove');
  const isDone = isKept || status?.reason === DATA_DELETED;
  const finalizers = (metadata.finalizers ?? []).filter(
    (name) => !(name === VOLUME_PROTECTION && !isBound) && !(name === DATA_FINALIZER && isDone && !isBound),
  );
  return finalizers.length === metadata.finalizers?.length
    ? []
    : [{ do: 'update', object: { ...volume, metadata: { ...metadata, finalizers } } }];
}
