/**
 * Removes pods that nobody else will: those of a machine that is gone for good, and those being deleted that never had
 * a node.
 */
import { keyOf, objectKey, parseKey, type ObjectKey, type StoredPod } from '../../contracts/objects/index.ts';
import type { Decision, Step } from '../core/step.ts';
import { disrupted, disruptionSteps, NODE_GONE } from '../core/workloads/disruption-target.ts';
import { controllerOf } from '../core/workloads/owners.ts';
import { isFinished } from '../core/workloads/pod-state.ts';
import type { Controller, PassContext, StoreView } from './runtime/controller.ts';

/**
 * A node that is merely silent keeps its pods until it says that they are gone; one whose Machine was removed cannot
 * say it.
 */
function machineGone(name: string, view: StoreView): boolean {
  return (
    view.get(objectKey('Node', undefined, name)) === undefined &&
    view.get(objectKey('Machine', undefined, name)) === undefined
  );
}

/** Nobody else will remove it. */
function isLost({ spec: { nodeName }, metadata }: StoredPod, view: StoreView): boolean {
  return nodeName === undefined ? metadata.deletionTimestamp !== undefined : machineGone(nodeName, view);
}

/**
 * Its node does not tell any more how the pod ended. Source: Kubernetes, pkg/controller/podgc/gc_controller.go
 * (markFailedAndDeletePodWithCondition).
 */
function failSteps(pod: StoredPod, now: Date): readonly Step[] {
  if (pod.spec.nodeName === undefined || isFinished(pod)) return [];
  const told = disrupted(pod, NODE_GONE, now.toISOString());
  return [{ do: 'updateStatus', object: { ...told, status: { ...told.status, phase: 'Failed' } } }];
}

/** How long a machine that was heard may take to hear that it is to end its pods, milliseconds. */
const TOLD_MS = 15_000;

/**
 * A pod that is known by its name may run until it has had its grace: its machine was told to end it, and tells no more.
 * Other than in Kubernetes, nobody has its name before. Undefined where nothing is to be waited for.
 */
function heldSteps(pod: StoredPod, now: Date): Decision | undefined {
  if (pod.spec.nodeName === undefined || isFinished(pod) || controllerOf(pod.metadata)?.kind !== 'StatefulSet')
    return undefined;
  const { deletionTimestamp, uid } = pod.metadata;
  if (deletionTimestamp === undefined) {
    const steps: readonly Step[] = [...disruptionSteps(pod, NODE_GONE, now), { do: 'delete', key: keyOf(pod), uid }];
    return { steps, requeueAfterMs: pod.spec.terminationGracePeriodSeconds * 1000 + TOLD_MS };
  }
  const leftMs = Date.parse(deletionTimestamp) + TOLD_MS - now.getTime();
  return leftMs > 0 ? { steps: [], requeueAfterMs: leftMs } : undefined;
}

function decide(key: ObjectKey, { view, now }: PassContext): Decision {
  const { namespace, name } = parseKey(key);
  const pod = view.get(objectKey('Pod', namespace, name));
  if (!pod || !isLost(pod, view)) return { steps: [] };
  const held = heldSteps(pod, now);
  if (held) return held;
  return {
    steps: [...failSteps(pod, now), { do: 'delete', key: keyOf(pod), uid: pod.metadata.uid, gone: true }],
  };
}

export const podGcController: Controller = {
  name: 'pod-garbage-collector',
  kind: 'Pod',
  concerns: (pod, _before, view) => pod.kind === 'Pod' && isLost(pod, view),
  watches: {
    Node: (node, view, event) => (event === 'delete' ? view.podsOnNode(node.metadata.name).map(keyOf) : []),
    Machine: (machine, view, event) => (event === 'delete' ? view.podsOnNode(machine.metadata.name).map(keyOf) : []),
  },
  decide,
};
