/** One look at one ReplicaSet. Source: Kubernetes documentation, "ReplicaSet". */
import {
  labelsInclude,
  objectKey,
  selectorMatches,
  type Pod,
  type ReplicaSetStatus,
  type StoredPod,
  type StoredReplicaSet,
} from '../../../contracts/objects/index.ts';
import type { Decision, Step } from '../step.ts';
import { adoptedBy, byAge, controllerOf, controllerRef, releasedFrom } from './owners.ts';
import { pickSurplus } from './pod-ranking.ts';
import { availableInMs, isActive, isFinished, isReady, isRefused } from './pod-state.ts';
import { canonicalJson } from '../storage/canonical-json.ts';
import { podMeta } from './template.ts';
import { NONE_HELD, UNHEARD_ANNOTATION, type HeldBack } from './unheard.ts';

/** Pod names serve as host names: one DNS label. */
const MAX_NAME = 63;
const SUFFIX = 5;

export interface ReplicaSetInput {
  readonly replicaSet: StoredReplicaSet;
  /** Pods of its namespace that it controls, and those without a controller. */
  readonly pods: readonly StoredPod[];
  /** Pods of the ReplicaSets with the same owner, itself included: crowding on nodes is judged over these. */
  readonly related: readonly StoredPod[];
  readonly now: Date;
  /** A fresh random suffix of the given length. */
  readonly suffix: (length: number) => string;
  /** Pods that may run on nodes which were not heard since the store was lost; none when absent. */
  readonly held?: HeldBack;
  /** Whether a pod of that name exists in the namespace. */
  readonly nameTaken: (name: string) => boolean;
}

function podFromTemplate(rs: StoredReplicaSet, name: string): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      ...(rs.metadata.namespace !== undefined && { namespace: rs.metadata.namespace }),
      ...podMeta(rs.spec.template),
      ownerReferences: [controllerRef(rs)],
    },
    spec: rs.spec.template.spec,
    status: { phase: 'Pending' },
  };
}

/**
 * Pods that one pass makes: each is news that asks for the next one. A manifest may ask for two billion. Kubernetes makes
 * 500 (BurstReplicas in pkg/controller/replicaset/replica_set.go); here a pass looks at all pods of the ReplicaSet anew.
 */
export const MOST_AT_ONCE = 5000;

function freshNames(input: ReplicaSetInput, count: number): readonly string[] {
  const base = `${input.replicaSet.metadata.name}-`.slice(0, MAX_NAME - SUFFIX);
  const names = new Set<string>();
  while (names.size < count) {
    const name = base + input.suffix(SUFFIX);
    if (!input.nameTaken(name)) names.add(name);
  }
  return [...names];
}

interface Claimed {
  readonly pods: readonly StoredPod[];
  readonly steps: readonly Step[];
}

/** Its own pods: adopts matching orphans, lets go of those that no longer match. */
function claim(input: ReplicaSetInput): Claimed {
  const { replicaSet: rs } = input;
  const pods: StoredPod[] = [];
  const steps: Step[] = [];
  for (const pod of [...input.pods].sort(byAge)) {
    const controller = controllerOf(pod.metadata);
    const matches = selectorMatches(rs.spec.selector, pod.metadata.labels);
    if (controller?.uid === rs.metadata.uid) {
      if (matches) pods.push(pod);
      else if (isActive(pod)) steps.push({ do: 'update', object: releasedFrom(pod, rs.metadata.uid) });
    } else if (
      controller === undefined &&
      matches &&
      isActive(pod) &&
      pod.metadata.namespace === rs.metadata.namespace
    ) {
      pods.push(pod);
      steps.push({ do: 'update', object: adoptedBy(pod, rs) });
    }
  }
  return { pods, steps };
}

function deletePod(rs: StoredReplicaSet, pod: StoredPod): readonly Step[] {
  return [
    { do: 'delete', key: objectKey('Pod', pod.metadata.namespace, pod.metadata.name), uid: pod.metadata.uid },
    {
      do: 'event',
      regarding: rs,
      type: 'Normal',
      reason: 'SuccessfulDelete',
      message: `Deleted pod: ${pod.metadata.name}`,
    },
  ];
}

/** Status of a ReplicaSet whose active pods are `active`. */
export function replicaSetStatus(rs: StoredReplicaSet, active: readonly StoredPod[], now: Date): ReplicaSetStatus {
  const min = rs.spec.minReadySeconds;
  return {
    observedGeneration: rs.metadata.generation,
    replicas: active.length,
    fullyLabeledReplicas: active.filter((pod) => labelsInclude(pod.metadata.labels, rs.spec.template.metadata.labels))
      .length,
    readyReplicas: active.filter(isReady).length,
    availableReplicas: active.filter((pod) => availableInMs(pod, min, now) === 0).length,
    ...(rs.status?.conditions && rs.status.conditions.length > 0 && { conditions: rs.status.conditions }),
  };
}

/** A pod that its node refused is followed by another no sooner: it would most likely be refused as well. */
const AFTER_REFUSAL_MS = 10_000;

/** How long no pod is made yet; by the wall clock, and bounded whatever that does. */
function refusalPauseMs(pods: readonly StoredPod[], now: Date): number {
  const newest = pods.filter(isRefused).at(-1);
  if (!newest) return 0;
  const age = now.getTime() - Date.parse(newest.metadata.creationTimestamp);
  return Math.min(AFTER_REFUSAL_MS, Math.max(0, AFTER_REFUSAL_MS - age));
}

/**
 * Makes the number of active pods equal `spec.replicas`: creates what is missing, {@link MOST_AT_ONCE} at most, deletes
 * the surplus by rank. Pods being deleted and finished ones do not count; of the finished ones only the newest stays, to be looked at.
 * A pod adopted in this pass is not deleted in it (one write per object). Pods that are held back are not created yet,
 * and none while a pod is there that its node has just refused. Asks to look again when a ready pod becomes available,
 * or when that pause is over.
 */
export function planReplicaSet(input: ReplicaSetInput): Decision {
  const { replicaSet: rs, now, held = NONE_HELD } = input;
  if (rs.metadata.deletionTimestamp !== undefined) return { steps: [] };
  const claimed = claim(input);
  const steps: Step[] = [...claimed.steps];
  const active = claimed.pods.filter(isActive);
  const missing = rs.spec.replicas - active.length;
  const pauseMs = missing > 0 ? refusalPauseMs(claimed.pods, now) : 0;
  if (missing > 0 && pauseMs === 0) {
    for (const name of freshNames(input, Math.min(missing - held.pods, MOST_AT_ONCE))) {
      steps.push(
        { do: 'create', object: podFromTemplate(rs, name) },
        { do: 'event', regarding: rs, type: 'Normal', reason: 'SuccessfulCreate', message: `Created pod: ${name}` },
      );
    }
  } else if (missing < 0) {
    const surplus = pickSurplus(active, input.related, -missing, rs.spec.minReadySeconds, now);
    const mine = (pod: StoredPod): boolean => controllerOf(pod.metadata)?.uid === rs.metadata.uid;
    for (const pod of surplus.filter(mine)) steps.push(...deletePod(rs, pod));
  }
  const finished = claimed.pods.filter((pod) => isFinished(pod) && pod.metadata.deletionTimestamp === undefined);
  for (const pod of finished.slice(0, -1)) steps.push(...deletePod(rs, pod));

  const status = replicaSetStatus(rs, active, now);
  if (held.pods === 0 && rs.metadata.annotations?.[UNHEARD_ANNOTATION] !== undefined)
    steps.push({ do: 'update', object: withoutUnheard(rs) });
  else if (canonicalJson(status) !== canonicalJson(rs.status))
    steps.push({ do: 'updateStatus', object: { ...rs, status } });
  const waits = [pauseMs, ...active.map((pod) => availableInMs(pod, rs.spec.minReadySeconds, now))].filter(
    (ms): ms is number => ms !== undefined && ms > 0,
  );
  if (held.againInMs !== undefined) waits.push(held.againInMs);
  return waits.length > 0 ? { steps, requeueAfterMs: Math.min(...waits) } : { steps };
}

function withoutUnheard(rs: StoredReplicaSet): StoredReplicaSet {
  const { [UNHEARD_ANNOTATION]: _over, ...annotations } = rs.metadata.annotations ?? {};
  return { ...rs, metadata: { ...rs.metadata, annotations } };
}
