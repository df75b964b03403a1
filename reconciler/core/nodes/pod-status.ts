/** What a node's word on a pod makes of the pod's status. */
import {
  findCondition,
  withCondition,
  type Condition,
  type ContainerStatus,
  type Pod,
  type PodStatus,
  type Stored,
} from '../../../contracts/objects/index.ts';
import type { PodReport } from '../../../contracts/agent/index.ts';
import { canonicalJson } from '../storage/canonical-json.ts';
import { isNodes, isNodesAlone, withGates } from './pod-conditions.ts';

/** What to do about a report. `ignore`: it is about another pod of that name, or says nothing new. */
export type PodVerdict =
  | { readonly do: 'ignore' }
  | { readonly do: 'setStatus'; readonly pod: Stored<Pod> }
  /** As `setStatus`; with that written, the same report is to be judged again. */
  | { readonly do: 'setFinalStatus'; readonly pod: Stored<Pod> }
  /** Its node has stopped it as asked: the object can go. */
  | { readonly do: 'remove'; readonly pod: Stored<Pod> };

/** `pod`: the stored one of that name, if any. Applying the same report twice changes nothing the second time. */
export function judgePodReport(pod: Stored<Pod> | undefined, report: PodReport, node: string, now: string): PodVerdict {
  if (!pod || pod.metadata.uid !== report.uid || pod.spec.nodeName !== node) return { do: 'ignore' };
  if (report.gone && pod.metadata.deletionTimestamp !== undefined) {
    const told = mergePodStatus(pod, report.status, now) ?? pod.status;
    // Who holds it sees how it ended, and everybody that it takes no room any more.
    const isSeen = (pod.metadata.finalizers ?? []).length > 0 && !isFinal(pod.status);
    return isSeen ? { do: 'setFinalStatus', pod: { ...pod, status: finalStatus(told, now) } } : { do: 'remove', pod };
  }
  const status = report.gone ? lostStatus(pod.status, node, now) : mergePodStatus(pod, report.status, now);
  if (status === undefined || canonicalJson(status) === canonicalJson(pod.status)) return { do: 'ignore' };
  return { do: 'setStatus', pod: { ...pod, status } };
}

/**
 * Undefined: the report has nothing to say, or would revive a pod that has ended (Kubernetes: Succeeded and Failed are
 * final).
 */
function mergePodStatus(
  { spec, status: before }: Pod,
  reported: PodStatus | undefined,
  now: string,
): PodStatus | undefined {
  if (reported === undefined) return undefined;
  if (isFinal(before) && before?.phase !== reported.phase) return undefined;
  const told = (reported.conditions ?? []).filter(isNodes);
  const kept = (before?.conditions ?? []).filter(({ type }) => !isNodesAlone(type) && !findCondition(told, type));
  // A binding changes the spec alone. That it was made shows here, also where an earlier condition says why none was
  // possible.
  const conditions = [...withCondition(kept, { type: 'PodScheduled', status: 'True' }, now), ...told];
  return { ...reported, conditions: withGates(spec, conditions, before?.conditions ?? [], now) };
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

/**
 * The status of a pod that its node has stopped for good. `status` is the last that was told: Succeeded when all its
 * containers had ended with 0, else Failed; a container that may have run, and whose end nobody saw, ended with 137.
 * Source: Kubernetes, pkg/kubelet/status/status_manager.go (TerminatePod, hasPodInitialized) and kubelet_pods.go
 * (getPhase with podIsTerminal).
 */
export function finalStatus(status: PodStatus | undefined, now: string): PodStatus {
  if (status !== undefined && isFinal(status)) return status;
  const apps = status?.containerStatuses ?? [];
  const inits = status?.initContainerStatuses ?? [];
  const isInitialized = inits.length === 0 || apps.some(hasRun) || inits.at(-1)?.state.terminated?.exitCode === 0;
  const begun = inits.findLastIndex(hasRun);
  const succeeded = apps.length > 0 && apps.every(({ state }) => state.terminated?.exitCode === 0);
  const ready = { status: 'False', reason: succeeded ? 'PodCompleted' : 'PodFailed' } as const;
  const conditions = (['Ready', 'ContainersReady'] as const).reduce<readonly Condition[] | undefined>(
    (list, type) => withCondition(list, { type, ...ready }, now),
    status?.conditions,
  );
  return {
    ...status,
    phase: succeeded ? 'Succeeded' : 'Failed',
    conditions: [...(conditions ?? [])],
    ...(status?.containerStatuses && { containerStatuses: isInitialized ? apps.map((app) => ended(app, now)) : apps }),
    ...(status?.initContainerStatuses && {
      initContainerStatuses: inits.map((init, at) => (at <= Math.max(begun, 0) ? ended(init, now) : init)),
    }),
  };
}

function hasRun({ state, lastState }: ContainerStatus): boolean {
  return state.waiting === undefined || lastState.terminated !== undefined;
}

function ended(status: ContainerStatus, now: string): ContainerStatus {
  const terminated = status.state.terminated ?? {
    exitCode: 137,
    reason: 'ContainerStatusUnknown',
    message: 'The container could not be located when the pod was terminated',
    startedAt: status.state.running?.startedAt ?? now,
    finishedAt: now,
    containerID: status.containerID ?? '',
  };
  return { ...status, ready: false, started: false, state: { terminated } };
}

function isFinal(status: PodStatus | undefined): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed';
}
