/** How far a StatefulSet is. Source: Kubernetes, stateful_set_control.go (computeReplicaStatus, completeRollingUpdate). */
import {
  withCondition,
  type Condition,
  type StatefulSetStatus,
  type StoredPod,
  type StoredStatefulSet,
} from '../../../contracts/objects/index.ts';
import { availableInMs, isReady, isTerminating } from './pod-state.ts';
import { isWanted, revisionOf, type Member, type Revisions } from './stateful-pod.ts';
import { PODS_HELD, type HeldOrdinals } from './unheard.ts';

interface StatusInput {
  readonly set: StoredStatefulSet;
  readonly members: readonly Member[];
  readonly revisions: Revisions;
  readonly collisionCount: number;
  readonly held?: HeldOrdinals | undefined;
  readonly now: Date;
}

/** An update is over, and its revision the current one, when all pods have it and are ready. */
export function statefulSetStatus(input: StatusInput): StatefulSetStatus {
  const { set, members, revisions, collisionCount, now } = input;
  const { spec, metadata } = set;
  const { current, update } = revisions;
  const pods = members.map(({ pod }) => pod);
  const ready = pods.filter((pod) => pod.status?.phase === 'Running' && isReady(pod));
  const of = (revision: string): readonly StoredPod[] =>
    pods.filter((pod) => !isTerminating(pod) && revisionOf(pod) === revision);
  const updatedReplicas = of(update.name).length;
  const isOver =
    spec.updateStrategy.type === 'RollingUpdate' &&
    [updatedReplicas, ready.length, pods.length].every((count) => count === spec.replicas);
  const conditions = conditionsOf(input);
  return {
    observedGeneration: metadata.generation,
    replicas: pods.length,
    readyReplicas: ready.length,
    availableReplicas: ready.filter((pod) => availableInMs(pod, spec.minReadySeconds, now) === 0).length,
    currentReplicas: isOver ? updatedReplicas : of(current.name).length,
    updatedReplicas,
    currentRevision: isOver ? update.name : current.name,
    updateRevision: update.name,
    collisionCount,
    ...(conditions.length > 0 && { conditions }),
  };
}

/** Says which nodes are waited for, and what decides, while a pod is held back. */
function conditionsOf({ set, members, held, now }: StatusInput): readonly Condition[] {
  const others = (set.status?.conditions ?? []).filter(({ type }) => type !== PODS_HELD);
  const wanted = members.filter(({ ordinal }) => isWanted(set, ordinal)).length;
  const missing = set.spec.replicas - wanted;
  const [first = '', ...more] = held?.nodes ?? [];
  if (!held || missing === 0) return others;
  const nodes = `node ${first}${more.length > 0 ? ` and ${more.length} others` : ''}`;
  return withCondition(
    set.status?.conditions,
    {
      type: PODS_HELD,
      status: 'True',
      reason: 'NodeNotHeard',
      message: `the state was rebuilt while ${nodes} did not answer: up to ${missing} of its pods may run there, and no second ones are made before it is heard; where it is gone for good, \`plumb node rm ${first} --commit\` and a push let others be made`,
    },
    now.toISOString(),
  );
}
