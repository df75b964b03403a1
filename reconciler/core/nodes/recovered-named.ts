/**
 * Pods whose names are their places, as those of a StatefulSet: two of one name may never run at one time, so that after
 * a loss of the store none is forgotten that a node has or may have.
 */
import type {
  ControllerRevision,
  PersistentVolumeClaim,
  PodTemplateSpec,
  Stored,
  StoredOf,
  StoredPod,
} from '../../../contracts/objects/index.ts';
import type { PodClaim } from '../../../contracts/agent/index.ts';
import { descriptorOf } from '../kinds/index.ts';
import { Indexes } from '../workloads/indexes.ts';
import { revisionWith } from '../workloads/revision-history.ts';
import { ordinalOf, revisionOf } from '../workloads/stateful-pod.ts';
import { claimOf } from '../workloads/statefulset-claims.ts';
import { templateHash } from '../workloads/template.ts';
import { HEARD_ORDINALS_ANNOTATION } from '../workloads/unheard.ts';

/** Pods that a machine which did not answer may have: Kubernetes' default of the most of a node. */
const SILENT_PLACES = 110;

/**
 * How many places there are, where nobody but the pods tells: up to the highest that is taken. A node that names a place
 * far off makes no more of it than the pods that are known, twice, and those that silent nodes may have.
 */
export function placesFound(places: readonly number[], silentNodes: number): number {
  const highest = places.reduce((most, place) => Math.max(most, place + 1), 0);
  return Math.min(highest, 2 * places.length + silentNodes * SILENT_PLACES);
}

/**
 * Earlier templates of the owner that pods still have, newest first, as revisions; the present one is its controller's
 * to make.
 */
export function earlierRevisions(owner: Stored, templates: readonly PodTemplateSpec[]): readonly ControllerRevision[] {
  if (!descriptorOf(owner.kind).owns.includes('ControllerRevision')) return [];
  return templates.map((template, index) =>
    revisionWith(owner, template, templateHash(template), templates.length - index),
  );
}

/**
 * The StatefulSet with what only its pods tell: the current revision is the earlier one that most of them have, of
 * several the older. While nodes are silent, which ordinals were seen is noted: all others are held back.
 */
export function recoveredStatefulSet(
  set: StoredOf<'StatefulSet'>,
  pods: readonly StoredPod[],
  revisions: readonly ControllerRevision[],
  isHeld: boolean,
): StoredOf<'StatefulSet'> {
  const having = ({ metadata }: ControllerRevision): number =>
    pods.filter((pod) => revisionOf(pod) === metadata.name).length;
  const [current] = revisions.toSorted((a, b) => having(b) - having(a) || a.revision - b.revision);
  const ordinals = pods.flatMap(({ metadata }) => ordinalOf(set, metadata.name) ?? []);
  const annotations = {
    ...set.metadata.annotations,
    ...(isHeld && { [HEARD_ORDINALS_ANNOTATION]: Indexes.of(ordinals).toString() }),
  };
  return {
    ...set,
    ...(Object.keys(annotations).length > 0 && { metadata: { ...set.metadata, annotations } }),
    ...(current && {
      status: {
        replicas: pods.length,
        readyReplicas: 0,
        availableReplicas: 0,
        currentReplicas: having(current),
        updatedReplicas: 0,
        currentRevision: current.metadata.name,
      },
    }),
  };
}

/** Claims of the pods, as their controller made them: pods find them again by name. */
export function claimsOfPods(
  set: StoredOf<'StatefulSet'>,
  pods: readonly StoredPod[],
): readonly PersistentVolumeClaim[] {
  const templates = set.spec.volumeClaimTemplates ?? [];
  return pods.flatMap(({ metadata }) => {
    const ordinal = ordinalOf(set, metadata.name);
    return ordinal === undefined ? [] : templates.map((template) => claimOf(set, template, ordinal));
  });
}

/**
 * A claimed pod that Git does not have as it is, but whose name is a place of `owner`: it ends, and until it has, the
 * place is taken.
 */
export function asEnding(claim: PodClaim, graceSeconds: number, now: Date): PodClaim {
  if (claim.metadata.deletionTimestamp !== undefined) return claim;
  const end = new Date(now.getTime() + graceSeconds * 1000).toISOString();
  return {
    ...claim,
    metadata: { ...claim.metadata, deletionTimestamp: end, deletionGracePeriodSeconds: graceSeconds },
  };
}
