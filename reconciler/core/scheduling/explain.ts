/**
 * Why a pod is where it is, or nowhere. Worked out on the state of the cluster as it is now, from the same filters and
 * scores that place pods; what the state was when a pod was bound is not kept anywhere, and is not claimed.
 */
import { findCondition, type StoredPod } from '../../../contracts/objects/index.ts';
import { isFinished, isTerminating } from '../workloads/pod-state.ts';
import type { NodeScore, NodeVerdict } from './candidates.ts';
import type { Gate } from './framework.ts';
import type { QueuePosition } from './queue.ts';
import type { Scheduler } from './scheduler.ts';

export type PlacementExplanation = WaitingPod | PlacedPod;

/** A pod without a node. */
export interface WaitingPod {
  readonly is: 'waiting';
  /**
   * `0/5 nodes are available: 3 Insufficient cpu, 2 node(s) had untolerated taint {gpu: true}.`, or what else it waits
   * for.
   */
  readonly message: string;
  /** What its status says, where that is something else: it was worked out when the pod was tried last. */
  readonly lastTold?: string;
  /** How many nodes there are. */
  readonly nodes: number;
  /** Why each node that would not have it does not, by name. */
  readonly verdicts: readonly NodeVerdict[];
  /** Keeps it out of the queue. */
  readonly gate?: Gate;
  /** The group that gets its places together, or why there is none. */
  readonly group?: GroupSituation;
  readonly queue?: QueueSituation;
  /** Room is being made or kept for it there. */
  readonly nominatedNode?: string;
}

export interface GroupSituation {
  /** Namespace and name of the PodGroup. */
  readonly name: string;
  /** How many of its pods must have a place before any of them gets one. */
  readonly needed: number;
  /** How many have one. */
  readonly placed: number;
  /** How many wait, this one included. */
  readonly waiting: number;
}

/** As {@link QueuePosition}, with times as RFC 3339. */
export interface QueueSituation extends Pick<QueuePosition, 'part' | 'attempts' | 'waitsFor' | 'roomOn'> {
  readonly since: string;
  readonly lastTried?: string;
  readonly nextTryBy?: string;
}

/** A pod that has its node. */
export interface PlacedPod {
  readonly is: 'placed';
  readonly node: string;
  /** How many nodes there are. */
  readonly nodes: number;
  /** How many would have it if it were to be placed again. */
  readonly available: number;
  /** The best of those, and its own node where that is not among the best. */
  readonly ranking: readonly RankedNode[];
  /** Why its own node would not have it again. */
  readonly refusedNow?: NodeVerdict;
}

export interface RankedNode extends NodeScore {
  /** 1 for the best. */
  readonly rank: number;
  /** It is the pod's own. */
  readonly own: boolean;
}

/** What the explanation needs beyond the scheduler. */
export interface Surroundings {
  readonly queue?: QueuePosition | undefined;
  /** Pods of a group (`namespace/name`) that wait. */
  readonly waitingOfGroup: (group: string) => number;
}

const SHOWN_NODES = 5;

/** Undefined for a pod that ended or is being deleted: it gets no place any more. Changes nothing. */
export function explainPlacement(
  scheduler: Scheduler,
  pod: StoredPod,
  around: Surroundings,
): PlacementExplanation | undefined {
  if (isFinished(pod) || isTerminating(pod)) return undefined;
  const assumed = scheduler.cluster.placed(pod.metadata.uid);
  const node = pod.spec.nodeName ?? (assumed?.nominated === false ? assumed.nodeName : undefined);
  return scheduler.cluster.without(pod.metadata.uid, () =>
    node === undefined ? explainWaiting(scheduler, pod, around) : explainPlaced(scheduler, pod, node),
  );
}

function explainPlaced(scheduler: Scheduler, pod: StoredPod, node: string): PlacedPod {
  const all = scheduler
    .ranking(pod, Infinity)
    .map((score, at): RankedNode => ({ ...score, rank: at + 1, own: score.node === node }));
  const refusedNow = scheduler.refusal(pod).verdicts.find((verdict) => verdict.node === node);
  return {
    is: 'placed',
    node,
    nodes: scheduler.cluster.nodeCount,
    available: all.length,
    ranking: all.filter(({ rank, own }) => rank <= SHOWN_NODES || own),
    ...(refusedNow && { refusedNow }),
  };
}

function explainWaiting(scheduler: Scheduler, pod: StoredPod, { queue, waitingOfGroup }: Surroundings): WaitingPod {
  const { cluster } = scheduler;
  const told = findCondition(pod.status?.conditions, 'PodScheduled')?.message;
  const nominated = pod.status?.nominatedNodeName;
  const rest = {
    is: 'waiting',
    nodes: cluster.nodeCount,
    ...(queue && { queue: situationOf(queue) }),
    ...(nominated !== undefined && { nominatedNode: nominated }),
  } as const;
  const answer = (message: string, more: Partial<WaitingPod> = {}): WaitingPod => ({
    ...rest,
    message,
    verdicts: [],
    ...(told !== undefined && told !== message && { lastTold: told }),
    ...more,
  });

  const profile = scheduler.profileOf(pod);
  if (!profile) return answer(noProfile(pod));
  const gate = profile.preEnqueue.map((plugin) => plugin.preEnqueue?.(pod)).find((found) => found !== undefined);
  if (gate) return answer(gate.message, { gate });
  const together = scheduler.together(pod);
  if (together && !('group' in together)) return answer(together.message);

  const { message, verdicts } = scheduler.refusal(pod);
  const available = cluster.nodeCount - verdicts.length;
  const alone =
    available === 0
      ? message
      : `${available} of ${cluster.nodeCount} nodes would have it now: it gets a place when its turn comes`;
  if (!together) return answer(alone, { verdicts });
  const group: GroupSituation = {
    name: together.group,
    needed: together.needed,
    placed: cluster.placedOfGroup(together.group),
    waiting: waitingOfGroup(together.group),
  };
  const incomplete = group.placed + group.waiting < group.needed;
  const why = incomplete ? `only ${group.placed + group.waiting} are there` : alone;
  return answer(
    `pod group ${group.name} needs ${group.needed} pods placed together (${group.placed} placed, ${group.waiting} waiting): ${why}`,
    { verdicts, group },
  );
}

/** What is said of a pod that asks for a scheduler which is nobody. */
export function noProfile(pod: StoredPod): string {
  return `no profile of the scheduler has the name ${pod.spec.schedulerName}`;
}

function situationOf({ since, triedAt, nextBy, ...position }: QueuePosition): QueueSituation {
  const time = (ms: number): string => new Date(ms).toISOString();
  return {
    ...position,
    since: time(since),
    ...(triedAt !== undefined && { lastTried: time(triedAt) }),
    ...(nextBy !== undefined && { nextTryBy: time(nextBy) }),
  };
}
