/**
 * What becomes of Deployments, ReplicaSets and their pods under a plan. Their own controllers decide it, on a copy of
 * what they own: how a rolling update goes on, who goes first, who comes for a pod that was evicted. Pods come without
 * a node; whoever gives them one says so. What is not concerned is never looked at. Deterministic: names of pods to
 * come are made up.
 */
import {
  keyOf,
  objectKey,
  withCondition,
  type Kind,
  type KubeObject,
  type ObjectKey,
  type Pod,
  type ReplicaSet,
  type Stored,
  type StoredDeployment,
  type StoredAt,
  type StoredOf,
  type StoredPod,
  type StoredReplicaSet,
} from '../../../contracts/objects/index.ts';
import type { PlanItem } from '../diff/types.ts';
import type { Paced } from '../paced.ts';
import type { Step } from '../step.ts';
import { kubeTime } from '../storage/object-form.ts';
import { planDeployment } from '../workloads/deployment.ts';
import { controllerOf } from '../workloads/owners.ts';
import { isActive, isReady } from '../workloads/pod-state.ts';
import { planReplicaSet } from '../workloads/replicaset.ts';
import { bounds } from '../workloads/rollout-numbers.ts';
import { sameTemplate } from '../workloads/template.ts';

/**
 * The live state; the store's view is one. It is asked for what belongs together at once, when that is first concerned.
 */
export interface WorkloadReader {
  get<Key extends ObjectKey>(key: Key): StoredAt<Key> | undefined;
  ownedBy<K extends Kind>(kind: K, ownerUid: string): readonly StoredOf<K>[];
}

export interface PlannedPod {
  /** Key of the Deployment, ReplicaSet or Pod that makes it. */
  readonly workload: ObjectKey;
  readonly pod: StoredPod;
}

export interface PodChanges {
  readonly come: readonly PlannedPod[];
  readonly go: readonly StoredPod[];
}

/** A rolling update that is not at its end. */
export interface RollingUpdate {
  readonly workload: ObjectKey;
  /** Pods of earlier templates. */
  readonly oldLeft: number;
  /** Uids of the pods that have the new template. */
  readonly next: ReadonlySet<string>;
}

interface DeploymentRecord {
  deployment: StoredDeployment;
  readonly sets: ReplicaSetRecord[];
}

interface ReplicaSetRecord {
  replicaSet: StoredReplicaSet;
  /** What it belongs to; undefined where it stands alone, or that was deleted. */
  above: DeploymentRecord | undefined;
  /** The active ones, by uid. */
  readonly pods: Map<string, StoredPod>;
  /** Pods made so far. */
  made: number;
}

/** The object as the store will have it, as far as placement looks at that; one that is live stays as it is. */
export function storedForPlan<T extends KubeObject>(object: T, now: Date): Stored<T> {
  const {
    uid = `plan:${keyOf(object)}`,
    resourceVersion = '0',
    generation = 1,
    creationTimestamp = kubeTime(now),
  } = object.metadata;
  return { ...object, metadata: { ...object.metadata, uid, resourceVersion, generation, creationTimestamp } };
}

/** Key of the workload that a live pod belongs to: its Deployment, its ReplicaSet, else itself. */
export function workloadOf(pod: Pod, reader: WorkloadReader): ObjectKey {
  const owner = controllerOf(pod.metadata);
  if (owner?.kind !== 'ReplicaSet') return keyOf(pod);
  const key = objectKey('ReplicaSet', pod.metadata.namespace, owner.name);
  const above = controllerOf(reader.get(key)?.metadata ?? { name: owner.name });
  return above?.kind === 'Deployment' ? objectKey('Deployment', pod.metadata.namespace, above.name) : key;
}

export class PlannedWorkloads {
  readonly #reader: WorkloadReader;
  readonly #now: Date;
  /** By uid. */
  readonly #deployments = new Map<string, DeploymentRecord>();
  readonly #replicaSets = new Map<string, ReplicaSetRecord>();
  /** What its controller has to look at. */
  readonly #due = new Set<DeploymentRecord | ReplicaSetRecord>();
  /** Not yet taken, by uid. */
  readonly #come = new Map<string, PlannedPod>();
  readonly #go = new Map<string, StoredPod>();

  constructor(reader: WorkloadReader, now: Date) {
    this.#reader = reader;
    this.#now = now;
  }

  /** Takes in the plan's Deployments, ReplicaSets and Pods, in the order of their keys, and lets controllers work. */
  *apply(items: readonly PlanItem[]): Paced<void> {
    for (const item of [...items].sort((a, b) => (a.key < b.key ? -1 : 1))) this.#apply(item);
    yield* this.settle();
  }

  /** Lets controllers work until all of them wait. */
  *settle(): Paced<void> {
    for (const record of this.#due) {
      yield;
      this.#due.delete(record);
      if ('deployment' in record) this.#decideDeployment(record);
      else this.#decideReplicaSet(record);
    }
  }

  /** Whether anything comes or goes, now or later. */
  get isMoving(): boolean {
    return this.#come.size + this.#go.size > 0 || this.updates().length > 0;
  }

  /** Pods that come and go since the last call. */
  takeChanges(): PodChanges {
    const changes = { come: [...this.#come.values()], go: [...this.#go.values()] };
    this.#come.clear();
    this.#go.clear();
    return changes;
  }

  /** The pod has its node: it runs there and is ready. */
  placed(pod: StoredPod, nodeName: string): void {
    const record = this.#ownerOf(pod);
    if (record) this.#ready(record, { ...pod, spec: { ...pod.spec, nodeName } });
  }

  /** The pod is gone from its node. Whether its owner sees to another. */
  left(pod: StoredPod): boolean {
    const record = this.#ownerOf(pod);
    if (!record) return false;
    record.pods.delete(pod.metadata.uid);
    this.#due.add(record);
    return true;
  }

  /**
   * Lets time pass: pods of the present template that have a node become ready, also those that were not when the plan
   * came. Whether there were any. An earlier template whose pods do not become ready is what the plan may be about:
   * they stay so.
   */
  start(): boolean {
    let any = false;
    for (const record of this.#deployments.values()) {
      const next = nextOf(record);
      for (const pod of next?.pods.values() ?? []) {
        if (!next || pod.spec.nodeName === undefined || isReady(pod)) continue;
        this.#ready(next, pod);
        any = true;
      }
    }
    return any;
  }

  /**
   * Rolling updates whose new pods all have a node take larger steps from now on: twice as many old pods as before may
   * go first. That gives their new ones more room than they would have, never less.
   */
  hurry(): void {
    for (const record of this.#deployments.values()) {
      const { deployment } = record;
      const { strategy } = deployment.spec;
      const next = nextOf(record);
      if (
        strategy.type !== 'RollingUpdate' ||
        oldLeft(record) === 0 ||
        !next ||
        [...next.pods.values()].some(({ spec }) => spec.nodeName === undefined)
      )
        continue;
      const maxUnavailable = Math.max(1, 2 * bounds(deployment.spec).unavailable);
      record.deployment = {
        ...deployment,
        spec: {
          ...deployment.spec,
          strategy: { ...strategy, rollingUpdate: { ...strategy.rollingUpdate, maxUnavailable } },
        },
      };
      this.#due.add(record);
    }
  }

  /** By the keys of their Deployments. */
  updates(): readonly RollingUpdate[] {
    const updates = [...this.#deployments.values()].map((record): RollingUpdate => ({
      workload: keyOf(record.deployment),
      oldLeft: oldLeft(record),
      next: new Set(nextOf(record)?.pods.keys()),
    }));
    return updates.filter((update) => update.oldLeft > 0).sort((a, b) => (a.workload < b.workload ? -1 : 1));
  }

  #apply({ action, key, object: planned }: PlanItem): void {
    const object = storedForPlan(planned, this.#now);
    switch (object.kind) {
      case 'Deployment': {
        const record = this.#deploymentRecord(object);
        record.deployment = object;
        if (action === 'delete') {
          this.#deployments.delete(object.metadata.uid);
          for (const set of record.sets) this.#delete(set);
        } else this.#due.add(record);
        return;
      }
      case 'ReplicaSet': {
        const record = this.#replicaSets.get(object.metadata.uid) ?? this.#replicaSetRecord(object, undefined);
        record.replicaSet = object;
        if (action === 'delete') this.#delete(record);
        else this.#due.add(record);
        return;
      }
      case 'Pod':
        // Of a Pod only images can change, in place.
        if (action === 'create') this.#come.set(object.metadata.uid, { workload: key, pod: object });
        if (action === 'delete') this.#go.set(object.metadata.uid, object);
        return;
      default:
    }
  }

  /** Its pods go with it. It stays known, as what wants no pods. */
  #delete(record: ReplicaSetRecord): void {
    for (const pod of record.pods.values()) this.#go.set(pod.metadata.uid, pod);
    record.pods.clear();
    record.above = undefined;
    record.replicaSet = { ...record.replicaSet, spec: { ...record.replicaSet.spec, replicas: 0 } };
  }

  #decideDeployment(record: DeploymentRecord): void {
    const { deployment, sets } = record;
    const { steps } = planDeployment({
      deployment,
      replicaSets: sets.map(({ replicaSet }) => replicaSet),
      pods: sets.flatMap(({ pods }) => [...pods.values()]),
      lookup: (name) => this.#reader.get(objectKey('ReplicaSet', deployment.metadata.namespace, name)),
      now: this.#now,
    });
    for (const step of steps) {
      const replicaSet = written(step);
      if (!replicaSet) continue;
      const stored = storedForPlan(replicaSet, this.#now);
      const set = this.#replicaSets.get(stored.metadata.uid) ?? this.#replicaSetRecord(stored, record);
      set.replicaSet = stored;
      this.#due.add(record).add(set);
    }
  }

  #decideReplicaSet(record: ReplicaSetRecord): void {
    const { replicaSet, above, pods } = record;
    const {
      metadata: { namespace },
      spec: { minReadySeconds },
    } = replicaSet;
    const { steps } = planReplicaSet({
      replicaSet,
      pods: [...pods.values()],
      related: (above?.sets ?? [record]).flatMap((set) => [...set.pods.values()]),
      // Late enough that whoever is ready is available.
      now: new Date(this.#now.getTime() + minReadySeconds * 1000),
      suffix: (length) => String(++record.made).padStart(length, '0'),
      nameTaken: (podName) => this.#reader.get(objectKey('Pod', namespace, podName)) !== undefined,
    });
    for (const step of steps) {
      if (step.do === 'create' && step.object.kind === 'Pod') this.#make(record, storedForPlan(step.object, this.#now));
      else if (step.do === 'delete') this.#end(record, step.uid);
      else if (step.do === 'updateStatus' && step.object.kind === 'ReplicaSet') record.replicaSet = step.object;
      else continue;
      this.#due.add(record);
      if (above) this.#due.add(above);
    }
  }

  #make(record: ReplicaSetRecord, pod: StoredPod): void {
    const { uid } = pod.metadata;
    record.pods.set(uid, pod);
    this.#come.set(uid, { workload: keyOf(record.above?.deployment ?? record.replicaSet), pod });
  }

  #end({ pods }: ReplicaSetRecord, uid: string): void {
    const pod = pods.get(uid);
    pods.delete(uid);
    // Nobody has seen a pod that comes and goes between two calls.
    if (!this.#come.delete(uid) && pod) this.#go.set(uid, pod);
  }

  #ready(record: ReplicaSetRecord, pod: StoredPod): void {
    const conditions = withCondition(pod.status?.conditions, { type: 'Ready', status: 'True' }, kubeTime(this.#now));
    record.pods.set(pod.metadata.uid, { ...pod, status: { ...pod.status, phase: 'Running', conditions } });
    this.#due.add(record);
  }

  #ownerOf({ metadata }: StoredPod): ReplicaSetRecord | undefined {
    const owner = controllerOf(metadata);
    if (owner?.kind !== 'ReplicaSet') return undefined;
    const known = this.#replicaSets.get(owner.uid);
    if (known) return known;
    const replicaSet = this.#reader.get(objectKey('ReplicaSet', metadata.namespace, owner.name));
    if (replicaSet?.metadata.uid !== owner.uid) return undefined;
    const above = controllerOf(replicaSet.metadata);
    const deployment =
      above?.kind === 'Deployment'
        ? this.#reader.get(objectKey('Deployment', metadata.namespace, above.name))
        : undefined;
    if (deployment && deployment.metadata.uid === above?.uid) this.#deploymentRecord(deployment);
    return this.#replicaSets.get(owner.uid) ?? this.#replicaSetRecord(replicaSet, undefined);
  }

  #deploymentRecord(deployment: StoredDeployment): DeploymentRecord {
    const { uid } = deployment.metadata;
    let record = this.#deployments.get(uid);
    if (record) return record;
    record = { deployment, sets: [] };
    this.#deployments.set(uid, record);
    for (const replicaSet of this.#reader.ownedBy('ReplicaSet', uid)) this.#replicaSetRecord(replicaSet, record);
    return record;
  }

  #replicaSetRecord(replicaSet: StoredReplicaSet, above: DeploymentRecord | undefined): ReplicaSetRecord {
    const { uid } = replicaSet.metadata;
    const active = this.#reader.ownedBy('Pod', uid).filter(isActive);
    const record: ReplicaSetRecord = {
      replicaSet,
      above,
      pods: new Map(active.map((pod) => [pod.metadata.uid, pod])),
      made: 0,
    };
    this.#replicaSets.set(uid, record);
    above?.sets.push(record);
    return record;
  }
}

/** That of the present template. */
function nextOf({ deployment, sets }: DeploymentRecord): ReplicaSetRecord | undefined {
  return sets.find(({ replicaSet }) => sameTemplate(replicaSet.spec.template, deployment.spec.template));
}

/** Pods that a rolling update has still to replace. */
function oldLeft(record: DeploymentRecord): number {
  const { spec } = record.deployment;
  if (spec.paused || spec.strategy.type !== 'RollingUpdate') return 0;
  const next = nextOf(record);
  return record.sets.reduce((sum, set) => sum + (set === next ? 0 : set.pods.size), 0);
}

/** The ReplicaSet that the step makes or resizes. */
function written(step: Step): ReplicaSet | undefined {
  return (step.do === 'create' || step.do === 'update') && step.object.kind === 'ReplicaSet' ? step.object : undefined;
}
