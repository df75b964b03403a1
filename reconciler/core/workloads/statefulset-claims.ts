/**
 * The claims of a StatefulSet's pods: `TEMPLATE-SET-ORDINAL`, made before the pod, and kept when it goes, unless
 * `persistentVolumeClaimRetentionPolicy` says otherwise. What is to go with the StatefulSet or with a pod that is scaled
 * down names it as its owner, and nothing else deletes a claim. Source: Kubernetes, KEP-1847; stateful_set_utils.go
 * (getPersistentVolumeClaims, isClaimOwnerUpToDate, updateClaimOwnerRefForSetAndPod).
 */
import type {
  ObjectMeta,
  OwnerReference,
  PersistentVolumeClaim,
  StatefulSet,
  StoredPersistentVolumeClaim,
  StoredPod,
  StoredStatefulSet,
  VolumeClaimTemplate,
} from '../../../contracts/objects/index.ts';
import { canonicalJson } from '../storage/canonical-json.ts';
import type { Step } from '../step.ts';
import { controllerRef } from './owners.ts';
import { claimName, isWanted, podName } from './stateful-pod.ts';

export interface Claims {
  readonly steps: readonly Step[];
  /** False while one of them is being deleted, or still goes with an earlier pod: no pod may use it. */
  readonly areReady: boolean;
}

export type ClaimLookup = (name: string) => StoredPersistentVolumeClaim | undefined;

/** Makes claims of an ordinal that are missing, and lets them belong to whom the policy says. Without a `pod`: before it. */
export function planClaims(
  set: StoredStatefulSet,
  ordinal: number,
  pod: StoredPod | undefined,
  lookup: ClaimLookup,
): Claims {
  const templates = set.spec.volumeClaimTemplates ?? [];
  const found = templates.map((template) => ({ template, claim: lookup(claimName(set, template, ordinal)) }));
  return {
    areReady: found.every(({ claim }) => !claim || isUsable(claim, set, ordinal, pod)),
    steps: found.flatMap(({ template, claim }): readonly Step[] => {
      if (!claim) return createClaim(set, template, ordinal);
      const ownerReferences = ownersOf(claim.metadata, set, ordinal, pod);
      return canonicalJson(ownerReferences) === canonicalJson(claim.metadata.ownerReferences ?? [])
        ? []
        : [
            {
              do: 'update',
              object: { ...claim, metadata: { ...claim.metadata, ownerReferences: [...ownerReferences] } },
            },
          ];
    }),
  };
}

/** The claim of an ordinal as it is made for its pod. */
export function claimOf(set: StoredStatefulSet, template: VolumeClaimTemplate, ordinal: number): PersistentVolumeClaim {
  const { labels, annotations } = template.metadata;
  const name = claimName(set, template, ordinal);
  const ownerReferences = ownersOf({ name }, set, ordinal, undefined);
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      name,
      ...(set.metadata.namespace !== undefined && { namespace: set.metadata.namespace }),
      labels: { ...labels, ...set.spec.selector.matchLabels },
      ...(annotations && { annotations }),
      ...(ownerReferences.length > 0 && { ownerReferences: [...ownerReferences] }),
    },
    spec: template.spec,
    status: { phase: 'Pending' },
  };
}

function createClaim(set: StoredStatefulSet, template: VolumeClaimTemplate, ordinal: number): readonly Step[] {
  const object = claimOf(set, template, ordinal);
  const message = `create Claim ${object.metadata.name} Pod ${podName(set, ordinal)} in StatefulSet ${set.metadata.name} success`;
  return [
    { do: 'create', object },
    { do: 'event', regarding: set, type: 'Normal', reason: 'SuccessfulCreate', message },
  ];
}

function isUsable(
  { metadata }: StoredPersistentVolumeClaim,
  set: StatefulSet,
  ordinal: number,
  pod: StoredPod | undefined,
): boolean {
  if (metadata.deletionTimestamp !== undefined) return false;
  if (set.spec.persistentVolumeClaimRetentionPolicy.whenScaled === 'Retain') return true;
  return !(metadata.ownerReferences ?? []).some(
    (owner) => isNamed(owner, 'Pod', podName(set, ordinal)) && owner.uid !== pod?.metadata.uid,
  );
}

/**
 * Whom a claim belongs to: the StatefulSet, where it goes with that; its pod, where that is scaled down and the claim goes
 * with it; else nobody. References of others stay. One to an earlier object of the same name is left to the garbage
 * collector, and where another controller has the claim the policy does not count.
 */
function ownersOf(
  { ownerReferences = [] }: ObjectMeta,
  set: StoredStatefulSet,
  ordinal: number,
  pod: StoredPod | undefined,
): readonly OwnerReference[] {
  const isSet = (owner: OwnerReference): boolean => isNamed(owner, 'StatefulSet', set.metadata.name);
  const isPod = (owner: OwnerReference): boolean => isNamed(owner, 'Pod', podName(set, ordinal));
  const isStale = ownerReferences.some(
    (owner) => (isSet(owner) && owner.uid !== set.metadata.uid) || (isPod(owner) && owner.uid !== pod?.metadata.uid),
  );
  if (isStale) return ownerReferences;
  const others = ownerReferences.filter((owner) => !isSet(owner) && !isPod(owner));
  const { whenDeleted, whenScaled } = set.spec.persistentVolumeClaimRetentionPolicy;
  if (others.some(({ controller }) => controller)) return others;
  if (whenScaled === 'Delete' && !isWanted(set, ordinal)) return pod ? [...others, controllerRef(pod)] : others;
  return whenDeleted === 'Delete' ? [...others, controllerRef(set)] : others;
}

function isNamed(owner: OwnerReference, kind: 'StatefulSet' | 'Pod', name: string): boolean {
  return owner.kind === kind && owner.apiVersion === (kind === 'Pod' ? 'v1' : 'apps/v1') && owner.name === name;
}
