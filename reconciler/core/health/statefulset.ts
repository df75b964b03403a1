/** Health of a StatefulSet: how far its pods are, and which one holds up the others. */
import { findCondition, objectKey, type Pod, type StatefulSet } from '../../../contracts/objects/index.ts';
import { isTerminating } from '../workloads/pod-state.ts';
import { PODS_HELD } from '../workloads/unheard.ts';
import { degraded, healthy, progressing, type Health, type HealthView } from './health.ts';
import { podTrouble } from './workloads.ts';

export function statefulSetHealth(set: StatefulSet, view: HealthView): Health {
  const { spec, status, metadata } = set;
  if (!status || (status.observedGeneration ?? 0) < (metadata.generation ?? 0))
    return progressing('its newest form has not been looked at yet');
  const held = findCondition(status.conditions, PODS_HELD);
  if (held?.status === 'True') return degraded(held.message ?? 'pods of it may run on a node that was not heard');
  const pods = view.ownedBy('Pod', metadata.uid ?? '');
  const lost = pods.flatMap((pod) => lostPod(pod, view) ?? [])[0];
  if (lost !== undefined) return degraded(lost);
  const trouble = (): string => podTrouble([metadata.uid ?? ''], view);
  if (status.replicas > spec.replicas)
    return progressing(`${status.replicas - spec.replicas} pods too many are still to go${trouble()}`);
  const isRolling = spec.updateStrategy.type === 'RollingUpdate' && status.updateRevision !== status.currentRevision;
  const updated =
    spec.updateStrategy.type === 'RollingUpdate' ? spec.replicas - spec.updateStrategy.rollingUpdate.partition : 0;
  if (isRolling && status.updatedReplicas < updated)
    return progressing(`${status.updatedReplicas} of ${updated} pods have the new template${trouble()}`);
  const message = `${status.availableReplicas} of ${spec.replicas} pods are available`;
  return status.availableReplicas < spec.replicas ? progressing(message + trouble()) : healthy(message);
}

/** Why a pod that is to end cannot be made anew, and what decides; undefined where its node is heard. */
function lostPod(pod: Pod, view: HealthView): string | undefined {
  const { nodeName } = pod.spec;
  if (!isTerminating(pod) || nodeName === undefined) return undefined;
  const node = view.get(objectKey('Node', undefined, nodeName));
  if (node === undefined || findCondition(node.status?.conditions, 'Ready')?.status !== 'Unknown') return undefined;
  const { name, namespace } = pod.metadata;
  return `pod ${name} may still run on node ${nodeName}, which is not heard: no second one is made before it is heard and the pod has ended; where nothing of it runs any more (its power is off), \`plumb delete pod/${name} -n ${namespace ?? 'default'} --force\` lets another be made`;
}
