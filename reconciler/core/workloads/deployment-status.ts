/**
 * A Deployment's status and conditions, with Kubernetes' reasons. Source: Kubernetes documentation, "Deployment
 * status".
 */
import {
  findCondition,
  withCondition,
  type Condition,
  type DeploymentStatus,
  type StoredDeployment,
  type StoredReplicaSet,
} from '../../../contracts/objects/index.ts';
import { REPLICA_FAILURE } from './replicaset.ts';
import { bounds } from './rollout-numbers.ts';

export interface StatusInput {
  readonly deployment: StoredDeployment;
  readonly next: StoredReplicaSet | undefined;
  readonly old: readonly StoredReplicaSet[];
  /** Name of the ReplicaSet that this pass creates. */
  readonly created?: string;
  readonly now: Date;
}

type NewCondition = Omit<Condition, 'lastTransitionTime'>;

type Counted = 'replicas' | 'readyReplicas' | 'availableReplicas' | 'terminatingReplicas';

function sum(sets: readonly StoredReplicaSet[], field: Counted): number {
  return sets.reduce((count, rs) => count + (rs.status?.[field] ?? 0), 0);
}

/** Whether everything runs the present template, at full number and available. */
export function isComplete(deployment: StoredDeployment, status: DeploymentStatus | undefined): boolean {
  const { replicas } = deployment.spec;
  return (
    status !== undefined &&
    status.updatedReplicas === replicas &&
    status.replicas === replicas &&
    status.availableReplicas === replicas &&
    (status.observedGeneration ?? 0) >= deployment.metadata.generation
  );
}

function hasProgressed(before: DeploymentStatus | undefined, after: DeploymentStatus): boolean {
  const was = before ?? { replicas: 0, updatedReplicas: 0, readyReplicas: 0, availableReplicas: 0 };
  return (
    after.updatedReplicas > was.updatedReplicas ||
    after.replicas - after.updatedReplicas < was.replicas - was.updatedReplicas ||
    after.readyReplicas > was.readyReplicas ||
    after.availableReplicas > was.availableReplicas
  );
}

/**
 * Milliseconds until the rollout counts as stuck, or undefined where nothing is awaited (done, paused, stuck already).
 */
export function deadlineInMs(
  deployment: StoredDeployment,
  conditions: readonly Condition[] | undefined,
  now: Date,
): number | undefined {
  const progressing = findCondition(conditions, 'Progressing');
  if (
    deployment.spec.paused ||
    !progressing ||
    progressing.reason === 'NewReplicaSetAvailable' ||
    progressing.reason === 'ProgressDeadlineExceeded'
  )
    return undefined;
  const since = progressing.lastUpdateTime ?? progressing.lastTransitionTime;
  if (since === undefined) return undefined;
  return Math.max(0, Date.parse(since) + deployment.spec.progressDeadlineSeconds * 1000 - now.getTime());
}

/** What to say of progress now, or undefined to leave what was said. */
function progressOf(input: StatusInput, counts: DeploymentStatus): NewCondition | undefined {
  const { deployment, next, created, now } = input;
  const before = findCondition(deployment.status?.conditions, 'Progressing');
  const told = (status: Condition['status'], reason: string, message: string): NewCondition => ({
    type: 'Progressing',
    status,
    reason,
    message,
    lastUpdateTime: now.toISOString(),
  });
  const subject = next ? `ReplicaSet "${next.metadata.name}"` : `Deployment "${deployment.metadata.name}"`;
  if (deployment.spec.paused) {
    return before?.reason === 'DeploymentPaused'
      ? undefined
      : told('Unknown', 'DeploymentPaused', 'Deployment is paused');
  }
  if (before?.reason === 'DeploymentPaused') return told('Unknown', 'DeploymentResumed', 'Deployment is resumed');
  if (created !== undefined) return told('True', 'NewReplicaSetCreated', `Created new replica set "${created}"`);
  if (counts.replicas === counts.updatedReplicas && before?.reason === 'NewReplicaSetAvailable') return undefined;
  if (isComplete(deployment, counts))
    return told('True', 'NewReplicaSetAvailable', `${subject} has successfully progressed.`);
  if (hasProgressed(deployment.status, counts)) return told('True', 'ReplicaSetUpdated', `${subject} is progressing.`);
  if (before === undefined)
    return next && told('True', 'FoundNewReplicaSet', `Found new replica set "${next.metadata.name}"`);
  if (deadlineInMs(deployment, [before], now) === 0)
    return told('False', 'ProgressDeadlineExceeded', `${subject} has timed out progressing.`);
  return undefined;
}

/** The status that the ReplicaSets amount to; equal to the present one when there is nothing to tell. */
export function deploymentStatus(input: StatusInput): DeploymentStatus {
  const { deployment, next, old, now } = input;
  const all = next ? [...old, next] : old;
  const available = sum(all, 'availableReplicas');
  const counts: DeploymentStatus = {
    observedGeneration: deployment.metadata.generation,
    replicas: sum(all, 'replicas'),
    updatedReplicas: next?.status?.replicas ?? 0,
    readyReplicas: sum(all, 'readyReplicas'),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, all.reduce((count, rs) => count + rs.spec.replicas, 0) - available),
    terminatingReplicas: sum(all, 'terminatingReplicas'),
  };
  const enough = available >= bounds(deployment.spec).minAvailable;
  let conditions = refreshed(
    deployment.status?.conditions,
    enough
      ? {
          type: 'Available',
          status: 'True',
          reason: 'MinimumReplicasAvailable',
          message: 'Deployment has minimum availability.',
        }
      : {
          type: 'Available',
          status: 'False',
          reason: 'MinimumReplicasUnavailable',
          message: 'Deployment does not have minimum availability.',
        },
    now,
  );
  const progress = progressOf(input, counts);
  if (progress) conditions = withCondition(conditions, progress, now.toISOString());
  // Of the present template first. Source: Kubernetes, getReplicaFailures.
  const failure = (next ? [next, ...old] : old)
    .map((rs) => findCondition(rs.status?.conditions, REPLICA_FAILURE))
    .find((c) => c?.status === 'True');
  if (failure) conditions = refreshed(conditions, failure, now);
  else conditions = conditions.filter((c) => c.type !== REPLICA_FAILURE);
  return { ...counts, conditions };
}

/** Sets a condition; one that already says so keeps its times. */
function refreshed(conditions: readonly Condition[] | undefined, next: NewCondition, now: Date): readonly Condition[] {
  const before = findCondition(conditions, next.type);
  if (before?.status === next.status && before.reason === next.reason && before.message === next.message)
    return conditions ?? [];
  return withCondition(conditions, { ...next, lastUpdateTime: now.toISOString() }, now.toISOString());
}
