/**
 * The cluster as it would be: pods are taken off their nodes and given to the ordinary scheduler again. Nothing of the
 * real state is touched.
 */
import {
  POD_GROUP_LABEL,
  type Namespace,
  type Node,
  type PriorityClass,
  type StoredPod,
  type StoredService,
} from '../../../../contracts/objects/index.ts';
import { groupBy } from '../../group-by.ts';
import type { Paced } from '../../paced.ts';
import { compareText } from '../../workloads/owners.ts';
import { isFinished, isReady, isTerminating } from '../../workloads/pod-state.ts';
import { ClusterState, type Placed } from '../cluster-state.ts';
import type { VolumePlacement } from '../volume-placement.ts';
import type { PodShape } from '../pod-shape.ts';
import type { Profile } from '../profile.ts';
import { Scheduler } from '../scheduler.ts';

/** What placement depends on, as the store has it. */
export interface ClusterSnapshot {
  readonly nodes: readonly Node[];
  /** All of them: those without a node are placed first, as the scheduler will do. */
  readonly pods: readonly StoredPod[];
  readonly services: readonly StoredService[];
  readonly namespaces: readonly Namespace[];
  readonly priorityClasses: readonly PriorityClass[];
  readonly volumes?: VolumePlacement | undefined;
  /** The scheduler's, by `schedulerName`. */
  readonly profiles: ReadonlyMap<string, Profile>;
  /** The scheduler's. */
  readonly seed: string;
}

/** A pod that runs on a node, wherever the simulation has put it by now. */
export interface Running {
  /** As the store has it. */
  readonly pod: StoredPod;
  readonly priority: number;
  /** Name of the node that it really runs on. */
  readonly home: string;
}

export class Simulation {
  readonly cluster = new ClusterState();
  readonly #scheduler: Scheduler;
  readonly #profiles: ReadonlyMap<string, Profile>;
  readonly #running = new Map<string, Running>();

  private constructor(profiles: ReadonlyMap<string, Profile>, seed: string) {
    // Every node is looked at and nobody's place is taken: what is planned must not depend on whose turn it is.
    this.#profiles = new Map(
      [...profiles].map(([name, profile]): [string, Profile] => [
        name,
        { ...profile, percentageOfNodesToScore: 100, postFilters: [], reserve: [] },
      ]),
    );
    this.#scheduler = new Scheduler(this.cluster, { profiles: this.#profiles, seed });
  }

  static *of(snapshot: ClusterSnapshot): Paced<Simulation> {
    const simulation = new Simulation(snapshot.profiles, snapshot.seed);
    yield* simulation.#fill(snapshot);
    return simulation;
  }

  *#fill({ nodes, pods, services, namespaces, priorityClasses, volumes }: ClusterSnapshot): Paced<void> {
    const { cluster } = this;
    cluster.volumes = volumes;
    cluster.priorityClasses = new Map(priorityClasses.map((known) => [known.metadata.name, known]));
    for (const namespace of namespaces) cluster.setNamespace(namespace);
    for (const [namespace, group] of groupBy(services, ({ metadata }) => metadata.namespace ?? ''))
      cluster.setServices(namespace, group);
    for (const node of [...nodes].sort((a, b) => compareText(a.metadata.name, b.metadata.name))) cluster.setNode(node);
    const known = pods.filter((pod) => !isFinished(pod)).sort(byName);
    for (const pod of known) {
      const home = pod.spec.nodeName;
      if (home === undefined) continue;
      yield;
      cluster.assume(pod, home);
      if (!isTerminating(pod) && cluster.number(home) !== undefined)
        this.#running.set(pod.metadata.uid, { pod, home, priority: cluster.priority(pod) });
    }
    const pending = known.filter((pod) => pod.spec.nodeName === undefined && !isTerminating(pod) && isAlone(pod));
    for (const pod of pending.sort(
      (a, b) =>
        cluster.priority(b) - cluster.priority(a) ||
        compareText(a.metadata.creationTimestamp, b.metadata.creationTimestamp) ||
        byName(a, b),
    )) {
      yield;
      if (this.profileOf(pod)) this.#scheduler.place(pod);
    }
  }

  /** The scheduler's profile for the pod; undefined for a pod that is placed by somebody else. */
  profileOf(pod: Pick<PodShape, 'sample'>['sample']): Profile | undefined {
    return this.#profiles.get(pod.spec.schedulerName);
  }

  running(): Iterable<Running> {
    return this.#running.values();
  }

  /** Running pods of the shape that are on the node now, those first whose eviction costs least. */
  runningOn(node: number, shape: PodShape): Running[] {
    const found: Running[] = [];
    for (const placed of this.cluster.podsOn(node)) {
      const running = placed.shape === shape ? this.#running.get(placed.pod.metadata.uid) : undefined;
      if (running) found.push(running);
    }
    return found.sort(byCost);
  }

  /** Where the simulation has it now. */
  placeOf(running: Running): Placed {
    const placed = this.cluster.placed(running.pod.metadata.uid);
    if (!placed) throw new Error(`pod ${nameOf(running.pod)} is in no place`);
    return placed;
  }

  /**
   * Takes the pod off its node and places it anew. Answers the node that it is on then, or why it was put back: the
   * scheduler would have it where it is, or nowhere.
   */
  replace(running: Running): { readonly to: number } | { readonly stays: string } {
    const placed = this.placeOf(running);
    const outcome = this.#scheduler.place(placed.pod);
    if (outcome.is === 'placed') {
      if (outcome.node !== placed.nodeName) return { to: this.placeOf(running).node };
      return { stays: `the scheduler would place it on ${outcome.node} again` };
    }
    this.cluster.assume(placed.pod, placed.nodeName);
    return { stays: outcome.refusal.message };
  }

  putBack(running: Running, node: number): void {
    this.cluster.assume(this.placeOf(running).pod, this.cluster.nodeName(node));
  }
}

/** Not held back, and no part of a gang, which has its place together or not at all. */
function isAlone({ spec, metadata }: StoredPod): boolean {
  return (spec.schedulingGates ?? []).length === 0 && metadata.labels?.[POD_GROUP_LABEL] === undefined;
}

export function nameOf({ metadata }: StoredPod): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}

function byName(a: StoredPod, b: StoredPod): number {
  return compareText(nameOf(a), nameOf(b));
}

/** Low priority first, then pods that do not serve anyway, then the youngest. */
export function byCost(a: Running, b: Running): number {
  return (
    a.priority - b.priority ||
    Number(isReady(a.pod)) - Number(isReady(b.pod)) ||
    compareText(b.pod.metadata.creationTimestamp, a.pod.metadata.creationTimestamp) ||
    byName(a.pod, b.pod)
  );
}
