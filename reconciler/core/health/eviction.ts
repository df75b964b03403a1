/**
 * Pods on nodes that are tainted or silent. Source: Kubernetes documentation, "Taints and Tolerations: Taint based
 * Evictions".
 */
import {
  DRAIN_TAINT,
  findCondition,
  withCondition,
  type Condition,
  type Pod,
  type StoredNode,
  type StoredPod,
  type Taint,
} from '../../../contracts/objects/index.ts';
import { tolerates } from '../../../contracts/objects/taints.ts';
import type { Decision, Step } from '../step.ts';
import { TAINT } from '../workloads/disruption-target.ts';
import { evictionSteps } from '../workloads/disruption.ts';
import { isFinished, isTerminating } from '../workloads/pod-state.ts';

/** Reason of a pod's Ready condition while its node is silent. */
export const SILENT_REASON = 'NodeStatusUnknown';
/**
 * After a node is heard again its own report comes within seconds; only when it does not is the pod's old readiness put
 * back.
 */
const REPORT_MS = 10_000;

/**
 * Milliseconds until the pod has to leave (0 or less: now), or undefined when it may stay. `ageMs`: for how long a
 * taint has been there.
 */
export function leavesInMs(pod: Pod, taints: readonly Taint[], ageMs: (taint: Taint) => number): number | undefined {
  let earliest: number | undefined;
  for (const taint of taints) {
    if (taint.effect !== 'NoExecute') continue;
    const tolerations = pod.spec.tolerations.filter((toleration) => tolerates(toleration, taint));
    const limits = tolerations.flatMap((toleration) => toleration.tolerationSeconds ?? []);
    if (tolerations.length > 0 && limits.length === 0) continue;
    const seconds = tolerations.length === 0 ? 0 : Math.max(0, Math.min(...limits));
    const left = tolerations.length === 0 ? 0 : seconds * 1000 - ageMs(taint);
    earliest = Math.min(earliest ?? left, left);
  }
  return earliest;
}

/** What is known of the pod's node beside its object. */
export interface NodeSight {
  /**
   * What is left of the time for which it may be silent, in ms; undefined while no node is ready, and its silence says
   * nothing of it.
   */
  readonly graceLeftMs: number | undefined;
  readonly taintAgeMs: (taint: Taint) => number;
}

/**
 * A ready pod on a silent node is marked not ready, so that Services leave it out; a pod that does not tolerate a
 * NoExecute taint of its node, or no longer, is deleted. One write per pass: the mark first. The taint of a drain is
 * not looked at: see drain.ts.
 */
export function planEviction(pod: StoredPod, node: StoredNode, sight: NodeSight, now: Date): Decision {
  if (isFinished(pod)) return { steps: [] };
  const readiness = planReadiness(pod, node, sight, now);
  const leaves = isTerminating(pod)
    ? undefined
    : leavesInMs(
        pod,
        (node.spec.taints ?? []).filter((taint) => taint.key !== DRAIN_TAINT),
        sight.taintAgeMs,
      );
  if (readiness.steps.length === 0 && leaves !== undefined && leaves <= 0) return { steps: deletePod(pod, now) };
  const waits = [readiness.requeueAfterMs, leaves].flatMap((ms) => (ms === undefined ? [] : Math.max(0, ms)));
  return { steps: readiness.steps, ...(waits.length > 0 && { requeueAfterMs: Math.min(...waits) }) };
}

/** The mark of a silent node on its pod: put, and taken off again. */
function planReadiness(pod: StoredPod, node: StoredNode, { graceLeftMs }: NodeSight, now: Date): Decision {
  const ready = findCondition(pod.status?.conditions, 'Ready');
  const nodeReady = findCondition(node.status?.conditions, 'Ready');
  if (nodeReady?.status === 'Unknown' && ready?.status === 'True' && graceLeftMs !== undefined) {
    if (graceLeftMs > 0) return { steps: [], requeueAfterMs: graceLeftMs };
    const message = `Node ${node.metadata.name} is silent.`;
    return markReady(pod, { type: 'Ready', status: 'False', reason: SILENT_REASON, message }, now);
  }
  if (nodeReady?.status === 'True' && ready?.status === 'False' && ready.reason === SILENT_REASON) {
    const left = Date.parse(nodeReady.lastTransitionTime ?? now.toISOString()) + REPORT_MS - now.getTime();
    return left > 0 ? { steps: [], requeueAfterMs: left } : markReady(pod, { type: 'Ready', status: 'True' }, now);
  }
  return { steps: [] };
}

function markReady(pod: StoredPod, ready: Omit<Condition, 'lastTransitionTime'>, now: Date): Decision {
  const conditions = withCondition(pod.status?.conditions, ready, now.toISOString());
  return {
    steps: [{ do: 'updateStatus', object: { ...pod, status: { phase: 'Unknown', ...pod.status, conditions } } }],
  };
}

function deletePod(pod: StoredPod, now: Date): Step[] {
  const { namespace, name } = pod.metadata;
  const message = `Marking for deletion Pod ${namespace ?? ''}/${name}`;
  return evictionSteps([{ pod, disruption: TAINT, reason: 'TaintManagerEviction', message }], now);
}
