/**
 * Who sets which condition of a pod: its node, the control plane, and everybody else the others, which a readiness gate
 * may name. Sources: Kubernetes pkg/kubelet/types/pod_status.go (PodConditionByKubelet, PodConditionSharedByKubelet) and
 * pkg/kubelet/status/generate.go (GeneratePodReadyCondition); KEP-580.
 */
import { findCondition, withCondition, type Condition, type Pod } from '../../../contracts/objects/index.ts';

const NODES: ReadonlySet<string> = new Set([
  'PodReadyToStartContainers',
  'Initialized',
  'Ready',
  'ContainersReady',
  'PodResizePending',
  'PodResizeInProgress',
]);
const OURS: ReadonlySet<string> = new Set(['PodScheduled', 'DisruptionTarget']);
/** That others may keep on one pod. */
const MOST_OF_OTHERS = 16;

/** Nobody else sets it: what the node does not say any more is over. */
export function isNodesAlone(type: string): boolean {
  return NODES.has(type);
}

/** Whether a node may say that. Of ours it sets the one of a pod that it gives up itself, whatever was about to end it. */
export function isNodes({ type, reason }: Condition): boolean {
  return NODES.has(type) || (type === 'DisruptionTarget' && reason === 'TerminationByKubelet');
}

/**
 * Ready as its gates leave it: with all containers ready and a gate that is not True it is not. What else was said stays:
 * what the node says, and what is said of a node that is silent. `before`: the conditions until now.
 */
export function withGates(
  { readinessGates = [] }: Pick<Pod['spec'], 'readinessGates'>,
  conditions: readonly Condition[],
  before: readonly Condition[],
  now: string,
): Condition[] {
  const ready = findCondition(conditions, 'Ready');
  const isOpen = findCondition(conditions, 'ContainersReady')?.status === 'True';
  if (readinessGates.length === 0 || !isOpen || !ready || !isOfGates(ready)) return [...conditions];
  const closed = readinessGates.flatMap(({ conditionType }) => {
    const status = findCondition(conditions, conditionType)?.status;
    if (status === 'True') return [];
    return status === undefined
      ? `corresponding condition of pod readiness gate "${conditionType}" does not exist.`
      : `the status of pod readiness gate "${conditionType}" is not "True", but ${status}`;
  });
  const next: Omit<Condition, 'lastTransitionTime'> =
    closed.length === 0
      ? { type: 'Ready', status: 'True' }
      : { type: 'Ready', status: 'False', reason: GATES_CLOSED, message: closed.join(', ') };
  const { status, lastTransitionTime: since = now } = findCondition(before, 'Ready') ?? {};
  const lastTransitionTime = status === next.status ? since : now;
  return conditions.map((condition) => (condition === ready ? { ...next, lastTransitionTime } : condition));
}

const GATES_CLOSED = 'ReadinessGatesNotReady';

function isOfGates({ status, reason }: Condition): boolean {
  return status === 'True' || reason === GATES_CLOSED;
}

/** What somebody wants to set of a condition. */
export type ConditionWritten = Pick<Condition, 'type' | 'status' | 'reason' | 'message'>;

/** The pod with conditions of others set, and Ready as it follows; in words why that may not be. */
export function withOthersConditions<P extends Pod>(
  pod: P,
  written: readonly ConditionWritten[],
  now: string,
): P | { readonly refused: string } {
  const taken = written.find(({ type }) => NODES.has(type) || OURS.has(type));
  if (taken) return { refused: `the condition ${taken.type} is set by the pod's node or the control plane alone` };
  const before = pod.status?.conditions ?? [];
  let conditions: readonly Condition[] = before;
  for (const one of written) conditions = withCondition(conditions, one, now);
  const others = conditions.filter(({ type }) => !NODES.has(type) && !OURS.has(type));
  if (others.length > MOST_OF_OTHERS)
    return { refused: `a pod may have at most ${MOST_OF_OTHERS} conditions of others` };
  const status = { phase: 'Pending' as const, ...pod.status, conditions: withGates(pod.spec, conditions, before, now) };
  return { ...pod, status };
}
