/**
 * The `scheduling` lane: binds pending pods. It is one lane in the whole cluster, so no two passes place pods at once.
 *
 * A binding is one `update` that sets `spec.nodeName`, and nothing else: a status write in the same pass would need the new
 * resourceVersion. That the pod is scheduled follows from `nodeName`; the node's first report carries the PodScheduled condition.
 * Only a pod that no node will have gets its status written here, and only when the reason changed. The pods that a node has are
 * those of the process's cache, which sees this lane's own bindings at once.
 */
import { findCondition, withCondition, type Kind, type PodStatus, type StoredPod } from '../../contracts/objects/index.ts';
import { schedule, type Snapshot, type Unschedulable } from '../core/scheduling/schedule.ts';
import type { Decision, Step } from '../core/step.ts';
import type { PassContext, StoreView } from './runtime/controller.ts';

/** Component of the scheduler's events. */
export const SCHEDULER_NAME = 'default-scheduler';
/** A change to an object of these kinds asks for a pass of the lane. */
export const SCHEDULING_KINDS: readonly Kind[] = ['Pod', 'Node', 'Service'];

export function snapshotOf(view: StoreView): Snapshot {
  const nodes = view.list('Node');
  return { nodes, bound: nodes.flatMap((node) => view.podsOnNode(node.metadata.name)), services: view.list('Service') };
}

/** Why a pod has no node: the message, and each node's reasons with numbers. Undefined when it has one or would get one now. */
export function explainPending(pod: StoredPod, view: StoreView): Omit<Unschedulable, 'pod'> | undefined {
  if (pod.spec.nodeName !== undefined) return undefined;
  return schedule([pod], snapshotOf(view), { seed: SCHEDULER_NAME }).unschedulable[0];
}

function bindSteps(pod: StoredPod, node: string): readonly Step[] {
  const message = `Successfully assigned ${pod.metadata.namespace ?? ''}/${pod.metadata.name} to ${node}`;
  return [
    { do: 'update', object: { ...pod, spec: { ...pod.spec, nodeName: node } } },
    { do: 'event', regarding: pod, type: 'Normal', reason: 'Scheduled', message },
  ];
}

function refuseSteps({ pod, message }: Unschedulable, now: Date): readonly Step[] {
  const told = findCondition(pod.status?.conditions, 'PodScheduled');
  if (told?.status === 'False' && told.reason === 'Unschedulable' && told.message === message) return [];
  const next = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message } as const;
  const status: PodStatus = { ...pod.status, phase: 'Pending', conditions: withCondition(pod.status?.conditions, next, now.toISOString()) };
  return [
    { do: 'updateStatus', object: { ...pod, status } },
    { do: 'event', regarding: pod, type: 'Warning', reason: 'FailedScheduling', message },
  ];
}

/** One pass of the lane over all pending pods. With the cluster unchanged a second pass asks for nothing. */
export function schedulePending(context: PassContext): Decision {
  const pending = context.view.pendingPods().filter((pod) => pod.status?.phase !== 'Failed' && pod.status?.phase !== 'Succeeded');
  if (pending.length === 0) return { steps: [] };
  const { bindings, unschedulable } = schedule(pending, snapshotOf(context.view), { seed: SCHEDULER_NAME });
  return { steps: [...bindings.flatMap(({ pod, node }) => bindSteps(pod, node)), ...unschedulable.flatMap((refused) => refuseSteps(refused, context.now))] };
}
