/**
 * Pods of a node that told its inventory only after the state was rebuilt. Git is in the store by then: what the store
 * has is what counts.
 */
import {
  isKeyOf,
  keyOf,
  objectKey,
  type KubeObject,
  type ObjectKey,
  type StoredOf,
} from '../../../contracts/objects/index.ts';
import type { PodClaim } from '../../../contracts/agent/index.ts';
import { controllerOf, controllerRef, ownerKey } from '../workloads/owners.ts';
import { isActive } from '../workloads/pod-state.ts';
import { podMeta, sameTemplate } from '../workloads/template.ts';
import type { KnownNode } from './bounded-report.ts';
import { asNodesHaveIt, hasEnded, recoveredPod, templateOf, type NodeWord } from './recovered-workloads.ts';

export interface LateInput {
  /** {@link withinPlaces}: pods that are being ended count against no ReplicaSet. */
  readonly word: NodeWord;
  readonly known: KnownNode;
  readonly replicaSets: readonly StoredOf<'ReplicaSet'>[];
  readonly podsOf: (replicaSet: StoredOf<'ReplicaSet'>) => readonly StoredOf<'Pod'>[];
  readonly has: (key: ObjectKey<'Pod'>) => boolean;
  readonly now: Date;
}

/**
 * To be created: each pod that has not ended and whose template a ReplicaSet of the store has, as long as that
 * ReplicaSet lacks pods, the oldest first. The others are taken from the node by its next assignment.
 */
export function latePods(input: LateInput): readonly KubeObject[] {
  const { word, replicaSets, podsOf, has, known, now } = input;
  const missing = new Map(replicaSets.map((rs) => [rs, rs.spec.replicas - podsOf(rs).filter(isActive).length]));
  const uids = new Set<string>();
  const own = word.claims.filter((claim) => claim.kind === 'Pod').filter(({ spec }) => spec.nodeName === word.node);
  return own
    .toSorted((a, b) => (a.metadata.creationTimestamp < b.metadata.creationTimestamp ? -1 : 1))
    .flatMap((claim) => {
      const rs = ownerOf(claim, replicaSets);
      const ending = claim.metadata.deletionTimestamp !== undefined;
      if (
        !rs ||
        hasEnded(claim, word) ||
        has(objectKey('Pod', claim.metadata.namespace, claim.metadata.name)) ||
        uids.has(claim.metadata.uid)
      )
        return [];
      const left = missing.get(rs) ?? 0;
      if (!ending && left <= 0) return [];
      if (!ending) missing.set(rs, left - 1);
      uids.add(claim.metadata.uid);
      return [
        recoveredPod(
          { words: [word], known: new Map([[word.node, known]]), now },
          { node: word.node, claim },
          rs.spec.template.spec,
          { ...podMeta(rs.spec.template), ownerReferences: [controllerRef(rs)] },
        ),
      ];
    });
}

/** The ReplicaSet that the pod names, else a sibling of it, if it has the pod's template. */
function ownerOf(claim: PodClaim, replicaSets: readonly StoredOf<'ReplicaSet'>[]): StoredOf<'ReplicaSet'> | undefined {
  const owner = claim.metadata.ownerReferences?.find(({ controller }) => controller);
  const key = owner && ownerKey(claim.metadata.namespace, owner);
  if (!key || !isKeyOf(key, 'ReplicaSet')) return undefined;
  const claimed = templateOf(claim);
  const fits = (rs: StoredOf<'ReplicaSet'>): boolean => sameTemplate(asNodesHaveIt(rs.spec.template), claimed);
  const named = replicaSets.find((rs) => keyOf(rs) === key);
  if (named && fits(named)) return named;
  return replicaSets.find(
    (rs) =>
      rs.metadata.namespace === claim.metadata.namespace &&
      owner.name.startsWith(`${controllerOf(rs.metadata)?.name ?? ''}-`) &&
      controllerOf(rs.metadata) !== undefined &&
      fits(rs),
  );
}
