/**
 * Which pods go first when there are too many. Source: Kubernetes documentation, "ReplicaSet: Scaling a ReplicaSet".
 */
import { findCondition, type StoredPod } from '../../../contracts/objects/index.ts';
import { byAge } from './owners.ts';
import { isActive, isAvailable, isReady, restarts } from './pod-state.ts';

const DELETION_COST = 'controller.kubernetes.io/pod-deletion-cost';
const PHASE_RANK: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };

function deletionCost(pod: StoredPod): number {
  const cost = Number(pod.metadata.annotations?.[DELETION_COST] ?? '0');
  return Number.isSafeInteger(cost) ? cost : 0;
}

function readySince(pod: StoredPod): number {
  return Date.parse(findCondition(pod.status?.conditions, 'Ready')?.lastTransitionTime ?? '') || 0;
}

/**
 * The `count` pods of `pods` to delete: unassigned before assigned, pending before running, not ready before ready,
 * ready but not available yet before available (a rollout counts on the available ones), cheap before dear, doubled up
 * on a node before alone, ready for a short time before long, restarted often, young. `related` are the pods whose
 * crowding counts (all pods of the same Deployment).
 */
export function pickSurplus(
  pods: readonly StoredPod[],
  related: readonly StoredPod[],
  count: number,
  minReadySeconds: number,
  now: Date,
): readonly StoredPod[] {
  const perNode = new Map<string, number>();
  for (const pod of related) {
    if (pod.spec.nodeName !== undefined && isActive(pod))
      perNode.set(pod.spec.nodeName, (perNode.get(pod.spec.nodeName) ?? 0) + 1);
  }
  const crowd = (pod: StoredPod): number => perNode.get(pod.spec.nodeName ?? '') ?? 0;
  const ranked = [...pods].sort(
    (a, b) =>
      Number(a.spec.nodeName !== undefined) - Number(b.spec.nodeName !== undefined) ||
      (PHASE_RANK[a.status?.phase ?? 'Pending'] ?? 0) - (PHASE_RANK[b.status?.phase ?? 'Pending'] ?? 0) ||
      Number(isReady(a)) - Number(isReady(b)) ||
      Number(isAvailable(a, minReadySeconds, now)) - Number(isAvailable(b, minReadySeconds, now)) ||
      deletionCost(a) - deletionCost(b) ||
      crowd(b) - crowd(a) ||
      (isReady(a) && isReady(b) ? readySince(b) - readySince(a) : 0) ||
      restarts(b) - restarts(a) ||
      byAge(b, a),
  );
  return ranked.slice(0, count);
}
