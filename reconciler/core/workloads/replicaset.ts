/**
 * One look at one ReplicaSet, or one ReplicationController, which is the same with another selector. Source: Kubernetes
 * documentation, "ReplicaSet"; pkg/controller/replication/conversion.go.
 */
import {
  findCondition,
  labelsInclude,
  withCondition,
  type ReplicaSetStatus,
  type StoredPod,
  type StoredReplicaSet,
  type StoredReplicationController,
  type LabelSelector,
} from '../../../contracts/objects/index.ts';
import type { Decision, Step } from '../step.ts';
import { claimPods, createPod, deletePod, freshNames, MOST_AT_ONCE, type Naming } from './owned-pods.ts';
import { controllerOf } from './owners.ts';
import { pickSurplus } from './pod-ranking.ts';
import { availableInMs, isActive, isFinished, isReady, isRefused, isTerminating } from './pod-state.ts';
import { isCreation, tellRefused, whyRefused, type RefusedWrite } from './refused-pods.ts';
import { canonicalJson } from '../storage/canonical-json.ts';
import { NONE_HELD, waitsForUnheard, withoutUnheard, type HeldBack } from './unheard.ts';

export type ReplicaKeeper = StoredReplicaSet | StoredReplicationController;

export function selectorOf(keeper: ReplicaKeeper): LabelSelector {
  return keeper.kind === 'ReplicaSet' ? keeper.spec.selector : { matchLabels: keeper.spec.selector };
}

export interface ReplicaSetInput extends Naming {
  readonly replicaSet: ReplicaKeeper;
  /** Pods of its namespace that it controls, and those without a controller. */
  readonly pods: readonly StoredPod[];
  /** Pods of the ReplicaSets with the same owner, itself included: crowding on nodes is judged over these. */
  readonly related: () => readonly StoredPod[];
  readonly now: Date;
  /** Pods that may run on nodes which were not heard since the store was lost; none when absent. */
  readonly held?: HeldBack;
}

/** Status of a ReplicaSet that claims these pods. That pods were refused is told while some are missing. */
export function replicaSetStatus(rs: ReplicaKeeper, pods: readonly StoredPod[], now: Date): ReplicaSetStatus {
  const { minReadySeconds, template } = rs.spec;
  const count = {
    replicas: 0,
    fullyLabeledReplicas: 0,
    readyReplicas: 0,
    availableReplicas: 0,
    terminatingReplicas: 0,
  };
  for (const pod of pods) {
    if (isFinished(pod)) continue;
    if (isTerminating(pod)) {
      count.terminatingReplicas += 1;
      continue;
    }
    count.replicas += 1;
    if (labelsInclude(pod.metadata.labels, template.metadata.labels)) count.fullyLabeledReplicas += 1;
    const waitsMs = availableInMs(pod, minReadySeconds, now);
    if (waitsMs !== undefined || isReady(pod)) count.readyReplicas += 1;
    if (waitsMs === 0) count.availableReplicas += 1;
  }
  const conditions = (rs.status?.conditions ?? []).filter(
    ({ type }) => type !== REPLICA_FAILURE || count.replicas !== rs.spec.replicas,
  );
  return { observedGeneration: rs.metadata.generation, ...count, ...(conditions.length > 0 && { conditions }) };
}

/** Condition: True where its pods cannot be made, or deleted. */
export const REPLICA_FAILURE = 'ReplicaFailure';

/**
 * After a pass whose pods admission refused (a quota, the namespace's level of security): says so in the condition
 * ReplicaFailure and in an event. Source: Kubernetes, calculateStatus in pkg/controller/replicaset/replica_set_utils.go.
 */
export function planRefused(rs: ReplicaKeeper, refused: readonly RefusedWrite[], now: Date): Decision {
  const reason = isCreation(refused) ? 'FailedCreate' : 'FailedDelete';
  const message = whyRefused(refused);
  const before = findCondition(rs.status?.conditions, REPLICA_FAILURE);
  const told = tellRefused(rs, refused);
  if (!rs.status || (before?.reason === reason && before.message === message)) return told;
  const failure = { type: REPLICA_FAILURE, status: 'True' as const, reason, message };
  const conditions = withCondition(rs.status.conditions, failure, now.toISOString());
  return {
    ...told,
    steps: [...told.steps, { do: 'updateStatus', object: { ...rs, status: { ...rs.status, conditions } } }],
  };
}

/** A pod that its node refused is followed by another no sooner: it would most likely be refused as well. */
const AFTER_REFUSAL_MS = 10_000;

/** How long no pod is made yet; by the wall clock, and bounded whatever that does. */
export function refusalPauseMs(pods: readonly StoredPod[], now: Date): number {
  const newest = pods.filter(isRefused).at(-1);
  if (!newest) return 0;
  const age = now.getTime() - Date.parse(newest.metadata.creationTimestamp);
  return Math.min(AFTER_REFUSAL_MS, Math.max(0, AFTER_REFUSAL_MS - age));
}

/**
 * Makes the number of active pods equal `spec.replicas`: creates what is missing, {@link MOST_AT_ONCE} at most, deletes
 * the surplus by rank. Pods being deleted and finished ones do not count; of the finished ones only the newest stays,
 * to be looked at. A pod adopted in this pass is not deleted in it (one write per object). Pods that are held back are
 * not created yet, and none while a pod is there that its node has just refused. Asks to look again when a ready pod
 * becomes available, or when that pause is over.
 */
export function planReplicaSet(input: ReplicaSetInput): Decision {
  const { replicaSet: rs, now, held = NONE_HELD } = input;
  if (rs.metadata.deletionTimestamp !== undefined) return { steps: [] };
  const claimed = claimPods(rs, input.pods, selectorOf(rs));
  const steps: Step[] = [...claimed.steps];
  const active = claimed.pods.filter(isActive);
  const missing = rs.spec.replicas - active.length;
  const pauseMs = missing > 0 ? refusalPauseMs(claimed.pods, now) : 0;
  if (missing > 0 && pauseMs === 0) {
    for (const name of freshNames(rs, Math.min(missing - held.pods, MOST_AT_ONCE), input))
      steps.push(...createPod(rs, name, rs.spec.template));
  } else if (missing < 0) {
    const surplus = pickSurplus(active, input.related(), -missing, rs.spec.minReadySeconds, now);
    const mine = (pod: StoredPod): boolean => controllerOf(pod.metadata)?.uid === rs.metadata.uid;
    for (const pod of surplus.filter(mine)) steps.push(...deletePod(rs, pod));
  }
  const finished = claimed.pods.filter((pod) => isFinished(pod) && pod.metadata.deletionTimestamp === undefined);
  for (const pod of finished.slice(0, -1)) steps.push(...deletePod(rs, pod));

  const status = replicaSetStatus(rs, claimed.pods, now);
  if (held.pods === 0 && waitsForUnheard(rs)) steps.push({ do: 'update', object: withoutUnheard(rs) });
  else if (canonicalJson(status) !== canonicalJson(rs.status))
    steps.push({ do: 'updateStatus', object: { ...rs, status } });
  const { minReadySeconds } = rs.spec;
  const ripening = minReadySeconds === 0 ? [] : active.map((pod) => availableInMs(pod, minReadySeconds, now));
  const waits = [pauseMs, ...ripening].filter((ms): ms is number => ms !== undefined && ms > 0);
  if (held.againInMs !== undefined) waits.push(held.againInMs);
  return waits.length > 0 ? { steps, requeueAfterMs: Math.min(...waits) } : { steps };
}
