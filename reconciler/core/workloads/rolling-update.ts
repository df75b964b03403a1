/**
 * How replicas move from old ReplicaSets to the new one. Two rules hold at every step, whatever the pods do: the sum of
 * `spec.replicas` never exceeds `maxTotal`, and no scale-down takes an available pod while that would leave fewer than
 * `minAvailable`. Source: Kubernetes documentation, "Deployment: Strategy".
 */
import type { StoredReplicaSet } from '../../../contracts/objects/index.ts';
import { byAge } from './owners.ts';
import { availableOf, total, type Bounds, type Target } from './rollout-numbers.ts';

/** How many replicas the new ReplicaSet is to have next, given what it and the others have. */
export function newReplicas(replicas: number, limit: Bounds, current: number, allReplicas: number): number {
  if (current >= replicas) return replicas;
  return current + Math.max(0, Math.min(limit.maxTotal - allReplicas, replicas - current));
}

/**
 * Scales old ReplicaSets down as far as the floor allows: first replicas that are not available (they cost nothing),
 * then available ones, oldest ReplicaSet first.
 */
export function oldTargets(
  old: readonly StoredReplicaSet[],
  next: StoredReplicaSet | undefined,
  limit: Bounds,
): readonly Target[] {
  const ordered = old.filter((rs) => rs.spec.replicas > 0).sort(byAge);
  const all = next ? [...ordered, next] : ordered;
  const newUnavailable = next ? next.spec.replicas - availableOf(next) : 0;
  const room = total(all) - limit.minAvailable - newUnavailable;
  if (room <= 0) return [];

  const sizes = new Map(ordered.map((rs) => [rs.metadata.uid, rs.spec.replicas]));
  let cleaned = 0;
  for (const rs of ordered) {
    const unhealthy = Math.min(room - cleaned, rs.spec.replicas - availableOf(rs));
    sizes.set(rs.metadata.uid, rs.spec.replicas - unhealthy);
    cleaned += unhealthy;
  }
  const available = all.reduce((sum, rs) => sum + availableOf(rs), 0);
  let removable = Math.min(available - limit.minAvailable, room - cleaned);
  for (const rs of ordered) {
    if (removable <= 0) break;
    const size = sizes.get(rs.metadata.uid) ?? 0;
    const down = Math.min(size, removable);
    sizes.set(rs.metadata.uid, size - down);
    removable -= down;
  }
  return ordered.map((replicaSet) => ({ replicaSet, replicas: sizes.get(replicaSet.metadata.uid) ?? 0 }));
}
