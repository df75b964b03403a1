/**
 * Where the pods of a plan would go: a forecast, made by controllers and scheduler themselves on a copy of the cluster.
 * They take turns, and pods that get a node are ready at the next turn, until nothing moves any more. Deterministic:
 * the same state and plan give the same forecast.
 */
import type { StoredPod } from '../../../contracts/objects/index.ts';
import type { Paced } from '../paced.ts';
import { Attempt, type Preempted, type Unplaced, type WorkloadPlaces } from './attempt.ts';
import type { ClusterState } from './cluster-state.ts';
import type { PlannedPod, PlayedCluster } from './played.ts';
import type { Scheduler } from './scheduler.ts';

export interface ForecastInput {
  /**
   * Over a copy of the live state, which is changed: its nodes and pods, and what the plan makes of everything else
   * that placement looks at.
   */
  readonly scheduler: Scheduler;
  /** What has taken in the plan. Changed too. */
  readonly played: PlayedCluster;
  /** Pods without a node. They want places too. */
  readonly waiting: readonly PlannedPod[];
  /** Pods that are being deleted already. */
  readonly leaving: readonly StoredPod[];
}

export interface Forecast {
  readonly placements: readonly WorkloadPlaces[];
  readonly preempted: readonly Preempted[];
  readonly unplaced: readonly Unplaced[];
  readonly rollouts: readonly TightRollout[];
  /** Of every node, by name. */
  readonly capacity: readonly NodeShare[];
  /** Pods that wait for a node now, and would still. */
  readonly stillWaiting: number;
  /** New machines, which have no room yet. */
  readonly joining: readonly string[];
  /** Why it is not the whole forecast, in sentences; absent where it is. */
  readonly limits?: readonly string[];
}

/**
 * A rolling update whose new pods have no room beside the old ones: at its start, or, where it stands still, for good.
 */
export interface TightRollout extends Unplaced {
  /** Old pods that it stands still with; 0 where it comes to its end. */
  readonly oldLeft: number;
}

/** What the pods on a node ask for: thousandths of a core, and bytes. */
export interface NodeShare {
  readonly node: string;
  readonly cpu: Share;
  readonly memory: Share;
}
export interface Share {
  /** 0 where the plan removes the node. */
  readonly allocatable: number;
  readonly before: number;
  readonly after: number;
}

/** Undefined where no pod would be placed anew. */
export function* simulate({ scheduler, played, waiting, leaving }: ForecastInput): Paced<Forecast | undefined> {
  const { cluster } = scheduler;
  const before = usage(cluster);
  const attempt = new Attempt(scheduler, played);
  attempt.wait(waiting);
  attempt.remove(leaving);
  const rollouts = yield* play(attempt, played);

  const placements = attempt.placements();
  const unplaced = attempt.unplaced();
  if (placements.length === 0 && unplaced.length === 0 && attempt.preempted.length === 0) return undefined;
  return {
    placements,
    unplaced,
    rollouts,
    preempted: [...attempt.preempted].sort((a, b) => (a.victim < b.victim ? -1 : 1)),
    capacity: shares(before, usage(cluster)),
    stillWaiting: attempt.stillWaiting,
    joining: played.joining,
    ...(played.limits.length > 0 && { limits: played.limits }),
  };
}

/**
 * Turns in which rolling updates take their own steps. One of a thousand pods that goes pod by pod would take seconds
 * to play.
 */
const TURNS = 32;

/**
 * Controllers, scheduler and nodes in turn. It ends: an update has so many pods to make and to end, and a pod can drive
 * others away only so often, and only those of lower priority.
 */
function* play(attempt: Attempt, played: PlayedCluster): Paced<TightRollout[]> {
  let starts: readonly TightRollout[] | undefined;
  for (let moved = true, turn = 0; moved; turn++) {
    if (turn >= TURNS) played.hurry();
    yield* played.settle();
    attempt.change(played.takeChanges());
    moved = yield* attempt.pass();
    starts ??= tightRollouts(attempt, played);
    moved = played.start() || moved || (yield* played.later());
  }
  const ends = tightRollouts(attempt, played);
  const still = new Set(ends.map(({ workload }) => workload));
  return [
    ...ends,
    ...(starts ?? []).flatMap((start) => (still.has(start.workload) ? [] : [{ ...start, oldLeft: 0 }])),
  ].sort((a, b) => (a.workload < b.workload ? -1 : 1));
}

/** As things are: rolling updates of which new pods have no room. */
function tightRollouts(attempt: Attempt, played: PlayedCluster): TightRollout[] {
  return played
    .updates()
    .flatMap(({ oldLeft, next }) => attempt.unplaced(next).map((entry) => ({ ...entry, oldLeft })));
}

type Usage = ReadonlyMap<
  string,
  {
    readonly cpu: readonly [allocatable: number, used: number];
    readonly memory: readonly [allocatable: number, used: number];
  }
>;

function usage(cluster: ClusterState): Usage {
  const of = (resource: string, node: number): [number, number] => {
    const { allocatable, used } = cluster.resource(resource);
    return [allocatable[node] ?? 0, used[node] ?? 0];
  };
  return new Map(
    [...cluster.nodeNames()].sort().map((name) => {
      const node = cluster.number(name) ?? -1;
      return [name, { cpu: of('cpu', node), memory: of('memory', node) }];
    }),
  );
}

function shares(before: Usage, after: Usage): NodeShare[] {
  return [...before].map(([node, was]) => {
    const is = after.get(node);
    const share = (resource: 'cpu' | 'memory'): Share => ({
      allocatable: is?.[resource][0] ?? 0,
      before: was[resource][1],
      after: is?.[resource][1] ?? 0,
    });
    return { node, cpu: share('cpu'), memory: share('memory') };
  });
}
