/**
 * What a PodDisruptionBudget's status says. Source: Kubernetes' disruption controller,
 * pkg/controller/disruption/disruption.go.
 */
import {
  readKey,
  withCondition,
  type Condition,
  type OwnerReference,
  type PodDisruptionBudgetStatus,
  type StoredPod,
  type StoredPodDisruptionBudget,
} from '../../../contracts/objects/index.ts';
import type { Decision, Step } from '../step.ts';
import { canonicalJson } from '../storage/canonical-json.ts';
import { claimEndsInMs } from './disruption.ts';
import { controllerOf } from './owners.ts';
import { isReady, isTerminating } from './pod-state.ts';
import { share } from './rollout-numbers.ts';

export const DISRUPTION_ALLOWED = 'DisruptionAllowed';

/**
 * How many pods a controller is to have; `uid` is its own, or that of the controller above it (a ReplicaSet's
 * Deployment).
 */
export interface Scale {
  readonly uid: string;
  readonly replicas: number;
}

export interface DisruptionBudgetInput {
  readonly budget: StoredPodDisruptionBudget;
  /** Pods that its selector matches. */
  readonly pods: readonly StoredPod[];
  readonly scaleOf: (controller: OwnerReference) => Scale | undefined;
  readonly now: Date;
}

interface Expected {
  readonly expectedPods: number;
  readonly desiredHealthy: number;
  /** Pods without a controller, which no share of replicas takes into account. */
  readonly unmanaged: number;
}

/** Pods that the controllers of these pods are to have in all; the name of a pod whose controller is not known. */
function expectedScale({
  pods,
  scaleOf,
}: DisruptionBudgetInput): { readonly replicas: number; readonly unmanaged: number } | { readonly orphan: string } {
  const scales = new Map<string, number>();
  let unmanaged = 0;
  for (const pod of pods) {
    const controller = controllerOf(pod.metadata);
    if (!controller) {
      unmanaged += 1;
      continue;
    }
    const scale = scaleOf(controller);
    if (!scale) return { orphan: pod.metadata.name };
    scales.set(scale.uid, scale.replicas);
  }
  return { replicas: [...scales.values()].reduce((sum, replicas) => sum + replicas, 0), unmanaged };
}

/** How many of `replicas` pods have to be healthy. Percentages are rounded up. */
export function healthyShare(
  { minAvailable, maxUnavailable }: DisruptionBudgetInput['budget']['spec'],
  replicas: number,
): number {
  return minAvailable !== undefined
    ? share(minAvailable, replicas, Math.ceil)
    : Math.max(0, replicas - share(maxUnavailable ?? replicas, replicas, Math.ceil));
}

/** Percentages are of the controllers' replicas. */
function expected(input: DisruptionBudgetInput): Expected | { readonly orphan: string } {
  const { minAvailable } = input.budget.spec;
  if (typeof minAvailable === 'number')
    return { expectedPods: input.pods.length, desiredHealthy: minAvailable, unmanaged: 0 };
  const scale = expectedScale(input);
  if ('orphan' in scale) return scale;
  const { replicas, unmanaged } = scale;
  return { expectedPods: replicas, desiredHealthy: healthyShare(input.budget.spec, replicas), unmanaged };
}

function withAllowed(
  status: Omit<PodDisruptionBudgetStatus, 'conditions'>,
  before: readonly Condition[] | undefined,
  failure: string | undefined,
  now: Date,
): PodDisruptionBudgetStatus {
  const allowed = status.disruptionsAllowed > 0;
  const condition =
    failure === undefined
      ? {
          type: DISRUPTION_ALLOWED,
          status: allowed ? ('True' as const) : ('False' as const),
          reason: allowed ? 'SufficientPods' : 'InsufficientPods',
          message: '',
        }
      : { type: DISRUPTION_ALLOWED, status: 'False' as const, reason: 'SyncFailed', message: failure };
  return {
    ...status,
    conditions: withCondition(
      before,
      {
        ...condition,
        ...(status.observedGeneration !== undefined && { observedGeneration: status.observedGeneration }),
      },
      now.toISOString(),
    ),
  };
}

/**
 * Counts the pods anew. A pod whose eviction is booked counts as gone until its deletion is seen, or for two minutes.
 * Where a pod's controller is not known nothing may be evicted, and the condition says so.
 */
export function planDisruptionBudget(input: DisruptionBudgetInput): Decision {
  const { budget, pods, now } = input;
  const before = budget.status;
  const counted = expected(input);
  const staying = pods.filter((pod) => !isTerminating(pod));
  const claims = staying.map((pod) => ({ pod, ms: claimEndsInMs(budget, pod, now) })).filter(({ ms }) => ms > 0);
  const claimed = new Set(claims.map(({ pod }) => pod));
  const currentHealthy = staying.filter((pod) => isReady(pod) && !claimed.has(pod)).length;
  const disruptedPods = Object.fromEntries(
    claims.map(({ pod }) => [pod.metadata.name, readKey(before?.disruptedPods, pod.metadata.name) ?? '']),
  );
  const rest = {
    observedGeneration: budget.metadata.generation,
    currentHealthy,
    ...(claims.length > 0 && { disruptedPods }),
  };
  let status: PodDisruptionBudgetStatus;
  if ('orphan' in counted) {
    const { expectedPods = 0, desiredHealthy = 0 } = before ?? {};
    status = withAllowed(
      { ...rest, expectedPods, desiredHealthy, disruptionsAllowed: 0 },
      before?.conditions,
      `found no controllers for pod "${counted.orphan}"`,
      now,
    );
  } else {
    const { expectedPods, desiredHealthy } = counted;
    // A budget over no pod allows nothing, so that its first pods are safe before they are counted.
    const disruptionsAllowed = expectedPods > 0 ? Math.max(0, currentHealthy - desiredHealthy) : 0;
    status = withAllowed(
      { ...rest, expectedPods, desiredHealthy, disruptionsAllowed },
      before?.conditions,
      undefined,
      now,
    );
  }
  const requeue = claims.length > 0 ? { requeueAfterMs: Math.min(...claims.map(({ ms }) => ms)) } : {};
  if (canonicalJson(before) === canonicalJson(status)) return { steps: [], ...requeue };
  return {
    steps: [{ do: 'updateStatus', object: { ...budget, status } }, ...warnings(budget, pods.length, counted)],
    ...requeue,
  };
}

function warnings(
  budget: StoredPodDisruptionBudget,
  pods: number,
  counted: Expected | { readonly orphan: string },
): Step[] {
  if ('orphan' in counted) {
    return [
      {
        do: 'event',
        regarding: budget,
        type: 'Warning',
        reason: 'CalculateExpectedPodCountFailed',
        message: `Failed to calculate the number of expected pods: found no controllers for pod "${counted.orphan}"`,
      },
    ];
  }
  if (pods === 0)
    return [{ do: 'event', regarding: budget, type: 'Normal', reason: 'NoPods', message: 'No matching pods found' }];
  if (counted.unmanaged === 0) return [];
  const message = `${counted.unmanaged} of the pods selected by this PodDisruptionBudget have no controller and are not among the expected ones; to account for them, set minAvailable to an integer`;
  return [{ do: 'event', regarding: budget, type: 'Warning', reason: 'UnmanagedPods', message }];
}
