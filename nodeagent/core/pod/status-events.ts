/** Events that a change of status is worth. */
import type { ContainerStatus, PodStatus } from '../../../contracts/objects/index.ts';
import { podTitle } from './identity.ts';
import type { PodIdentity } from './runtime-types.ts';

export interface StatusEvent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

export function statusEvents(
  pod: PodIdentity,
  before: PodStatus | undefined,
  after: PodStatus,
): readonly StatusEvent[] {
  const all = (status: PodStatus | undefined): readonly ContainerStatus[] => [
    ...(status?.initContainerStatuses ?? []),
    ...(status?.containerStatuses ?? []),
    ...(status?.ephemeralContainerStatuses ?? []),
  ];
  const events: StatusEvent[] = [];
  for (const status of all(after)) {
    const waiting = status.state.waiting;
    const was = all(before).find((one) => one.name === status.name)?.state.waiting;
    if (!waiting || was?.reason === waiting.reason) continue;
    if (waiting.reason === 'CrashLoopBackOff') {
      events.push({
        type: 'Warning',
        reason: 'BackOff',
        message: `Back-off restarting failed container ${status.name} in pod ${podTitle(pod)}`,
      });
    }
    if (waiting.reason === 'ImagePullBackOff')
      events.push({ type: 'Normal', reason: 'BackOff', message: waiting.message ?? 'Back-off pulling image' });
  }
  if (after.reason === 'DeadlineExceeded' && before?.reason !== 'DeadlineExceeded') {
    events.push({
      type: 'Normal',
      reason: 'DeadlineExceeded',
      message: after.message ?? 'Pod was active on the node longer than the specified deadline',
    });
  }
  return events;
}
