/**
 * What a claim comes to: bound, waiting, or going. Source: Kubernetes, pkg/controller/volume/persistentvolume
 * pv_controller.go (syncUnboundClaim, syncBoundClaim) and pkg/controller/volume/pvcprotection.
 *
 * A volume is bound first, by compare-and-set on the volume, and the claim in a later pass: of two claims that choose
 * one volume at the same moment one gets it, and the other has not named it.
 */
import {
  DATA_GIVEN_UP,
  CLAIM_PROTECTION,
  findCondition,
  parseQuantity,
  readKey,
  withCondition,
  LOCAL_PROVISIONER,
  type Node,
  type PersistentVolume,
  type PersistentVolumeClaimStatus,
  type StorageClass,
  type StoredPersistentVolume,
  type StoredPersistentVolumeClaim,
  type StoredPod,
} from '../../../contracts/objects/index.ts';
import { equal } from '../fields/json.ts';
import type { Decision, Step } from '../step.ts';
import type { StorageClasses } from './class.ts';
import { growing, RESIZE_PENDING, resizePending } from './growth.ts';
import { isReachable } from './placement.ts';
import { localVolume } from './local-volume.ts';
import { claimRefOf, mayBeMade, notHeard } from './made-volume.ts';
import { keptVolume, matchingVolume, misfit } from './match.ts';
import { sizeBeforeGrowth } from '../../../contracts/objects/local-volumes.ts';
import { isMade } from '../../../contracts/objects/made-volumes.ts';
import { isNfsProvisioner, shareWork } from '../../../contracts/objects/nfs-volumes.ts';
import {
  BIND_COMPLETED,
  BOUND_BY_CONTROLLER,
  DELETE_DATA,
  isFor,
  SELECTED_NODE,
  SHARE_FAILED,
  withAnnotations,
} from './names.ts';
import { shareVolume } from './share-volume.ts';

export interface ClaimInput {
  readonly claim: StoredPersistentVolumeClaim;
  readonly volumes: readonly StoredPersistentVolume[];
  readonly classes: StorageClasses;
  /** Pods that have a node and use it. */
  readonly users: readonly StoredPod[];
  readonly nodeNamed: (name: string) => Node | undefined;
  /** Nodes whose volumes are not known, since they were not heard when the state was rebuilt. */
  readonly unheardNodes: () => readonly string[];
  readonly now: Date;
}

/** Why a claim has no volume. */
interface Waiting {
  readonly reason: string;
  readonly message: string;
}

export function planClaim(input: ClaimInput): Decision {
  const { claim } = input;
  if (claim.metadata.deletionTimestamp !== undefined) return { steps: endSteps(input) };
  const known = withDefaultClass(withProtection(claim), input);
  if (readKey(known.metadata.annotations, BIND_COMPLETED) !== undefined) return boundClaim(known, input);
  return unboundClaim(known, input);
}

function unboundClaim(claim: StoredPersistentVolumeClaim, input: ClaimInput): Decision {
  const { volumes, classes } = input;
  const { volumeName } = claim.spec;
  if (volumeName !== undefined) {
    const volume = volumes.find(({ metadata }) => metadata.name === volumeName);
    if (!volume) return waits(claim, input, 'VolumeNotFound', `there is no volume ${volumeName}`);
    if (volume.spec.claimRef === undefined) {
      const why = misfit(volume, claim);
      if (why !== undefined)
        return waits(claim, input, 'VolumeMismatch', `Cannot bind to requested volume "${volumeName}": ${why}`);
      return bind(claim, volume, input);
    }
    if (isFor(volume, claim)) return bind(claim, volume, input);
    const { namespace, name } = volume.spec.claimRef;
    return waits(claim, input, 'FailedBinding', `volume "${volumeName}" already bound to claim ${namespace}/${name}`);
  }
  const kept = keptVolume(claim, volumes);
  if (kept && shareWork(kept) === 'make') return beingMade(claim, kept, input);
  if (kept) return bind(claim, kept, input);
  const wanted = classes.of(claim);
  // A pod that named its node itself, or whose scheduler's word was lost, has one without it.
  const selected = readKey(claim.metadata.annotations, SELECTED_NODE) ?? input.users[0]?.spec.nodeName;
  const node = selected === undefined ? undefined : input.nodeNamed(selected);
  const delayed = wanted?.volumeBindingMode === 'WaitForFirstConsumer' && selected === undefined;
  if (delayed)
    return waits(claim, input, 'WaitForFirstConsumer', 'waiting for first consumer to be created before binding');
  // It may have the volume of this claim: another one would be empty.
  const [unheard] = wanted && mayBeMade(claim, wanted) ? input.unheardNodes() : [];
  if (unheard !== undefined) return waits(claim, input, 'VolumesUnknown', notHeard(unheard));
  const found = matchingVolume(claim, volumes, {
    reachable: (volume) => node === undefined || isReachable(volume, node),
  });
  if (found) return bind(claim, found, input);
  const isOnShare = isNfsProvisioner(wanted?.provisioner);
  if (wanted && (isOnShare || (wanted.provisioner === LOCAL_PROVISIONER && selected !== undefined))) {
    if (claim.spec.selector !== undefined)
      return waits(
        claim,
        input,
        'ProvisioningFailed',
        'no volume has the labels that its selector wants, and none is made with labels',
      );
    if (selected !== undefined && !node) {
      const free = withAnnotations(claim, { [SELECTED_NODE]: undefined });
      return waits(free, input, 'ProvisioningFailed', `node ${selected}, which was chosen for it, is gone`);
    }
    return isOnShare ? madeOnShare(claim, wanted, selected, input) : madeOnDisk(claim, wanted, selected ?? '', input);
  }
  const className = claim.spec.storageClassName ?? '';
  return waits(
    claim,
    input,
    'FailedBinding',
    className !== '' && wanted === undefined
      ? `storageclass.storage.k8s.io "${className}" not found`
      : `no persistent volumes available for this claim${className === '' ? ' and no storage class is set' : ''}`,
  );
}

function madeOnDisk(
  claim: StoredPersistentVolumeClaim,
  wanted: StorageClass,
  node: string,
  input: ClaimInput,
): Decision {
  const made = localVolume(claim, wanted, node);
  const waiting = waits(claim, input, 'Provisioning', `a volume is made for it on node ${node}`);
  return { steps: [{ do: 'create', object: made }, ...waiting.steps] };
}

/** The volume, which its tender is to make; `node`: that of the claim's first pod, which reaches the share. */
function madeOnShare(
  claim: StoredPersistentVolumeClaim,
  wanted: StorageClass,
  node: string | undefined,
  input: ClaimInput,
): Decision {
  const made = shareVolume(claim, wanted, node);
  if (typeof made === 'string') return waits(claim, input, 'ProvisioningFailed', made);
  return { steps: [{ do: 'create', object: made }, ...beingMade(claim, made, input).steps] };
}

/** Its volume is kept for it, and has no folder yet. */
function beingMade(claim: StoredPersistentVolumeClaim, volume: PersistentVolume, input: ClaimInput): Decision {
  const { nfs } = volume.spec;
  return volume.status?.reason === SHARE_FAILED
    ? waits(claim, input, 'ProvisioningFailed', volume.status.message ?? '')
    : waits(claim, input, 'Provisioning', `a folder is made for it: ${nfs?.server ?? ''}:${nfs?.path ?? ''}`);
}

function boundClaim(claim: StoredPersistentVolumeClaim, input: ClaimInput): Decision {
  const { volumeName } = claim.spec;
  const volume = input.volumes.find(({ metadata }) => metadata.name === volumeName);
  if (!volume) return lost(claim, input, 'ClaimLost', `Bound claim has lost its PersistentVolume ${volumeName ?? ''}`);
  if (volume.spec.claimRef === undefined || isFor(volume, claim)) return bind(claim, volume, input);
  return lost(
    claim,
    input,
    'ClaimMisbound',
    `two claims are bound to the volume ${volume.metadata.name}, and this one is not the one that it names`,
  );
}

/** The volume first; once it names the claim by uid, the claim. */
function bind(claim: StoredPersistentVolumeClaim, volume: StoredPersistentVolume, input: ClaimInput): Decision {
  const { metadata, spec } = claim;
  const { claimRef } = volume.spec;
  if (claimRef?.uid !== metadata.uid) {
    const byController = claimRef === undefined ? { [BOUND_BY_CONTROLLER]: 'yes' } : {};
    const object = withAnnotations(volume, byController);
    const bound: StoredPersistentVolume = {
      ...object,
      spec: {
        ...object.spec,
        claimRef: claimRefOf(metadata),
      },
    };
    return { steps: [{ do: 'update', object: bound }, ...written(claim, claim.status, input)] };
  }
  const grown = expansion(claim, volume, input);
  const named = withAnnotations(
    { ...claim, spec: { ...spec, volumeName: volume.metadata.name } },
    { [BIND_COMPLETED]: 'yes' },
  );
  const { conditions: _before, ...known } = claim.status ?? { phase: 'Bound' as const };
  const conditions = grown.condition
    ? withCondition(claim.status?.conditions, grown.condition, input.now.toISOString()).filter(
        ({ type }) => type === grown.condition?.type,
      )
    : undefined;
  const status: PersistentVolumeClaimStatus = {
    ...known,
    phase: 'Bound',
    accessModes: volume.spec.accessModes,
    capacity: grown.capacity,
    ...(conditions && { conditions }),
  };
  return { steps: [...grown.steps, ...written(named, status, input)] };
}

interface Expansion {
  readonly steps: readonly Step[];
  readonly capacity: StoredPersistentVolume['spec']['capacity'];
  readonly condition?: Parameters<typeof withCondition>[1];
}

/** A claim that grew has its volume grow with it, where class and volume can. */
function expansion(
  claim: StoredPersistentVolumeClaim,
  volume: StoredPersistentVolume,
  { classes }: ClaimInput,
): Expansion {
  const { capacity } = volume.spec;
  const { storage } = claim.spec.resources.requests;
  if (parseQuantity(storage) <= parseQuantity(capacity.storage)) return expanded(claim, volume);
  const mayGrow = isMade(volume) && classes.of(claim)?.allowVolumeExpansion === true;
  if (!mayGrow)
    return {
      steps: [],
      capacity,
      condition: {
        type: 'Resizing',
        status: 'False',
        reason: 'ExpansionNotAllowed',
        message:
          'only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize',
      },
    };
  const larger = growing(volume, storage);
  const steps: readonly Step[] = [{ do: 'update', object: larger }];
  const before = sizeBeforeGrowth(larger);
  if (before === undefined) return { steps, capacity: larger.spec.capacity };
  const { name } = volume.metadata;
  return {
    steps: [
      ...steps,
      told(claim, { reason: 'Resizing', message: `volume ${name} is resized` }),
      told(claim, { reason: 'FileSystemResizeRequired', message: 'Require file system resize of volume on node' }),
    ],
    capacity: { ...capacity, storage: before },
    condition: resizePending(claim),
  };
}

/** Its volume has the capacity, or its node has not given it yet. */
function expanded(claim: StoredPersistentVolumeClaim, volume: StoredPersistentVolume): Expansion {
  const { capacity } = volume.spec;
  const before = sizeBeforeGrowth(volume);
  if (before !== undefined)
    return { steps: [], capacity: { ...capacity, storage: before }, condition: resizePending(claim) };
  if (findCondition(claim.status?.conditions, RESIZE_PENDING) === undefined) return { steps: [], capacity };
  const message = `MountVolume.NodeExpandVolume succeeded for volume "${volume.metadata.name}"`;
  return { steps: [told(claim, { reason: 'FileSystemResizeSuccessful', message })], capacity };
}

function waits(claim: StoredPersistentVolumeClaim, input: ClaimInput, reason: string, message: string): Decision {
  const known = findCondition(claim.status?.conditions, 'Binding');
  const isNews = known?.reason !== reason || known.message !== message;
  const conditions = isNews
    ? withCondition(
        claim.status?.conditions,
        { type: 'Binding', status: 'False', reason, message },
        input.now.toISOString(),
      )
    : (claim.status?.conditions ?? []);
  const steps = written(claim, { phase: 'Pending', conditions }, input);
  return { steps: isNews ? [...steps, told(claim, { reason, message })] : steps };
}

function lost(claim: StoredPersistentVolumeClaim, input: ClaimInput, reason: string, message: string): Decision {
  if (claim.status?.phase === 'Lost') return { steps: [] };
  return { steps: [...written(claim, { phase: 'Lost' }, input), told(claim, { reason, message })] };
}

const NORMAL: ReadonlySet<string> = new Set([
  'WaitForFirstConsumer',
  'Provisioning',
  'Resizing',
  'FileSystemResizeRequired',
  'FileSystemResizeSuccessful',
]);

function told(regarding: StoredPersistentVolumeClaim, { reason, message }: Waiting): Step {
  return { do: 'event', regarding, type: NORMAL.has(reason) ? 'Normal' : 'Warning', reason, message };
}

/** What differs from the claim as it is stored. */
function written(
  next: StoredPersistentVolumeClaim,
  status: PersistentVolumeClaimStatus | undefined,
  { claim }: ClaimInput,
): Step[] {
  const isChanged = !equal(next.spec, claim.spec) || !equal(next.metadata, claim.metadata);
  return [
    ...(isChanged ? [{ do: 'update', object: next } as const] : []),
    ...(status !== undefined && !equal(status, claim.status ?? {})
      ? [{ do: 'updateStatus', object: { ...next, status } } as const]
      : []),
  ];
}

function withProtection(claim: StoredPersistentVolumeClaim): StoredPersistentVolumeClaim {
  const finalizers = claim.metadata.finalizers ?? [];
  return finalizers.includes(CLAIM_PROTECTION)
    ? claim
    : { ...claim, metadata: { ...claim.metadata, finalizers: [...finalizers, CLAIM_PROTECTION] } };
}

/** Written down, so that another default later changes nothing. Source: KEP-3333. */
function withDefaultClass(claim: StoredPersistentVolumeClaim, { classes }: ClaimInput): StoredPersistentVolumeClaim {
  const name = classes.default?.metadata.name;
  if (claim.spec.storageClassName !== undefined || claim.spec.volumeName !== undefined || name === undefined)
    return claim;
  return { ...claim, spec: { ...claim.spec, storageClassName: name } };
}

/**
 * The claim goes when no pod uses it. Before that it is written on its volume whether what is in it may go with it: then
 * only, whatever becomes of the claim and of what is known of it.
 */
function endSteps({ claim, volumes, users }: ClaimInput): Step[] {
  const { metadata, spec } = claim;
  const others = (metadata.finalizers ?? []).filter((name) => name !== CLAIM_PROTECTION);
  if (users.length > 0 || others.length === metadata.finalizers?.length) return [];
  const volume = volumes.find((one) => one.metadata.name === spec.volumeName && isFor(one, claim));
  const isMarked = volume === undefined || readKey(volume.metadata.annotations, DATA_GIVEN_UP) === metadata.uid;
  if (!isMarked && mayDataGo(claim))
    return [{ do: 'update', object: withAnnotations(volume, { [DATA_GIVEN_UP]: metadata.uid }) }];
  return [{ do: 'update', object: { ...claim, metadata: { ...metadata, finalizers: others } } }];
}

/** A person said so; or it was made with its owner, to go with it (a generic ephemeral volume, a StatefulSet's policy). */
function mayDataGo({ metadata }: StoredPersistentVolumeClaim): boolean {
  return readKey(metadata.annotations, DELETE_DATA) === 'true' || (metadata.ownerReferences ?? []).length > 0;
}
