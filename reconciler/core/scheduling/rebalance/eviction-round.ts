/**
 * Carries out a plan to rebalance: evictions within disruption budgets as they are now, and the rounds that a policy
 * asks for.
 */
import {
  withCondition,
  type DeschedulerPolicyStatus,
  type StoredDeschedulerPolicy,
  type StoredPodDisruptionBudget,
} from '../../../../contracts/objects/index.ts';
import type { Paced } from '../../paced.ts';
import type { Decision, Step } from '../../step.ts';
import { kubeTime } from '../../storage/object-form.ts';
import { EVICTION } from '../../workloads/disruption-target.ts';
import { disruptionsAllowed, evictionSteps } from '../../workloads/disruption.ts';
import type { Move, RebalancePlan } from '../rebalance.ts';

export interface EvictionRound {
  readonly steps: readonly Step[];
  /**
   * Evictions that the steps book in their budgets first, as a drain does: ask again when that is written. No pod is
   * evicted before.
   */
  readonly booked: number;
  /** What the steps evict. */
  readonly evicted: readonly Move[];
  readonly refused: readonly { readonly move: Move; readonly message: string }[];
}

/** One round for pods as they are now; may be asked again and again. Leaves an event on each pod that it evicts. */
export function evictionRound(
  moves: readonly Move[],
  budgets: readonly StoredPodDisruptionBudget[],
  now: Date,
): EvictionRound {
  let current = budgets;
  const allowed: Move[] = [];
  const refused: { move: Move; message: string }[] = [];
  for (const move of moves) {
    const verdict = disruptionsAllowed(move.pod, current, now);
    if (!verdict.allowed) refused.push({ move, message: verdict.message });
    else if (verdict.claim) {
      const { claim } = verdict;
      current = current.map((budget) => (budget.metadata.uid === claim.metadata.uid ? claim : budget));
    } else allowed.push(move);
  }
  const booked = moves.length - allowed.length - refused.length;
  if (booked > 0)
    return {
      booked,
      refused,
      evicted: [],
      steps: current.filter((budget, at) => budget !== budgets[at]).map((object) => ({ do: 'updateStatus', object })),
    };
  const evictions = allowed.map(({ pod, from, plugin, reason: why }) => {
    const message = `pod evicted from node ${from} by ${plugin}: ${why}`;
    return { pod, disruption: EVICTION, reason: 'Descheduled', message };
  });
  const steps = evictionSteps(evictions, now);
  return { booked, refused, evicted: allowed, steps };
}

/** Condition of a DeschedulerPolicy: False while what it says cannot be read, so that nothing is done by it. */
const VALID = 'Valid';
/** A booking shows at once; this is for when nobody says so. */
const LOOK_AGAIN_MS = 1000;

export interface PolicyRoundInput {
  readonly object: StoredDeschedulerPolicy;
  /** What is wrong with it, in words. */
  readonly problem: string | undefined;
  /** Asked only when a round is due. */
  readonly plan: () => Paced<RebalancePlan>;
  /** As they are when the plan is made. */
  readonly budgets: () => readonly StoredPodDisruptionBudget[];
  readonly now: Date;
}

/**
 * What a policy with an interval does by itself. The first round is one interval after the policy came to be: so long a
 * cluster that was just recovered has to find its pods. Safe to repeat: that a round is over shows in the status.
 */
export function* policyRound({ object, problem, plan, budgets, now }: PolicyRoundInput): Paced<Decision> {
  const { deschedulingIntervalSeconds: seconds, status, metadata } = object;
  if (seconds === undefined) return { steps: [] };
  const dueMs = Date.parse(status?.lastRoundTime ?? metadata.creationTimestamp) + seconds * 1000 - now.getTime();
  if (dueMs > 0) return { steps: [], requeueAfterMs: dueMs };
  const valid = withCondition(
    status?.conditions,
    problem === undefined
      ? { type: VALID, status: 'True', reason: 'Read', message: '' }
      : { type: VALID, status: 'False', reason: 'InvalidArguments', message: problem },
    now.toISOString(),
  );
  const over = (evicted: number, skipped: number): Step => {
    const next: DeschedulerPolicyStatus = {
      observedGeneration: metadata.generation,
      lastRoundTime: kubeTime(now),
      evicted,
      skipped,
      conditions: valid,
    };
    return { do: 'updateStatus', object: { ...object, status: next } };
  };
  if (problem !== undefined) return { steps: [over(0, 0)], requeueAfterMs: seconds * 1000 };
  const { moves, skipped } = yield* plan();
  const round = evictionRound(moves, budgets(), now);
  if (round.booked > 0) return { steps: round.steps, requeueAfterMs: LOOK_AGAIN_MS };
  return {
    steps: [...round.steps, over(round.evicted.length, skipped.length + round.refused.length)],
    requeueAfterMs: seconds * 1000,
  };
}
