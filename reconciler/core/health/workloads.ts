/** Health of what keeps a number of pods: how far they are, and which pod holds them up. */
import {
  conditionIsTrue,
  findCondition,
  type Deployment,
  type ReplicaSet,
  type ReplicationController,
} from '../../../contracts/objects/index.ts';
import { isActive } from '../workloads/pod-state.ts';
import { degraded, healthy, progressing, worst, type Health, type HealthView } from './health.ts';
import { podHealth } from './pod.ts';

/** The worst pod of these owners, to say why they are behind. */
export function podTrouble(ownerUids: readonly string[], view: HealthView): string {
  const pods = ownerUids.flatMap((uid) => view.ownedBy('Pod', uid)).filter(isActive);
  const judged = pods
    .map((pod) => ({ pod, health: podHealth(pod) }))
    .filter(({ health }) => health.status !== 'Healthy');
  const bad = worst(judged.map(({ health }) => health));
  const found = judged.find(({ health }) => health === bad);
  return found ? `; pod ${found.pod.metadata.name}: ${found.health.message}` : '';
}

export function deploymentHealth(deployment: Deployment, view: HealthView): Health {
  const { spec, status, metadata } = deployment;
  if (!status || (status.observedGeneration ?? 0) < (metadata.generation ?? 0))
    return progressing('its newest form has not been looked at yet');
  const sets = view.ownedBy('ReplicaSet', metadata.uid ?? '').map((rs) => rs.metadata.uid);
  const failure = findCondition(status.conditions, 'ReplicaFailure');
  if (failure?.status === 'True') return degraded(failure.message ?? 'its pods cannot be created');
  const rollout = findCondition(status.conditions, 'Progressing');
  if (rollout?.reason === 'ProgressDeadlineExceeded')
    return {
      ...degraded(`${rollout.message ?? 'has timed out progressing'}${podTrouble(sets, view)}`),
      gaveUp: true,
    };
  if (spec.paused) return { status: 'Suspended', message: 'is paused' };
  if (status.updatedReplicas < spec.replicas)
    return progressing(
      `${status.updatedReplicas} of ${spec.replicas} pods have the new template${podTrouble(sets, view)}`,
    );
  if (status.replicas > status.updatedReplicas)
    return progressing(`${status.replicas - status.updatedReplicas} old pods are still to go${podTrouble(sets, view)}`);
  if (status.availableReplicas < spec.replicas) {
    const message = `${status.availableReplicas} of ${spec.replicas} pods are available${podTrouble(sets, view)}`;
    const wasComplete =
      rollout?.reason === 'NewReplicaSetAvailable' && !conditionIsTrue(status.conditions, 'Available');
    return wasComplete ? degraded(message) : progressing(message);
  }
  return healthy(`${status.availableReplicas} of ${spec.replicas} pods are available`);
}

export function replicaSetHealth(rs: ReplicaSet | ReplicationController, view: HealthView): Health {
  const { spec, status, metadata } = rs;
  if (!status || (status.observedGeneration ?? 0) < (metadata.generation ?? 0))
    return progressing('its newest form has not been looked at yet');
  const failure = findCondition(status.conditions, 'ReplicaFailure');
  if (failure?.status === 'True') return degraded(failure.message ?? 'its pods cannot be created');
  const message = `${status.availableReplicas} of ${spec.replicas} pods are available`;
  return status.availableReplicas < spec.replicas || status.replicas > spec.replicas
    ? progressing(message + podTrouble([metadata.uid ?? ''], view))
    : healthy(message);
}
