/** Health of any object, one judgement per kind. */
import {
  conditionIsTrue,
  findCondition,
  KINDS,
  labelsInclude,
  objectKey,
  SERVICE_NAME_LABEL,
  type Condition,
  type Deployment,
  type KubeObject,
  type Kind,
  type Machine,
  type Node,
  type ObjectKey,
  type PodDisruptionBudget,
  type PodGroup,
  type ReplicaSet,
  type Service,
  type StoredOf,
} from '../../../contracts/objects/index.ts';
import { DISRUPTION_ALLOWED } from '../workloads/disruption-budget.ts';
import { isActive } from '../workloads/pod-state.ts';
import { worst, type Health } from './health.ts';
import { podHealth } from './pod.ts';

/** What a judgement looks at besides the object; the process's view of the store is one. */
export interface HealthView {
  get<K extends Kind>(key: ObjectKey<K>): StoredOf<K> | undefined;
  ownedBy<K extends Kind>(kind: K, ownerUid: string): readonly StoredOf<K>[];
  labelled<K extends Kind>(kind: K, key: string, value: string, namespace?: string): readonly StoredOf<K>[];
}

const HEALTHY = (message: string): Health => ({ status: 'Healthy', message });
const PROGRESSING = (message: string): Health => ({ status: 'Progressing', message });
const DEGRADED = (message: string): Health => ({ status: 'Degraded', message });

/** The worst pod of these ReplicaSets, to say why they are behind. */
function podTrouble(ownerUids: readonly string[], view: HealthView): string {
  const pods = ownerUids.flatMap((uid) => view.ownedBy('Pod', uid)).filter(isActive);
  const judged = pods
    .map((pod) => ({ pod, health: podHealth(pod) }))
    .filter(({ health }) => health.status !== 'Healthy');
  const bad = worst(judged.map(({ health }) => health));
  const found = judged.find(({ health }) => health === bad);
  return found ? `; pod ${found.pod.metadata.name}: ${found.health.message}` : '';
}

function deploymentHealth(deployment: Deployment, view: HealthView): Health {
  const { spec, status, metadata } = deployment;
  if (!status || (status.observedGeneration ?? 0) < (metadata.generation ?? 0))
    return PROGRESSING('its newest form has not been looked at yet');
  const sets = view.ownedBy('ReplicaSet', metadata.uid ?? '').map((rs) => rs.metadata.uid);
  const failure = findCondition(status.conditions, 'ReplicaFailure');
  if (failure?.status === 'True') return DEGRADED(failure.message ?? 'its pods cannot be created');
  const progressing = findCondition(status.conditions, 'Progressing');
  if (progressing?.reason === 'ProgressDeadlineExceeded')
    return {
      ...DEGRADED(`${progressing.message ?? 'has timed out progressing'}${podTrouble(sets, view)}`),
      gaveUp: true,
    };
  if (spec.paused) return { status: 'Suspended', message: 'is paused' };
  if (status.updatedReplicas < spec.replicas)
    return PROGRESSING(
      `${status.updatedReplicas} of ${spec.replicas} pods have the new template${podTrouble(sets, view)}`,
    );
  if (status.replicas > status.updatedReplicas)
    return PROGRESSING(`${status.replicas - status.updatedReplicas} old pods are still to go${podTrouble(sets, view)}`);
  if (status.availableReplicas < spec.replicas) {
    const message = `${status.availableReplicas} of ${spec.replicas} pods are available${podTrouble(sets, view)}`;
    const wasComplete =
      progressing?.reason === 'NewReplicaSetAvailable' && !conditionIsTrue(status.conditions, 'Available');
    return wasComplete ? DEGRADED(message) : PROGRESSING(message);
  }
  return HEALTHY(`${status.availableReplicas} of ${spec.replicas} pods are available`);
}

function replicaSetHealth(rs: ReplicaSet, view: HealthView): Health {
  const { spec, status, metadata } = rs;
  if (!status || (status.observedGeneration ?? 0) < (metadata.generation ?? 0))
    return PROGRESSING('its newest form has not been looked at yet');
  const failure = findCondition(status.conditions, 'ReplicaFailure');
  if (failure?.status === 'True') return DEGRADED(failure.message ?? 'its pods cannot be created');
  const message = `${status.availableReplicas} of ${spec.replicas} pods are available`;
  return status.availableReplicas < spec.replicas || status.replicas > spec.replicas
    ? PROGRESSING(message + podTrouble([metadata.uid ?? ''], view))
    : HEALTHY(message);
}

function serviceHealth(service: Service, view: HealthView): Health {
  const { spec, metadata, status } = service;
  const refused = (status?.conditions ?? []).find((condition) => condition.status === 'False');
  if (refused) return DEGRADED(refused.message ?? refused.reason ?? refused.type);
  if (spec.clusterIP === undefined) return PROGRESSING('waits for its address');
  const [label] = Object.entries(spec.selector ?? {});
  if (!label) return HEALTHY('has no selector');
  const pods = view
    .labelled('Pod', label[0], label[1], metadata.namespace)
    .filter((pod) => isActive(pod) && labelsInclude(pod.metadata.labels, spec.selector));
  if (pods.length === 0) return HEALTHY('no pod matches its selector');
  const slices = view.labelled('EndpointSlice', SERVICE_NAME_LABEL, metadata.name, metadata.namespace);
  const ready = slices.flatMap((slice) => slice.endpoints).filter((endpoint) => endpoint.conditions.ready).length;
  return ready > 0
    ? HEALTHY(`${ready} of ${pods.length} endpoints are ready`)
    : PROGRESSING(`none of ${pods.length} endpoints is ready`);
}

function explained(condition: Condition): string {
  return [condition.reason, condition.message].filter(Boolean).join(': ');
}

function nodeHealth(node: Node): Health {
  const ready = findCondition(node.status?.conditions, 'Ready');
  if (!ready) return PROGRESSING('has not reported yet');
  if (ready.status !== 'True') return DEGRADED(`is not ready: ${explained(ready)}`);
  const network = findCondition(node.status?.conditions, 'NetworkUnavailable');
  if (network?.status === 'True') return DEGRADED(`its network is not as it should be: ${explained(network)}`);
  return HEALTHY(node.spec.unschedulable === true ? 'is ready, scheduling disabled' : 'is ready');
}

function machineHealth(machine: Machine, view: HealthView): Health {
  const trouble = (machine.status?.conditions ?? []).find((condition) => condition.status === 'False');
  if (trouble) return DEGRADED(`${trouble.type}: ${explained(trouble)}`);
  const node = view.get(objectKey('Node', undefined, machine.metadata.name));
  return node ? nodeHealth(node) : PROGRESSING('its Node has not been made yet');
}

/** A budget that allows nothing now does what it is there for. */
function disruptionBudgetHealth({ status, metadata }: PodDisruptionBudget): Health {
  if (!status || (status.observedGeneration ?? 0) < (metadata.generation ?? 0))
    return PROGRESSING('its pods have not been counted yet');
  const allowed = findCondition(status.conditions, DISRUPTION_ALLOWED);
  if (allowed?.reason === 'SyncFailed') return DEGRADED(`its pods cannot be counted: ${allowed.message ?? ''}`);
  if (status.expectedPods === 0) return HEALTHY('no pod matches its selector');
  return HEALTHY(
    `${status.currentHealthy} pods are healthy, ${status.desiredHealthy} have to be; ${status.disruptionsAllowed} may be evicted`,
  );
}

function podGroupHealth({ status, spec }: PodGroup): Health {
  if (!status) return PROGRESSING('its pods have not been counted yet');
  const running = `${status.running} of ${spec.minMember} pods run`;
  switch (status.phase) {
    case 'Failed':
      return DEGRADED(`${status.failed} of its pods failed`);
    case 'Pending':
    case 'Scheduling':
      return PROGRESSING(running);
    case 'Running':
      return HEALTHY(running);
    case 'Finished':
      return HEALTHY('its pods ended well');
  }
}

/**
 * Health of a live object; `undefined` is one that should be there and is not. Kinds that merely hold data are healthy.
 */
export function objectHealth(object: KubeObject | undefined, view: HealthView): Health {
  if (!object) return { status: 'Missing', message: 'is not in the cluster' };
  switch (object.kind) {
    case 'Deployment':
      return deploymentHealth(object, view);
    case 'ReplicaSet':
      return replicaSetHealth(object, view);
    case 'Pod':
      return podHealth(object);
    case 'Service':
      return serviceHealth(object, view);
    case 'Node':
      return nodeHealth(object);
    case 'Machine':
      return machineHealth(object, view);
    case 'PodDisruptionBudget':
      return disruptionBudgetHealth(object);
    case 'PodGroup':
      return podGroupHealth(object);
    default:
      return HEALTHY(KINDS[object.kind].namespaced ? 'is stored' : 'is in force');
  }
}
