/**
 * Where the pods of a plan would go: a forecast, made by the scheduler itself on a copy of the cluster. It shows the end of all rollouts,
 * when old pods are gone, and for rolling updates also their start, when new pods need room beside the old ones. Deterministic: the same
 * state and plan give the same forecast.
 */
import type { Node, ObjectKey, StoredPod } from '../../../contracts/objects/index.ts';
import { leavesInMs } from '../health/eviction.ts';
import { kubeTime } from '../storage/object-form.ts';
import { byAge, controllerOf } from '../workloads/owners.ts';
import type { NodeVerdict } from './candidates.ts';
import type { ClusterState } from './cluster-state.ts';
import { noProfile } from './explain.ts';
import type { PlannedPod, PodChanges, RollingStart } from './planned-pods.ts';
import type { Outcome, Refusal, Scheduler } from './scheduler.ts';

export interface ForecastInput {
  /**
   * Over a new copy of the live state: its nodes and pods, and what the plan makes of everything else that placement looks at. Called for
   * each situation that is tried, which changes the copy.
   */
  readonly scheduler: () => Scheduler;
  readonly pods: PodChanges;
  /** Pods without a node that the plan does not touch. They want places too. */
  readonly waiting: readonly StoredPod[];
  /** Pods that are being deleted already: gone by the end. */
  readonly leaving: readonly StoredPod[];
  readonly nodes: NodeChanges;
  /** Key of the workload that a live pod belongs to. */
  readonly workloadOf: (pod: StoredPod) => ObjectKey;
  readonly now: Date;
}

/** What the plan makes of nodes. */
export interface NodeChanges {
  readonly changed: readonly Node[];
  readonly removed: readonly string[];
  /** New machines: what room they have is not known before they joined. */
  readonly joining: readonly string[];
}

export interface Forecast {
  readonly placements: readonly WorkloadPlaces[];
  readonly preempted: readonly Preempted[];
  readonly unplaced: readonly Unplaced[];
  /** Rolling updates whose first new pods have no room beside the old ones. */
  readonly crowdedStarts: readonly CrowdedStart[];
  /** Of every node, by name. */
  readonly capacity: readonly NodeShare[];
  /** Pods that wait for a node now, and would still. */
  readonly stillWaiting: number;
  readonly joining: readonly string[];
}

export interface WorkloadPlaces {
  readonly workload: ObjectKey;
  readonly pods: number;
  /** By name. */
  readonly nodes: readonly { readonly node: string; readonly pods: number }[];
}

export interface Preempted {
  /** Key of the pod that has to go. */
  readonly victim: ObjectKey;
  readonly node: string;
  /** Key of the workload whose pod takes its place. */
  readonly by: ObjectKey;
}

export interface Unplaced {
  readonly workload: ObjectKey;
  /** How many pods of it fit nowhere, of how many that were to be placed. */
  readonly pods: number;
  readonly of: number;
  readonly message: string;
  /** Why each node would not have it, by name. */
  readonly verdicts: readonly NodeVerdict[];
}

export interface CrowdedStart extends Unplaced {
  /** No old pod may go before a new one is there: the rollout stands still until there is room. */
  readonly standsStill: boolean;
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

/** Undefined where the plan changes nothing about where pods are. */
export function simulate(input: ForecastInput): Forecast | undefined {
  const { scheduler: copy, pods: { come, go, starts }, waiting, nodes } = input;
  const scheduler = copy();
  const before = usage(scheduler.cluster);
  const end = new Attempt(input, scheduler);
  end.remove([...input.leaving, ...go]);
  end.add(come);
  end.add(waiting.filter(({ metadata }) => !go.some((gone) => gone.metadata.uid === metadata.uid)).map((pod) => ({ workload: input.workloadOf(pod), pod, waited: true })));
  end.changeNodes(true);
  end.settle();

  const placements = end.placements();
  const unplaced = end.unplaced();
  if (placements.length === 0 && unplaced.length === 0 && end.preempted.length === 0) return undefined;
  return {
    placements, unplaced, preempted: [...end.preempted].sort((a, b) => (a.victim < b.victim ? -1 : 1)),
    crowdedStarts: starts.length === 0 ? [] : crowdedStarts(input, starts),
    capacity: shares(before, usage(scheduler.cluster)), stillWaiting: end.stillWaiting, joining: nodes.joining,
  };
}

function crowdedStarts(input: ForecastInput, starts: readonly RollingStart[]): CrowdedStart[] {
  const { scheduler, pods: { come, go }, waiting } = input;
  const rolling = new Set(starts.map(({ workload }) => workload));
  const stay = new Set(starts.flatMap((start) => start.stay.map(({ metadata }) => metadata.uid)));
  const start = new Attempt(input, scheduler());
  const going = go.filter(({ metadata }) => !stay.has(metadata.uid));
  start.remove([...input.leaving, ...going]);
  start.add(come.filter(({ workload }) => !rolling.has(workload)));
  start.add(waiting.filter((pod) => !going.includes(pod)).map((pod) => ({ workload: input.workloadOf(pod), pod, waited: true })));
  start.add(starts.flatMap(({ workload, old }) => old.map((pod) => ({ workload, pod, waited: true }))));
  start.add(starts.flatMap(({ workload, surge }) => surge.map((pod) => ({ workload, pod }))));
  start.changeNodes(false);
  start.settle();
  const unavailable = new Map(starts.map((rollout) => [rollout.workload, rollout.unavailable]));
  return start.unplaced().filter(({ workload }) => rolling.has(workload))
    .map((refused) => ({ ...refused, standsStill: refused.pods === refused.of && unavailable.get(refused.workload) === 0 }));
}

interface Wanted extends PlannedPod {
  /** It waited before the plan: that it goes on waiting is not told one by one. */
  readonly waited?: boolean;
}

/** One situation, played until nothing moves any more. */
class Attempt {
  readonly preempted: Preempted[] = [];
  readonly #input: ForecastInput;
  readonly #scheduler: Scheduler;
  /** Pods that are to be placed, by uid. */
  readonly #wanted = new Map<string, Wanted>();
  readonly #waiting = new Map<string, StoredPod>();
  readonly #refusals = new Map<string, Refusal>();

  constructor(input: ForecastInput, scheduler: Scheduler) {
    this.#input = input;
    this.#scheduler = scheduler;
  }

  add(wanted: readonly Wanted[]): void {
    for (const one of wanted) {
      const { pod } = one;
      this.#wanted.set(pod.metadata.uid, one);
      // A pod whose manifest names its node is nobody's to place.
      if (pod.spec.nodeName !== undefined) this.#scheduler.cluster.setPod(pod);
      else this.#waiting.set(pod.metadata.uid, pod);
    }
  }

  remove(pods: readonly StoredPod[]): void {
    for (const { metadata } of pods) this.#scheduler.cluster.removePod(metadata.uid);
  }

  /** `evict`: pods that may not stay where they are leave, and come anew. */
  changeNodes(evict: boolean): void {
    const { cluster } = this.#scheduler;
    const { changed, removed } = this.#input.nodes;
    for (const name of removed) {
      if (evict) this.#evict(name, () => true);
      cluster.removeNode(name);
    }
    for (const node of changed) {
      cluster.setNode(node);
      if (evict) this.#evict(node.metadata.name, (pod) => leavesInMs(pod, node.spec.taints ?? [], this.#input.now) !== undefined);
    }
  }

  /** Tries all that wait, again and again, until a round gives nobody a place and makes no room. */
  settle(): void {
    for (let moved = true; moved;) {
      moved = false;
      for (const pod of this.#inTurn()) {
        if (!this.#waiting.has(pod.metadata.uid)) continue;
        for (const outcome of this.#try(pod)) if (this.#take(outcome)) moved = true;
      }
    }
  }

  placements(): WorkloadPlaces[] {
    const places = new Map<ObjectKey, Map<string, number>>();
    for (const [uid, { workload }] of this.#wanted) {
      if (this.#waiting.has(uid)) continue;
      const node = this.#scheduler.cluster.placed(uid)?.nodeName ?? '';
      const counts = places.get(workload) ?? new Map<string, number>();
      places.set(workload, counts.set(node, (counts.get(node) ?? 0) + 1));
    }
    return [...places].sort(([a], [b]) => (a < b ? -1 : 1)).map(([workload, counts]) => {
      const nodes = [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([node, pods]) => ({ node, pods }));
      return { workload, nodes, pods: nodes.reduce((sum, { pods }) => sum + pods, 0) };
    });
  }

  /** One entry for the pods of a workload that are told the same. */
  unplaced(): Unplaced[] {
    const refused = new Map<string, Unplaced>();
    const all = new Map<ObjectKey, number>();
    for (const [uid, { workload, waited }] of this.#wanted) {
      if (waited) continue;
      all.set(workload, (all.get(workload) ?? 0) + 1);
      const refusal = this.#refusals.get(uid);
      const waiting = this.#waiting.get(uid);
      if (!refusal || !waiting) continue;
      const { message, plugins } = refusal;
      const key = `${workload} ${message}`;
      const known = refused.get(key);
      // Who was refused by no plugin was kept from the nodes altogether.
      const verdicts = known?.verdicts ?? (plugins.size === 0 ? [] : this.#scheduler.refusal(waiting).verdicts);
      refused.set(key, { workload, pods: (known?.pods ?? 0) + 1, of: 0, message, verdicts });
    }
    return [...refused].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => ({ ...entry, of: all.get(entry.workload) ?? 0 }));
  }

  get stillWaiting(): number {
    return [...this.#waiting.keys()].filter((uid) => this.#wanted.get(uid)?.waited === true).length;
  }

  /** As the queue sorts them. */
  #inTurn(): StoredPod[] {
    const { cluster } = this.#scheduler;
    const queued = [...this.#waiting.values()].map((pod) => ({ pod, shape: cluster.shape(pod), since: Date.parse(pod.metadata.creationTimestamp) }));
    const sort = queued.map(({ pod }) => this.#scheduler.profileOf(pod)?.queueSort).find((found) => found !== undefined);
    return queued.sort(sort ?? ((a, b) => byAge(a.pod, b.pod))).map(({ pod }) => pod);
  }

  /** Alone, or with all that wait of its group. */
  #try(pod: StoredPod): readonly Outcome[] {
    const scheduler = this.#scheduler;
    const refused = (refusal: Refusal): Outcome[] => [{ is: 'refused', pod, refusal }];
    const told = (message: string): Outcome[] => refused({ message, plugins: new Set() });
    const profile = scheduler.profileOf(pod);
    if (!profile) return told(noProfile(pod));
    const gate = profile.preEnqueue.map((plugin) => plugin.preEnqueue?.(pod)).find((found) => found !== undefined);
    if (gate) return told(gate.message);
    const together = scheduler.together(pod);
    if (!together) return [scheduler.place(pod)];
    if (!('group' in together)) return refused(together);
    const members = [...this.#waiting.values()].filter((other) => scheduler.cluster.shape(other).group === together.group);
    return scheduler.placeTogether(members.sort(byAge), together);
  }

  /** Whether anything changed that could help others. */
  #take(outcome: Outcome): boolean {
    const { pod } = outcome;
    const { uid } = pod.metadata;
    if (outcome.is === 'placed') {
      this.#waiting.delete(uid);
      return true;
    }
    this.#refusals.set(uid, outcome.refusal);
    if (outcome.is === 'refused') return false;
    const { node, victims } = outcome.nomination;
    for (const victim of victims) this.#preempt(victim, node, this.#wanted.get(uid)?.workload ?? this.#input.workloadOf(pod));
    return victims.length > 0;
  }

  #preempt(victim: StoredPod, node: string, by: ObjectKey): void {
    const { uid } = victim.metadata;
    const wanted = this.#wanted.get(uid);
    this.#scheduler.cluster.removePod(uid);
    if (wanted) {
      // It had its place in this forecast only.
      this.#waiting.set(uid, wanted.pod);
      return;
    }
    this.preempted.push({ victim: this.#keyOf(victim), node, by });
    this.#comeAnew(victim);
  }

  #evict(nodeName: string, leaves: (pod: StoredPod) => boolean): void {
    const { cluster } = this.#scheduler;
    const node = cluster.number(nodeName);
    if (node === undefined) return;
    for (const { pod } of [...cluster.podsOn(node)].filter((placed) => leaves(placed.pod))) {
      cluster.removePod(pod.metadata.uid);
      this.#comeAnew(pod);
    }
  }

  /** What owns the pod makes another; a pod that nothing owns is gone. */
  #comeAnew(pod: StoredPod): void {
    if (!controllerOf(pod.metadata)) return;
    const { nodeName: _bound, ...spec } = pod.spec;
    const metadata = { ...pod.metadata, uid: `plan:${pod.metadata.uid}`, creationTimestamp: kubeTime(this.#input.now) };
    this.add([{ workload: this.#input.workloadOf(pod), pod: { ...pod, metadata, spec, status: { phase: 'Pending' } } }]);
  }

  #keyOf({ metadata }: StoredPod): ObjectKey {
    return `Pod/${metadata.namespace ?? ''}/${metadata.name}`;
  }
}

type Usage = ReadonlyMap<string, { readonly cpu: readonly [allocatable: number, used: number]; readonly memory: readonly [allocatable: number, used: number] }>;

function usage(cluster: ClusterState): Usage {
  const of = (resource: string, node: number): [number, number] => {
    const { allocatable, used } = cluster.resource(resource);
    return [allocatable[node] ?? 0, used[node] ?? 0];
  };
  return new Map([...cluster.nodeNames()].sort().map((name) => {
    const node = cluster.number(name) ?? -1;
    return [name, { cpu: of('cpu', node), memory: of('memory', node) }];
  }));
}

function shares(before: Usage, after: Usage): NodeShare[] {
  return [...before].map(([node, was]) => {
    const is = after.get(node);
    const share = (resource: 'cpu' | 'memory'): Share => ({ allocatable: is?.[resource][0] ?? 0, before: was[resource][1], after: is?.[resource][1] ?? 0 });
    return { node, cpu: share('cpu'), memory: share('memory') };
  });
}
