/**
 * A node that is drained: its pods are evicted as far as disruption budgets allow. Source: Kubernetes documentation,
 * "Safely Drain a Node".
 */
import {
  DRAIN_TAINT,
  findCondition,
  withCondition,
  type Condition,
  type StoredNode,
  type StoredPod,
  type StoredPodDisruptionBudget,
} from '../../../contracts/objects/index.ts';
import { andMore } from '../and-more.ts';
import type { Decision, Step } from '../step.ts';
import { compareText } from '../workloads/owners.ts';
import { EVICTION } from '../workloads/disruption-target.ts';
import { disruptionsAllowed, evictionSteps, type Eviction } from '../workloads/disruption.ts';
import { isFinished, isTerminating } from '../workloads/pod-state.ts';
import { leavesInMs } from './eviction.ts';
import { ageByWall } from './node-monitor.ts';

/** Condition of a Node that is drained: True once nothing is left that has to leave; False with what is waited for. */
export const DRAINED = 'Drained';

export interface DrainInput {
  readonly node: StoredNode;
  /** Pods bound to the node. */
  readonly pods: readonly StoredPod[];
  readonly budgets: readonly StoredPodDisruptionBudget[];
  readonly now: Date;
}

export function isDraining(node: StoredNode): boolean {
  return node.spec.taints?.some((taint) => taint.key === DRAIN_TAINT && taint.effect === 'NoExecute') ?? false;
}

/**
 * One round of a drain. Evictions that a budget has to count are booked in its status in one round and carried out in
 * the next, when the booking is seen: two nodes that are drained at once cannot both take the last one. Pods that
 * tolerate the taint stay.
 */
export function planDrain({ node, pods, budgets, now }: DrainInput): Decision {
  if (!isDraining(node)) return { steps: withoutCondition(node) };
  const taints = (node.spec.taints ?? []).filter((taint) => taint.key === DRAIN_TAINT);
  const evictions: Eviction[] = [];
  const blocked: Blocked[] = [];
  const waits: number[] = [];
  let current = budgets;
  let left = 0;
  for (const pod of pods.filter((p) => !isFinished(p)).sort((a, b) => compareText(nameOf(a), nameOf(b)))) {
    const leaves = leavesInMs(pod, taints, ageByWall(now));
    if (leaves === undefined) continue;
    left += 1;
    if (isTerminating(pod)) continue;
    if (leaves > 0) {
      waits.push(leaves);
      continue;
    }
    const verdict = disruptionsAllowed(pod, current, now);
    if (!verdict.allowed) blocked.push({ pod: nameOf(pod), why: verdict.message });
    else if (verdict.claim) {
      const { claim } = verdict;
      current = current.map((budget) => (budget.metadata.uid === claim.metadata.uid ? claim : budget));
    } else {
      const message = `Eviction API: evicting, as node ${node.metadata.name} is drained`;
      evictions.push({ pod, disruption: EVICTION, reason: EVICTION.reason, message });
    }
  }
  const steps = evictionSteps(evictions, now);
  current.forEach((budget, i) => {
    if (budget !== budgets[i]) steps.push({ do: 'updateStatus', object: budget });
  });
  const decision: Decision = { steps: [...steps, ...conditionSteps(node, left, blocked, now)] };
  return waits.length > 0 ? { ...decision, requeueAfterMs: Math.min(...waits) } : decision;
}

/** A pod that a budget keeps. */
interface Blocked {
  readonly pod: string;
  readonly why: string;
}

const SHOWN_CAUSES = 3;

function nameOf({ metadata }: StoredPod): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}

function conditionSteps(node: StoredNode, left: number, blocked: readonly Blocked[], now: Date): Step[] {
  const next = conditionOf(left, blocked);
  const before = findCondition(node.status?.conditions, DRAINED);
  if (before?.status === next.status && before.reason === next.reason && before.message === next.message) return [];
  return [
    {
      do: 'updateStatus',
      object: {
        ...node,
        status: { ...node.status, conditions: withCondition(node.status?.conditions, next, now.toISOString()) },
      },
    },
  ];
}

function conditionOf(left: number, blocked: readonly Blocked[]): Omit<Condition, 'lastTransitionTime'> {
  if (left === 0)
    return { type: DRAINED, status: 'True', reason: 'NoPodsLeft', message: 'no pod is left that has to leave' };
  const pods = left === 1 ? '1 pod is left' : `${left} pods are left`;
  if (blocked.length === 0) return { type: DRAINED, status: 'False', reason: 'Evicting', message: pods };
  return {
    type: DRAINED,
    status: 'False',
    reason: 'DisruptionBudget',
    message: `${pods}; ${andMore(byCause(blocked), SHOWN_CAUSES, '; ')}`,
  };
}

/** What holds pods up, each cause once, with the first of its pods. */
function byCause(blocked: readonly Blocked[]): string[] {
  const causes = new Map<string, string[]>();
  for (const { pod, why } of blocked) causes.set(why, [...(causes.get(why) ?? []), pod]);
  return [...causes].map(([why, names]) => `${names.length === 1 ? 'pod' : 'pods'} ${andMore(names, 1)}: ${why}`);
}

function withoutCondition(node: StoredNode): Step[] {
  if (!findCondition(node.status?.conditions, DRAINED)) return [];
  const conditions = (node.status?.conditions ?? []).filter(({ type }) => type !== DRAINED);
  return [{ do: 'updateStatus', object: { ...node, status: { ...node.status, conditions } } }];
}
