/** What a node's word on a pod makes of the pod's status. */
import { withCondition, type Condition, type PodStatus, type Stored } from '../../../contracts/objects/index.ts';
import type { Pod } from '../../../contracts/objects/index.ts';
import type { PodReport } from '../../../contracts/agent/index.ts';
import { canonicalJson } from '../storage/canonical-json.ts';

/** What to do about a report. `ignore`: it is about another pod of that name, or says nothing new. */
export type PodVerdict =
  | { readonly do: 'ignore' }
  | { readonly do: 'setStatus'; readonly pod: Stored<Pod> }
  /** Its node has stopped it as asked: the object can go. */
  | { readonly do: 'remove'; readonly pod: Stored<Pod> };

/** `pod`: the stored one of that name, if any. Applying the same report twice changes nothing the second time. */
export function judgePodReport(pod: Stored<Pod> | undefined, report: PodReport, node: string, now: string): PodVerdict {
  if (!pod || pod.metadata.uid !== report.uid || pod.spec.nodeName !== node) return { do: 'ignore' };
  if (report.gone && pod.metadata.deletionTimestamp !== undefined) return { do: 'remove', pod };
  const status = report.gone ? lostStatus(pod.status, node, now) : mergePodStatus(pod.status, report.status, now);
  if (status === undefined || canonicalJson(status) === canonicalJson(pod.status)) return { do: 'ignore' };
  return { do: 'setStatus', pod: { ...pod, status } };
}

/** Conditions that the control plane sets; a report never carries them away. */
const OURS: ReadonlySet<string> = new Set(['PodScheduled', 'DisruptionTarget']);

/**
 * Undefined: the report has nothing to say, or would revive a pod that has ended (Kubernetes: Succeeded and Failed are
 * final).
 */
function mergePodStatus(
  before: PodStatus | undefined,
  reported: PodStatus | undefined,
  now: string,
): PodStatus | undefined {
  if (reported === undefined) return undefined;
  if (isFinal(before) && before?.phase !== reported.phase) return undefined;
  const kept = (before?.conditions ?? []).filter((condition) => OURS.has(condition.type));
  const told = (reported.conditions ?? []).filter((condition) => !OURS.has(condition.type));
  // A binding changes the spec alone. That it was made shows here, also where an earlier condition says why none was
  // possible.
  return { ...reported, conditions: [...withCondition(kept, { type: 'PodScheduled', status: 'True' }, now), ...told] };
}

/** The node has nothing of a pod that nobody asked to delete: it cannot run again under this uid. */
function lostStatus(before: PodStatus | undefined, node: string, now: string): PodStatus | undefined {
  if (isFinal(before)) return undefined;
  const notReady = (type: string): Condition => ({ type, status: 'False', reason: 'PodLost', lastTransitionTime: now });
  const kept = (before?.conditions ?? []).filter(({ type }) => type !== 'Ready' && type !== 'ContainersReady');
  return {
    ...before,
    phase: 'Failed',
    reason: 'PodLost',
    message: `node ${node} has nothing of this pod any more`,
    conditions: [...kept, notReady('Ready'), notReady('ContainersReady')],
  };
}

function isFinal(status: PodStatus | undefined): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed';
}
