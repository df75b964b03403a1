/**
 * Which pods a plan makes and ends: those that its Deployments, ReplicaSets and Pods will have when all of them are rolled out, and what
 * stands beside them while a rolling update begins. Source: Kubernetes documentation, "Deployments".
 */
import {
  keyOf, objectKey,
  type Kind, type KubeObject, type ObjectKey, type Pod, type Stored, type StoredDeployment, type StoredOf, type StoredPod, type StoredReplicaSet,
} from '../../../contracts/objects/index.ts';
import type { PlanItem } from '../diff/types.ts';
import { kubeTime } from '../storage/object-form.ts';
import { byAge, controllerOf } from '../workloads/owners.ts';
import { pickSurplus } from '../workloads/pod-ranking.ts';
import { isActive } from '../workloads/pod-state.ts';
import { podFromTemplate } from '../workloads/replicaset.ts';
import { newReplicas } from '../workloads/rolling-update.ts';
import { bounds } from '../workloads/rollout-numbers.ts';
import { replicaSetFor, sameTemplate } from '../workloads/template.ts';

/** The live state; the store's view is one. */
export interface WorkloadReader {
  get<K extends Kind>(key: ObjectKey<K>): StoredOf<K> | undefined;
  ownedBy<K extends Kind>(kind: K, ownerUid: string): readonly StoredOf<K>[];
}

export interface PlannedPod {
  /** Key of the Deployment, ReplicaSet or Pod of the plan that makes it. */
  readonly workload: ObjectKey;
  readonly pod: StoredPod;
}

/** A rolling update as it begins. */
export interface RollingStart {
  readonly workload: ObjectKey;
  /** Old pods that are there until new ones are available. */
  readonly stay: readonly StoredPod[];
  /** More of the old template, where the number grows with the same plan. */
  readonly old: readonly StoredPod[];
  /** Of the new template, beside those. */
  readonly surge: readonly StoredPod[];
  /** How many of the old may go before a new one is available. */
  readonly unavailable: number;
}

export interface PodChanges {
  readonly come: readonly PlannedPod[];
  readonly go: readonly StoredPod[];
  readonly starts: readonly RollingStart[];
}

/** The object as the store will have it, as far as placement looks at that; one that is live stays as it is. */
export function storedForPlan<T extends KubeObject>(object: T, now: Date): Stored<T> {
  const { uid = `plan:${keyOf(object)}`, resourceVersion = '0', generation = 1, creationTimestamp = kubeTime(now) } = object.metadata;
  return { ...object, metadata: { ...object.metadata, uid, resourceVersion, generation, creationTimestamp } };
}

/** Of all items together, in the order of their keys. Names of pods to come are made up. */
export function plannedPods(items: readonly PlanItem[], reader: WorkloadReader, now: Date): PodChanges {
  const changes = [...items].sort((a, b) => (a.key < b.key ? -1 : 1)).map((item) => changesOf(item, reader, now));
  return { come: changes.flatMap(({ come }) => come), go: changes.flatMap(({ go }) => go), starts: changes.flatMap(({ starts }) => starts) };
}

/** Key of the workload that a pod belongs to: its Deployment, its ReplicaSet, else itself. */
export function workloadOf(pod: Pod, reader: WorkloadReader): ObjectKey {
  const owner = controllerOf(pod.metadata);
  if (owner?.kind !== 'ReplicaSet') return keyOf(pod);
  const above = controllerOf(reader.get(objectKey('ReplicaSet', pod.metadata.namespace, owner.name))?.metadata ?? { name: owner.name });
  return above?.kind === 'Deployment' ? objectKey('Deployment', pod.metadata.namespace, above.name) : objectKey('ReplicaSet', pod.metadata.namespace, owner.name);
}

const NOTHING: PodChanges = { come: [], go: [], starts: [] };

function changesOf(item: PlanItem, reader: WorkloadReader, now: Date): PodChanges {
  const gone = item.action === 'delete';
  const object = storedForPlan(item.object, now);
  switch (object.kind) {
    case 'Deployment': return gone ? { ...NOTHING, go: podsOfDeployment(object, reader) } : deploymentChanges(object, reader, now);
    case 'ReplicaSet': return gone ? { ...NOTHING, go: activePods(object, reader) } : replicaSetChanges(object, reader, now);
    case 'Pod':
      // Of a Pod only images can change, in place.
      if (item.action === 'update') return NOTHING;
      return gone ? { ...NOTHING, go: [object] } : { ...NOTHING, come: [{ workload: item.key, pod: object }] };
    default: return NOTHING;
  }
}

function replicaSetChanges(rs: StoredReplicaSet, reader: WorkloadReader, now: Date): PodChanges {
  const pods = activePods(rs, reader);
  const surplus = pickSurplus(pods, pods, Math.max(0, pods.length - rs.spec.replicas), rs.spec.minReadySeconds, now);
  return { ...NOTHING, go: surplus, come: made(rs, rs.spec.replicas - pods.length, now).map((pod) => ({ workload: keyOf(rs), pod })) };
}

function deploymentChanges(deployment: StoredDeployment, reader: WorkloadReader, now: Date): PodChanges {
  const { spec } = deployment;
  const workload = keyOf(deployment);
  const sets = [...reader.ownedBy('ReplicaSet', deployment.metadata.uid)].sort(byAge);
  const present = sets.find((rs) => sameTemplate(rs.spec.template, spec.template));
  const all = sets.flatMap((rs) => activePods(rs, reader));
  const surplusOf = (pods: readonly StoredPod[]): readonly StoredPod[] => pickSurplus(pods, all, Math.max(0, pods.length - spec.replicas), spec.minReadySeconds, now);
  const planned = (pods: readonly StoredPod[]): PlannedPod[] => pods.map((pod) => ({ workload, pod }));

  if (spec.paused) {
    const newest = present ?? sets.at(-1);
    return { ...NOTHING, go: surplusOf(all), come: newest ? planned(made(newest, spec.replicas - all.length, now)) : [] };
  }
  const next = present ?? storedForPlan(replicaSetFor(deployment, (name) => reader.get(objectKey('ReplicaSet', deployment.metadata.namespace, name))), now);
  const kept = present ? activePods(present, reader) : [];
  const old = all.filter((pod) => !kept.includes(pod));
  const come = made(next, spec.replicas - kept.length, now);
  const changes = { come: planned(come), go: [...old, ...surplusOf(kept)], starts: [] };
  if (old.length === 0 || spec.strategy.type === 'Recreate') return changes;

  const limit = bounds(spec);
  const beyond = new Set(surplusOf(all));
  const stay = old.filter((pod) => !beyond.has(pod));
  const last = sets.filter((rs) => rs !== present && activePods(rs, reader).length > 0).at(-1);
  const grown = last ? made(last, spec.replicas - all.length, now) : [];
  const surge = come.slice(0, newReplicas(spec.replicas, limit, kept.length, Math.min(all.length, spec.replicas) + grown.length) - kept.length);
  return surge.length === 0 ? changes : { ...changes, starts: [{ workload, stay, old: grown, surge, unavailable: limit.unavailable }] };
}

function podsOfDeployment(deployment: StoredDeployment, reader: WorkloadReader): readonly StoredPod[] {
  return reader.ownedBy('ReplicaSet', deployment.metadata.uid).flatMap((rs) => activePods(rs, reader));
}

function activePods(rs: StoredReplicaSet, reader: WorkloadReader): readonly StoredPod[] {
  return reader.ownedBy('Pod', rs.metadata.uid).filter(isActive);
}

/** `count` new pods of the ReplicaSet, none where that is negative. */
function made(rs: StoredReplicaSet, count: number, now: Date): StoredPod[] {
  return Array.from({ length: Math.max(0, count) }, (_, at) => storedForPlan(podFromTemplate(rs, `${rs.metadata.name}-${String(at + 1).padStart(5, '0')}`), now));
}
