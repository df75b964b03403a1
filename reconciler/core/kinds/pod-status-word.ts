/** The word in a pod's STATUS column. Source: Kubernetes, pkg/printers/internalversion/printers.go, printPod. */
import type { Pod } from '../../../contracts/objects/index.ts';

export function podStatusWord(pod: Pod): string {
  if (pod.metadata.deletionTimestamp !== undefined)
    return pod.status?.reason === 'NodeLost' ? 'Unknown' : 'Terminating';
  const init = pod.status?.initContainerStatuses ?? [];
  for (const [index, c] of init.entries()) {
    if (c.state.terminated?.exitCode === 0) continue;
    const reason = c.state.terminated?.reason ?? c.state.waiting?.reason;
    return reason && reason !== 'PodInitializing' ? `Init:${reason}` : `Init:${index}/${init.length}`;
  }
  const statuses = pod.status?.containerStatuses ?? [];
  for (const c of statuses.toReversed()) {
    const reason = c.state.waiting?.reason ?? c.state.terminated?.reason;
    if (reason) return reason;
  }
  return pod.status?.reason ?? pod.status?.phase ?? 'Pending';
}
