/** One look at one Deployment. Source: Kubernetes documentation, "Deployments". */
import {
  objectKey,
  selectorMatches,
  type DeploymentStatus,
  type ReplicaSet,
  type StoredDeployment,
  type StoredPod,
  type StoredReplicaSet,
} from '../../../contracts/objects/index.ts';
import type { Decision, Step } from '../step.ts';
import { adoptingHash, configHashOf } from './config-hash.ts';
import { deadlineInMs, deploymentStatus, isComplete } from './deployment-status.ts';
import { adoptedBy, byAge, controllerOf } from './owners.ts';
import { isActive, isFinished } from './pod-state.ts';
import { newReplicas, oldTargets } from './rolling-update.ts';
import {
  annotatedNumber,
  bounds,
  DESIRED_ANNOTATION,
  MAX_ANNOTATION,
  proportionalTargets,
  REVISION_ANNOTATION,
  REVISION_HISTORY_ANNOTATION,
  type Target,
} from './rollout-numbers.ts';
import { canonicalJson } from '../storage/canonical-json.ts';
import { HASH_LABEL, lastWithTemplate, replicaSetFor, sameTemplate } from './template.ts';

export interface DeploymentInput {
  readonly deployment: StoredDeployment;
  /** ReplicaSets of its namespace that it controls, and those without a controller. */
  readonly replicaSets: readonly StoredReplicaSet[];
  /** Pods of the ReplicaSets that it controls, those being deleted included. */
  readonly pods: readonly StoredPod[];
  /** Any ReplicaSet of the namespace, by name. */
  readonly lookup: (name: string) => StoredReplicaSet | undefined;
  readonly now: Date;
}

interface Situation extends DeploymentInput {
  /** Has the present template. */
  readonly next: StoredReplicaSet | undefined;
  readonly old: readonly StoredReplicaSet[];
  readonly adopted: ReadonlySet<string>;
}

/** What this pass does to the ReplicaSets. */
interface Move {
  readonly targets: readonly Target[];
  readonly create?: ReplicaSet;
}

function situationOf(input: DeploymentInput): Situation {
  const { deployment } = input;
  const adopted = new Set<string>();
  const owned = input.replicaSets
    .filter((rs) => {
      const controller = controllerOf(rs.metadata);
      if (controller) return controller.uid === deployment.metadata.uid;
      const matches =
        rs.metadata.labels?.[HASH_LABEL] !== undefined && selectorMatches(deployment.spec.selector, rs.metadata.labels);
      if (matches) adopted.add(rs.metadata.uid);
      return matches;
    })
    .sort(byAge);
  // Of several with one template the oldest, as in Kubernetes; where nothing is known of their config, that in force.
  const { template } = deployment.spec;
  const next =
    owned.find(
      (rs) => configHashOf(rs.spec.template) === configHashOf(template) && sameTemplate(rs.spec.template, template),
    ) ??
    lastWithTemplate(
      [...owned].sort((a, b) => revisionOf(a) - revisionOf(b)),
      (rs) => rs.spec.template,
      template,
    );
  return { ...input, next, old: owned.filter((rs) => rs !== next), adopted };
}

const revisionOf = (rs: StoredReplicaSet): number => annotatedNumber(rs, REVISION_ANNOTATION) ?? 0;

function nextRevision(s: Situation): number {
  return Math.max(0, ...s.old.map(revisionOf)) + 1;
}

function sizeAnnotations(deployment: StoredDeployment): Record<string, string> {
  return {
    [DESIRED_ANNOTATION]: String(deployment.spec.replicas),
    [MAX_ANNOTATION]: String(bounds(deployment.spec).maxTotal),
  };
}

/** The number of replicas was changed since the ReplicaSets were last sized. */
function isScaling(s: Situation): boolean {
  return [...s.old, ...(s.next ? [s.next] : [])].some((rs) => {
    const sized = annotatedNumber(rs, DESIRED_ANNOTATION);
    return rs.spec.replicas > 0 && sized !== undefined && sized !== s.deployment.spec.replicas;
  });
}

/** Follows a changed number of replicas without moving the rollout on. */
function scale(s: Situation): Move {
  const { replicas, strategy } = s.deployment.spec;
  const active = [...s.old, ...(s.next ? [s.next] : [])].filter((rs) => rs.spec.replicas > 0);
  const newest = s.next ?? s.old.at(-1);
  const single = active.length === 0 ? newest : active.length === 1 ? active[0] : undefined;
  if (single) return { targets: [{ replicaSet: single, replicas }] };
  if (
    s.next &&
    s.next.spec.replicas === replicas &&
    (s.next.status?.availableReplicas ?? 0) >= replicas &&
    annotatedNumber(s.next, DESIRED_ANNOTATION) === replicas
  ) {
    return { targets: s.old.map((replicaSet) => ({ replicaSet, replicas: 0 })) };
  }
  if (strategy.type === 'Recreate')
    return {
      targets: active.map((replicaSet) => ({
        replicaSet,
        replicas: replicaSet === newest ? replicas : replicaSet.spec.replicas,
      })),
    };
  return {
    targets: proportionalTargets(
      active,
      replicas,
      bounds(s.deployment.spec).maxTotal,
      s.deployment.status?.replicas ?? 0,
    ),
  };
}

function newSet(s: Situation, replicas: number): ReplicaSet {
  const made = replicaSetFor(s.deployment, s.lookup);
  const annotations = { ...sizeAnnotations(s.deployment), [REVISION_ANNOTATION]: String(nextRevision(s)) };
  return { ...made, metadata: { ...made.metadata, annotations }, spec: { ...made.spec, replicas } };
}

/**
 * Replicas that are wanted or still there: a ReplicaSet that has not yet followed a scale-down counts with the pods it
 * has.
 */
function present(s: Situation): number {
  const pods = new Map<string, number>();
  for (const pod of s.pods.filter(isActive)) {
    const owner = controllerOf(pod.metadata)?.uid ?? '';
    pods.set(owner, (pods.get(owner) ?? 0) + 1);
  }
  return [...s.old, ...(s.next ? [s.next] : [])].reduce(
    (sum, rs) => sum + Math.max(rs.spec.replicas, pods.get(rs.metadata.uid) ?? 0),
    0,
  );
}

function roll(s: Situation): Move {
  const { deployment, next, old } = s;
  const limit = bounds(deployment.spec);
  const current = next?.spec.replicas ?? 0;
  const wanted = newReplicas(deployment.spec.replicas, limit, current, present(s));
  if (!next) return { targets: [], create: newSet(s, wanted) };
  if (wanted !== current) return { targets: [{ replicaSet: next, replicas: wanted }] };
  return { targets: oldTargets(old, next, limit) };
}

/** All old pods have to be gone, not only on their way, before a new one starts. */
function recreate(s: Situation): Move {
  const { deployment, next, old } = s;
  const running = old.filter((rs) => rs.spec.replicas > 0);
  if (running.length > 0) return { targets: running.map((replicaSet) => ({ replicaSet, replicas: 0 })) };
  const oldIds = new Set(old.map((rs) => rs.metadata.uid));
  if (s.pods.some((pod) => oldIds.has(controllerOf(pod.metadata)?.uid ?? '') && !isFinished(pod)))
    return { targets: [] };
  if (!next) return { targets: [], create: newSet(s, deployment.spec.replicas) };
  return { targets: [{ replicaSet: next, replicas: deployment.spec.replicas }] };
}

function moveOf(s: Situation): Move {
  if (s.deployment.spec.paused || isScaling(s)) return scale(s);
  return s.deployment.spec.strategy.type === 'Recreate' ? recreate(s) : roll(s);
}

/** The ReplicaSet as this pass wants it, or undefined when it is so already. */
function edited(s: Situation, rs: StoredReplicaSet, target: Target | undefined): StoredReplicaSet | undefined {
  const annotations: Record<string, string> = { ...rs.metadata.annotations };
  if (target && (target.replicas > 0 || target.replicas !== rs.spec.replicas))
    Object.assign(annotations, sizeAnnotations(s.deployment));
  let minReadySeconds = rs.spec.minReadySeconds;
  if (rs === s.next && !s.deployment.spec.paused) {
    const revision = nextRevision(s);
    const before = revisionOf(rs);
    if (before < revision) {
      annotations[REVISION_ANNOTATION] = String(revision);
      if (before > 0)
        annotations[REVISION_HISTORY_ANNOTATION] = [rs.metadata.annotations?.[REVISION_HISTORY_ANNOTATION], before]
          .filter(Boolean)
          .join(',');
    }
    if (rs.spec.replicas > 0 || target !== undefined) Object.assign(annotations, sizeAnnotations(s.deployment));
    minReadySeconds = s.deployment.spec.minReadySeconds;
  }
  const owned = s.adopted.has(rs.metadata.uid) ? adoptedBy(rs, s.deployment) : rs;
  const template = rs === s.next ? adoptingHash(rs.spec.template, s.deployment.spec.template) : rs.spec.template;
  const wanted = {
    ...owned,
    metadata: { ...owned.metadata, ...(Object.keys(annotations).length > 0 && { annotations }) },
    spec: { ...rs.spec, template, minReadySeconds, replicas: target?.replicas ?? rs.spec.replicas },
  };
  return canonicalJson(wanted) === canonicalJson(rs) ? undefined : wanted;
}

function scalingEvent(deployment: StoredDeployment, name: string, from: number, to: number): Step {
  const message = `Scaled ${to > from ? 'up' : 'down'} replica set ${name} from ${from} to ${to}`;
  return { do: 'event', regarding: deployment, type: 'Normal', reason: 'ScalingReplicaSet', message };
}

function replicaSetSteps(s: Situation, move: Move): readonly Step[] {
  const steps: Step[] = [];
  if (move.create) {
    steps.push({ do: 'create', object: move.create });
    if (move.create.spec.replicas > 0)
      steps.push(scalingEvent(s.deployment, move.create.metadata.name, 0, move.create.spec.replicas));
  }
  for (const rs of [...s.old, ...(s.next ? [s.next] : [])]) {
    const wanted = edited(
      s,
      rs,
      move.targets.find((target) => target.replicaSet === rs),
    );
    if (!wanted) continue;
    steps.push({ do: 'update', object: wanted });
    if (wanted.spec.replicas !== rs.spec.replicas)
      steps.push(scalingEvent(s.deployment, rs.metadata.name, rs.spec.replicas, wanted.spec.replicas));
  }
  return steps;
}

/**
 * Old ReplicaSets beyond the history limit, once nothing is moving: lowest revision first, only those that are empty.
 */
function outdated(s: Situation, status: DeploymentStatus): readonly Step[] {
  if (!s.deployment.spec.paused && !isComplete(s.deployment, status)) return [];
  const excess = s.old.length - s.deployment.spec.revisionHistoryLimit;
  if (excess <= 0) return [];
  return [...s.old]
    .sort((a, b) => revisionOf(a) - revisionOf(b) || byAge(a, b))
    .slice(0, excess)
    .filter(
      (rs) =>
        rs.metadata.deletionTimestamp === undefined &&
        rs.spec.replicas === 0 &&
        (rs.status?.replicas ?? 0) === 0 &&
        (rs.status?.observedGeneration ?? 0) >= rs.metadata.generation,
    )
    .map((rs): Step => ({
      do: 'delete',
      key: objectKey('ReplicaSet', rs.metadata.namespace, rs.metadata.name),
      uid: rs.metadata.uid,
    }));
}

/** A Deployment that is being deleted only tells where it stands. Source: Kubernetes, syncDeployment. */
function endingStatus({ deployment, next, old, now }: Situation): Decision {
  const status = deploymentStatus({ deployment, next, old, now });
  return {
    steps:
      canonicalJson(status) === canonicalJson(deployment.status)
        ? []
        : [{ do: 'updateStatus', object: { ...deployment, status } }],
  };
}

/**
 * Moves a Deployment one step towards its present template and number, never beyond maxSurge nor below what
 * maxUnavailable leaves, and tells where it stands. The Deployment itself gets at most one write: its revision
 * annotation first, its status in the next pass.
 */
export function planDeployment(input: DeploymentInput): Decision {
  const s = situationOf(input);
  const { deployment, next, old, now } = s;
  // Whoever waits for its ReplicaSets to go, or lets them stay without it, would wait for ever for one made anew.
  if (deployment.metadata.deletionTimestamp !== undefined) return endingStatus(s);
  const move = moveOf(s);
  const steps: Step[] = [...replicaSetSteps(s, move)];
  const status = deploymentStatus({
    deployment,
    next,
    old,
    now,
    ...(move.create && { created: move.create.metadata.name }),
  });
  if (steps.length === 0) steps.push(...outdated(s, status));

  const revision = next && String(Math.max(revisionOf(next), deployment.spec.paused ? 0 : nextRevision(s)));
  const shown = deployment.metadata.annotations?.[REVISION_ANNOTATION];
  if (revision !== undefined && revision !== '0' && revision !== shown) {
    const annotations = { ...deployment.metadata.annotations, [REVISION_ANNOTATION]: revision };
    steps.push({ do: 'update', object: { ...deployment, metadata: { ...deployment.metadata, annotations } } });
  } else if (canonicalJson(status) !== canonicalJson(deployment.status)) {
    steps.push({ do: 'updateStatus', object: { ...deployment, status } });
  }
  const requeueAfterMs = deadlineInMs(deployment, status.conditions, now);
  return requeueAfterMs === undefined ? { steps } : { steps, requeueAfterMs };
}
