/** What a pod's status amounts to. Source: Kubernetes documentation, "Pod Lifecycle". */
import { conditionIsTrue, findCondition, type Pod } from '../../../contracts/objects/index.ts';

export function isTerminating(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp !== undefined;
}

/** Succeeded or Failed: its containers ended and will not be started again. */
export function isFinished(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
}

const REFUSALS: ReadonlySet<string> = new Set(['NodeAffinity', 'NodePorts', 'TaintToleration']);

/** Its node did not take it in. Source: Kubernetes pkg/kubelet/lifecycle/predicate.go, the reasons. */
export function isRefused({ status }: Pod): boolean {
  return (
    status?.phase === 'Failed' &&
    status.reason !== undefined &&
    (REFUSALS.has(status.reason) || status.reason.startsWith('OutOf'))
  );
}

/** Counts as a replica of its owner. */
export function isActive(pod: Pod): boolean {
  return !isFinished(pod) && !isTerminating(pod);
}

export function isReady(pod: Pod): boolean {
  return conditionIsTrue(pod.status?.conditions, 'Ready');
}

/** Milliseconds until a ready pod counts as available (0: now), or undefined while it is not ready. */
export function availableInMs(pod: Pod, minReadySeconds: number, now: Date): number | undefined {
  if (!isReady(pod)) return undefined;
  if (minReadySeconds === 0) return 0;
  const since = findCondition(pod.status?.conditions, 'Ready')?.lastTransitionTime;
  if (since === undefined) return undefined;
  return Math.max(0, Date.parse(since) + minReadySeconds * 1000 - now.getTime());
}

export function isAvailable(pod: Pod, minReadySeconds: number, now: Date): boolean {
  return availableInMs(pod, minReadySeconds, now) === 0;
}

export function restarts(pod: Pod): number {
  return (pod.status?.containerStatuses ?? []).reduce((sum, container) => sum + container.restartCount, 0);
}
