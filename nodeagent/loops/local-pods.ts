/**
 * What the pod workers tell of this node's pods, for the network loop; until they told, what the agent before this one
 * wrote down.
 */
import type { PodStatus } from '../../contracts/objects/index.ts';
import { objectKey, type ObjectKey } from '../../contracts/objects/key.ts';
import { localPod, type LocalPod, type LocalPodSource } from '../core/local-pods.ts';
import type { StatusHub } from './status-hub.ts';

/**
 * `lastStatuses` by uid: Services and host ports of pods that go on through an agent's restart do not wait for the
 * first look.
 */
export function createLocalPods(hub: StatusHub, lastStatuses: ReadonlyMap<string, PodStatus>): LocalPodSource {
  const known = new Map<string, LocalPod>(
    [...lastStatuses].map(([uid, status]) => [uid, localPod({ gone: false, status })]),
  );
  const listeners = new Set<(changed: readonly ObjectKey<'Pod'>[]) => void>();
  hub.onChange((report) => {
    const before = known.get(report.uid);
    const now = localPod(report);
    known.set(report.uid, now);
    if (
      before?.address === now.address &&
      before?.addressIPv6 === now.addressIPv6 &&
      before?.ready === now.ready &&
      before.over === now.over
    )
      return;
    for (const listener of listeners) listener([objectKey('Pod', report.namespace, report.name)]);
  });
  hub.onForget((uid) => {
    known.delete(uid);
  });
  return {
    get: (uid) => known.get(uid),
    onChange(listener) {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
  };
}
