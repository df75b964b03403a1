/**
 * The cluster without its scheduler, as a forecast plays it: controllers that make, replace and end pods, and nodes that
 * start what they get. None of it names a kind of workload.
 */
import type { Node, ObjectKey, StoredPod } from '../../../contracts/objects/index.ts';
import type { Paced } from '../paced.ts';

export interface PlannedPod {
  /** Key of the topmost owner of the pod, or its own. */
  readonly workload: ObjectKey;
  readonly pod: StoredPod;
}

export interface Changes {
  readonly come: readonly PlannedPod[];
  readonly go: readonly StoredPod[];
  /** On nodes already, and run now: with their start, by which preemption chooses. */
  readonly started: readonly StoredPod[];
  readonly nodes: NodeChanges;
}

export interface NodeChanges {
  readonly changed: readonly Node[];
  readonly removed: readonly string[];
}

/** A rolling update that is not at its end. */
export interface RollingUpdate {
  readonly workload: ObjectKey;
  /** Pods of earlier templates. */
  readonly oldLeft: number;
  /** Uids of the pods that have the new template. */
  readonly next: ReadonlySet<string>;
}

export interface PlayedCluster {
  /** Lets controllers work until all of them wait; pods that are told to end have ended then. */
  settle(): Paced<void>;
  /** Pods that come and go, and what becomes of nodes, since the last call. */
  takeChanges(): Changes;
  /** The pod has its node: it runs there and is ready. */
  placed(pod: StoredPod, nodeName: string): void;
  /** The pod is gone from its node. Whether somebody sees to another. */
  left(pod: StoredPod): boolean;
  /**
   * Pods that have a node become ready, also those that were not when the plan came. Whether there were any. An earlier
   * template whose pods do not become ready is what the plan may be about: they stay so.
   */
  start(): boolean;
  /**
   * Rolling updates whose new pods all have a node take larger steps from now on: twice as many old pods as before may
   * go first. That gives their new ones more room than they would have, never less.
   */
  hurry(): void;
  /** Lets time pass to whatever controllers wait for, until pods or nodes change. Whether any did. */
  later(): Paced<boolean>;
  /** By the keys of their workloads. */
  updates(): readonly RollingUpdate[];
  /** New machines: what room they have is not known before they joined. */
  readonly joining: readonly string[];
  /** Why the play is not the whole one, in sentences; empty where it is. */
  readonly limits: readonly string[];
}
