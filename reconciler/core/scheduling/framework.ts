/**
 * The extension points of the scheduler. Source: Kubernetes documentation, "Scheduling Framework".
 *
 * A plugin is made ready once for each *shape* of pod ({@link PodShape}) and asked for each node by number, so that
 * pods that are alike share the work. What a plugin answers for a node may depend on that node alone (scope `node`:
 * asked again only when the node or its pods change) or on pods elsewhere (scope `cluster`: asked for every pod, and
 * told of every pod that comes or goes).
 */
import type { StoredPod } from '../../../contracts/objects/index.ts';
import type { Step } from '../step.ts';
import type { ClusterEvent } from './cluster-event.ts';
import type { ClusterState, Placed } from './cluster-state.ts';
import type { PodShape } from './pod-shape.ts';
import type { Reason } from './reason.ts';

export type { Reason };

export type Scope = 'node' | 'cluster';

/**
 * Told of pods that come (`by` 1) or go (`by` -1), in the order in which they do. For parts with the scope `cluster`.
 */
export interface Follower {
  /** Whether it has to be told of pods of the shape. The same at any time; true for every shape where it is absent. */
  concerns?(shape: PodShape): boolean;
  moved(shape: PodShape, node: number, by: 1 | -1): void;
}

/**
 * A filter made ready for one shape. It knows of pods what the cluster's columns and ports say and what it is told by
 * `moved`: so it can be asked what would be without some pods (see {@link PreemptionView.lift}).
 */
export interface Filtering extends Partial<Follower> {
  readonly scope: Scope;
  /** Numbers of the only nodes that can pass (Kubernetes' PreFilterResult); any when absent. */
  readonly only?: readonly number[];
  /** Whether the pod may run there. */
  filter(node: number): boolean;
  /** Why not, for a node that does not pass. */
  reasons(node: number): readonly Reason[];
  /** Whether taking pods off the node could make it pass (else Kubernetes' UnschedulableAndUnresolvable). */
  preemptable(node: number): boolean;
  /** True as long as every node passes anyway: it is not asked then. */
  idle?(): boolean;
  /** No pod that comes or goes changes its answer. */
  readonly fixed?: true;
}

/**
 * From raw scores to 0..100 (MaxNodeScore): `scale * raw + offset`, for the least and greatest raw score of the nodes
 * that passed.
 */
export type Normalize = (min: number, max: number) => { readonly scale: number; readonly offset: number };

/** A score made ready for one shape. */
export interface Scoring extends Partial<Follower> {
  readonly scope: Scope;
  /** Told of the nodes that pass the filters, before they are scored for a pod: the first `count` of `nodes`. */
  among?(nodes: Int32Array, count: number): void;
  /** The raw score; NaN where the node is to get 0 whatever the others have. */
  score(node: number): number;
  /** True as long as all nodes are equal: it is not asked then. */
  idle?(): boolean;
  /** Absent: `score` gives 0..100 already. */
  readonly normalize?: Normalize;
}

/** Pods that get their places together, or none of them does (a gang). */
export interface Together {
  /** Namespace and name of the group. */
  readonly group: string;
  /** How many of the group must have a place, those that have one already included. */
  readonly needed: number;
}

/** Why a pod may not enter the active queue. */
export interface Gate {
  /** Reason of the PodScheduled condition: `SchedulingGated` for gates. */
  readonly reason: string;
  readonly message: string;
}

export interface Plugin {
  readonly name: string;
  /** Sorts the active queue; exactly one plugin of a profile does. */
  readonly queueSort?: (a: QueuedPod, b: QueuedPod) => number;
  /** Keeps a pod out of the queue. */
  preEnqueue?(pod: StoredPod): Gate | undefined;
  /** Makes the filter ready for a shape; undefined when no pod of this shape can be refused (Skip). */
  preFilter?(shape: PodShape, cluster: ClusterState): Filtering | undefined;
  /** Makes the score ready for a shape; undefined when all nodes are equal for it (Skip). */
  preScore?(shape: PodShape, cluster: ClusterState): Scoring | undefined;
  /**
   * Whether its parts with the scope `node` may look at more of the pod than {@link PodShape.asks}. False where it is
   * absent: what it says of nodes is shared by all shapes that ask the same of them.
   */
  tellsApart?(shape: PodShape, cluster: ClusterState): boolean;
  /** Finds room for a pod that fits nowhere. Tries through `view`, and leaves everything as it was. */
  postFilter?(pod: StoredPod, shape: PodShape, cluster: ClusterState, view: PreemptionView): Nomination | undefined;
  /** Takes what the pod uses beyond its place in {@link ClusterState}; must be undone by `unreserve`. */
  reserve?(pod: StoredPod, node: string, cluster: ClusterState): void;
  unreserve?(pod: StoredPod, node: string, cluster: ClusterState): void;
  /** Whether the pod waits for others of its group; a refusal where it cannot be told. */
  permit?(pod: StoredPod, cluster: ClusterState): Together | Gate | undefined;
  /** Writes that must be there before the binding. */
  preBind?(pod: StoredPod, node: string, cluster: ClusterState): readonly Step[];
  /** The binding itself; the first plugin that gives steps binds. */
  bind?(pod: StoredPod, node: string): readonly Step[] | undefined;
  /**
   * Queueing hint: whether the event could make a pod of this shape pass this plugin, which had refused it. Absent:
   * every event might. Source: KEP-4247.
   */
  hint?(event: ClusterEvent, shape: PodShape, cluster: ClusterState): boolean;
}

/** A pod in the queue. */
export interface QueuedPod {
  readonly pod: StoredPod;
  readonly shape: PodShape;
  /** When it first came, in ms since the epoch. */
  readonly since: number;
}

/** What to do so that a pod finds a node. */
export interface Nomination {
  readonly node: string;
  /** To be deleted with their grace, the most important first; none when room is being made there already. */
  readonly victims: readonly StoredPod[];
  /**
   * Pods that have no place yet and lose the room that was kept for them there: their `nominatedNodeName` is to be
   * cleared.
   */
  readonly displaced: readonly StoredPod[];
}

/** What {@link Plugin.postFilter} may ask about the shape's candidates. */
export interface PreemptionView {
  /** Numbers of the nodes that refuse only for what pods there occupy. */
  preemptable(): readonly number[];
  /** Whether the node is one of {@link preemptable}. */
  preemptableAt(node: number): boolean;
  /** Whether the pod passes all filters there, with the cluster as it is right now. */
  fits(node: number): boolean;
  /** True when no filter that refuses looks beyond the node: what leaves one node changes nothing for another. */
  readonly local: boolean;

  /**
   * Tries what would be without a pod: takes it off its node as far as the filters of the shape can see, unseen by
   * everything else. Between the first `lift` and the last `putBack` only {@link passes} may be asked, and nothing may
   * be changed.
   */
  lift(placed: Placed): void;
  putBack(placed: Placed): void;
  /**
   * Whether the pod would pass all filters there without the pods that are lifted; for a node of {@link preemptable}.
   */
  passes(node: number): boolean;
}

export const MAX_NODE_SCORE = 100;
