/**
 * The arithmetic of rollouts. Source: Kubernetes documentation, "Deployment: Rolling Update Deployment" and
 * "Proportional scaling".
 */
import { readKey, type DeploymentSpec, type StoredReplicaSet } from '../../../contracts/objects/index.ts';

export const DESIRED_ANNOTATION = 'deployment.kubernetes.io/desired-replicas';
export const MAX_ANNOTATION = 'deployment.kubernetes.io/max-replicas';
export const REVISION_ANNOTATION = 'deployment.kubernetes.io/revision';
export const REVISION_HISTORY_ANNOTATION = 'deployment.kubernetes.io/revision-history';

export interface Bounds {
  /** Pods allowed above `replicas`. */
  readonly surge: number;
  /** Pods that may be missing from `replicas`. */
  readonly unavailable: number;
  /** `replicas + surge`. */
  readonly maxTotal: number;
  /** `replicas - unavailable`. */
  readonly minAvailable: number;
}

/** An amount that may be a percentage of `of`. */
export function share(value: number | string, of: number, round: (n: number) => number): number {
  if (typeof value === 'number') return value;
  return round((Number.parseInt(value, 10) * of) / 100);
}

/**
 * Surge is rounded up, unavailable down; when both come to 0, one pod may be unavailable, or nothing could ever move.
 */
export function bounds(spec: DeploymentSpec): Bounds {
  const { replicas, strategy } = spec;
  if (strategy.type === 'Recreate') return { surge: 0, unavailable: 0, maxTotal: replicas, minAvailable: replicas };
  const surge = share(strategy.rollingUpdate.maxSurge, replicas, Math.ceil);
  const asked = share(strategy.rollingUpdate.maxUnavailable, replicas, Math.floor);
  const unavailable = Math.min(surge === 0 && asked === 0 ? 1 : asked, replicas);
  return { surge, unavailable, maxTotal: replicas + surge, minAvailable: replicas - unavailable };
}

/** Twice as many pods may be missing, one at least. */
export function withLargerSteps(spec: DeploymentSpec): DeploymentSpec {
  const { strategy } = spec;
  if (strategy.type === 'Recreate') return spec;
  const maxUnavailable = Math.max(1, 2 * bounds(spec).unavailable);
  return { ...spec, strategy: { ...strategy, rollingUpdate: { ...strategy.rollingUpdate, maxUnavailable } } };
}

/** What a ReplicaSet is to have; the rest of it stays. */
export interface Target {
  readonly replicaSet: StoredReplicaSet;
  readonly replicas: number;
}

export function total(sets: readonly StoredReplicaSet[]): number {
  return sets.reduce((sum, rs) => sum + rs.spec.replicas, 0);
}

/** Available pods as far as they are wanted: a status that lags behind a scale-down does not count twice. */
export function availableOf(rs: StoredReplicaSet): number {
  return Math.min(rs.status?.availableReplicas ?? 0, rs.spec.replicas);
}

/** A number in an annotation, or undefined. */
export function annotatedNumber(
  { metadata }: Pick<StoredReplicaSet, 'metadata'>,
  annotation: string,
): number | undefined {
  const text = readKey(metadata.annotations, annotation);
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

/**
 * Shares out a changed number of replicas over ReplicaSets in the middle of a rollout, by size; what rounding leaves
 * goes to the biggest. `fallbackMax` stands in for a ReplicaSet that lacks the max-replicas annotation.
 */
export function proportionalTargets(
  active: readonly StoredReplicaSet[],
  replicas: number,
  maxTotal: number,
  fallbackMax: number,
): readonly Target[] {
  const toAdd = (replicas > 0 ? maxTotal : 0) - total(active);
  const byAgeSign = toAdd > 0 ? -1 : 1;
  const ordered = [...active].sort(
    (a, b) =>
      b.spec.replicas - a.spec.replicas ||
      byAgeSign * (Date.parse(a.metadata.creationTimestamp) - Date.parse(b.metadata.creationTimestamp)) ||
      (a.metadata.name < b.metadata.name ? -1 : 1),
  );
  let added = 0;
  const sizes = ordered.map((rs) => {
    const left = toAdd - added;
    if (left === 0) return rs.spec.replicas;
    const fraction =
      replicas === 0
        ? -rs.spec.replicas
        : Math.round((rs.spec.replicas * maxTotal) / (annotatedNumber(rs, MAX_ANNOTATION) || fallbackMax || maxTotal)) -
          rs.spec.replicas;
    const part = toAdd > 0 ? Math.min(fraction, left) : Math.max(fraction, left);
    added += part;
    return rs.spec.replicas + part;
  });
  return ordered.map((replicaSet, i) => {
    const size = (sizes[i] ?? 0) + (i === 0 ? toAdd - added : 0);
    return { replicaSet, replicas: Math.max(0, size) };
  });
}
