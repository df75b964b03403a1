/** Rebalancing on demand: the plan, and its evictions. */
import {
  keyOf,
  objectKey,
  type DeschedulerPluginName,
  type DeschedulerProblem,
  type StoredPod,
} from '../../../contracts/objects/index.ts';
import { planRebalance, type Move } from '../../core/scheduling/rebalance.ts';
import { evictionRound } from '../../core/scheduling/rebalance/eviction-round.ts';
import { rebalancePolicy } from '../../core/scheduling/rebalance/policy.ts';
import type { Step } from '../../core/step.ts';
import { isTerminating } from '../../core/workloads/pod-state.ts';
import type { Clock } from '../../ports/clock.ts';
import type { StoreView } from '../runtime/controller.ts';
import type { StepProblem } from '../runtime/writer.ts';
import { inSlices } from '../runtime/slices.ts';
import { clusterOf } from './cluster-snapshot.ts';

export interface RebalanceDependencies {
  readonly view: StoreView;
  /** Does the steps, and says which the store refused. */
  readonly execute: (steps: readonly Step[], signal: AbortSignal) => Promise<readonly StepProblem[]>;
  readonly clock: Pick<Clock, 'now' | 'sleep'>;
}

export interface RebalanceOrder {
  /** Only these plugins; empty for those that the policy enables. */
  readonly plugins: readonly DeschedulerPluginName[];
  /** Evict the pods of the plan. */
  readonly apply: boolean;
}

interface PodName {
  readonly namespace: string;
  readonly name: string;
}

export interface RebalanceReport {
  /** Name of the DeschedulerPolicy; absent where there is none, so that defaults are used. */
  readonly policy?: string;
  readonly plugins: readonly DeschedulerPluginName[];
  /** What is wrong with the policy: nothing is evicted then. */
  readonly problems: readonly string[];
  /** `to` is where the scheduler would place the pod now. */
  readonly moves: readonly {
    readonly pod: PodName;
    readonly from: string;
    readonly to: string;
    readonly plugin: DeschedulerPluginName;
    readonly reason: string;
  }[];
  /** Pods that should move and cannot. */
  readonly skipped: readonly {
    readonly pod: PodName;
    readonly node: string;
    readonly plugin: DeschedulerPluginName;
    readonly reason: string;
    readonly obstacle: string;
  }[];
  /** Pods of the plan that were evicted; absent where that was not asked for. */
  readonly evicted?: readonly PodName[];
  /** Pods of the plan that were not, as things had changed by then. */
  readonly refused?: readonly { readonly pod: PodName; readonly message: string }[];
}

/** `profiles[0].pluginConfig[1].args must be ...`. */
export function problemText({ path, message }: DeschedulerProblem): string {
  return `${path.map((part, at) => (typeof part === 'number' ? `[${part}]` : at === 0 ? part : `.${part}`)).join('')} ${message}`;
}

/**
 * Plans by the policy of the repository, and evicts where that was ordered. Evictions wait for their budgets to have
 * booked them.
 */
export async function rebalance(
  deps: RebalanceDependencies,
  order: RebalanceOrder,
  signal: AbortSignal,
): Promise<RebalanceReport> {
  const { view, clock } = deps;
  const [object] = view.list('DeschedulerPolicy');
  const { policy, problems } = rebalancePolicy(object, order.plugins);
  const { moves, skipped } = await inSlices(planRebalance({ ...clusterOf(view), policy, now: clock.now() }), signal);
  const report: RebalanceReport = {
    ...(object && { policy: object.metadata.name }),
    plugins: [...new Set(policy.profiles.flatMap(({ plugins }) => plugins.map(({ name }) => name)))],
    problems: problems.map(problemText),
    moves: moves.map((move) => ({ ...move, pod: podName(move.pod) })),
    skipped: skipped.map((pod) => ({ ...pod, pod: podName(pod.pod) })),
  };
  if (!order.apply) return report;
  return { ...report, ...(problems.length > 0 ? { evicted: [], refused: [] } : await evict(deps, moves, signal)) };
}

/** Rounds that a lost race may cost. */
const MOST_ROUNDS = 20;
/** Until the change that won a race has come. */
const AFTER_RACE_MS = 50;

async function evict(
  { view, execute, clock }: RebalanceDependencies,
  moves: readonly Move[],
  signal: AbortSignal,
): Promise<Required<Pick<RebalanceReport, 'evicted' | 'refused'>>> {
  const evicted: PodName[] = [];
  let refused: NonNullable<RebalanceReport['refused']> = [];
  let left = moves;
  for (let round = 0; left.length > 0; round++) {
    left = left.flatMap((move) => {
      const pod = asItIs(move.pod, view);
      return pod ? [{ ...move, pod }] : [];
    });
    if (round === MOST_ROUNDS) {
      refused = [
        ...refused,
        ...left.map(({ pod }) => ({ pod: podName(pod), message: 'others kept changing it or its disruption budget' })),
      ];
      break;
    }
    const next = evictionRound(left, view.list('PodDisruptionBudget'), clock.now());
    const lost = await execute(next.steps, signal);
    if (lost.length > 0) await clock.sleep(AFTER_RACE_MS, signal);
    if (next.booked > 0) continue;
    const again = new Set(lost.map(({ step }) => (step.do === 'delete' ? step.key : keyOf(step.object))));
    const isLost = ({ pod }: Move): boolean => again.has(keyOf(pod));
    evicted.push(...next.evicted.filter((move) => !isLost(move)).map(({ pod }) => podName(pod)));
    refused = [...refused, ...next.refused.map(({ move, message }) => ({ pod: podName(move.pod), message }))];
    left = next.evicted.filter(isLost);
  }
  return { evicted, refused };
}

/** The pod as the store has it now; undefined when it is gone or going. */
function asItIs({ metadata: { namespace, name, uid } }: StoredPod, view: StoreView): StoredPod | undefined {
  const pod = view.get(objectKey('Pod', namespace, name));
  return pod && pod.metadata.uid === uid && !isTerminating(pod) ? pod : undefined;
}

function podName({ metadata }: StoredPod): PodName {
  return { namespace: metadata.namespace ?? '', name: metadata.name };
}
