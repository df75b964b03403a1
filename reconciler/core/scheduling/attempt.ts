/** Pods that come, go and wait for places, on a copy of the cluster: the scheduler's part of a forecast. */
import { keyOf, type ObjectKey, type StoredPod } from '../../../contracts/objects/index.ts';
import type { Paced } from '../paced.ts';
import { byAge } from '../workloads/owners.ts';
import type { NodeVerdict } from './candidates.ts';
import { noProfile } from './explain.ts';
import type { QueuedPod } from './framework.ts';
import type { Changes, PlannedPod, PlayedCluster } from './played.ts';
import type { Outcome, Refusal, Scheduler } from './scheduler.ts';

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

/** A pod that wants a place, or got one here. */
interface Wanted extends PlannedPod {
  /** It waited before the plan: that it goes on waiting is not told one by one. */
  readonly waited: boolean;
  /** Present until it has its place. */
  queued: QueuedPod | undefined;
  /** Since it was tried last. */
  refusal?: Refusal;
  /** Room is being made for it. */
  expects: boolean;
  /** How often room was made for it. */
  nominations: number;
}

/**
 * After so many times no more room is made for a pod that still got no place, so that pods that keep each other from
 * theirs come to an end here: each makes a limited number of pods of lower priority come anew.
 */
const MAX_NOMINATIONS = 3;

export class Attempt {
  /** Pods that run now and would have to go. */
  readonly preempted: Preempted[] = [];
  readonly #scheduler: Scheduler;
  readonly #played: PlayedCluster;
  /** By uid. */
  readonly #wanted = new Map<string, Wanted>();
  readonly #victims: StoredPod[] = [];

  /** Over a copy of the cluster, which is changed; tells `played` which pods have a node, and which lost theirs. */
  constructor(scheduler: Scheduler, played: PlayedCluster) {
    this.#scheduler = scheduler;
    this.#played = played;
  }

  /** Pods that wait for a place already. */
  wait(pods: readonly PlannedPod[]): void {
    for (const { workload, pod } of pods) this.#want(workload, pod, true);
  }

  change({ come, go, started, nodes }: Changes): void {
    this.remove(go);
    const { cluster } = this.#scheduler;
    for (const pod of started) cluster.setPod(pod);
    for (const name of nodes.removed) cluster.removeNode(name);
    for (const node of nodes.changed) cluster.setNode(node);
    for (const { workload, pod } of come) this.#want(workload, pod, false);
  }

  remove(pods: readonly StoredPod[]): void {
    for (const {
      metadata: { uid },
    } of pods) {
      this.#scheduler.cluster.removePod(uid);
      this.#wanted.delete(uid);
    }
  }

  /**
   * Tries all that wait, once, as the queue sorts them. Victims end with the pass: until then nobody gets their room.
   * Whether it gave anybody a place or made room.
   */
  *pass(): Paced<boolean> {
    let moved = false;
    for (const wanted of this.#inTurn()) {
      if (!wanted.queued) continue;
      yield;
      for (const outcome of this.#try(wanted)) if (this.#take(outcome)) moved = true;
    }
    for (const victim of this.#victims.splice(0)) this.#end(victim);
    return moved;
  }

  /** What got a place, by workload. */
  placements(): WorkloadPlaces[] {
    const places = new Map<ObjectKey, Map<string, number>>();
    for (const [uid, { workload, queued }] of this.#wanted) {
      const node = queued ? undefined : this.#scheduler.cluster.placed(uid)?.nodeName;
      if (node === undefined) continue;
      const counts = places.get(workload) ?? new Map<string, number>();
      places.set(workload, counts.set(node, (counts.get(node) ?? 0) + 1));
    }
    return [...places]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([workload, counts]) => {
        const nodes = [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([node, pods]) => ({ node, pods }));
        return { workload, nodes, pods: nodes.reduce((sum, { pods }) => sum + pods, 0) };
      });
  }

  /**
   * Pods that found no place and for which no room is being made, of all or of `uids`: one entry for those of a
   * workload that are told the same.
   */
  unplaced(uids: Iterable<string> = this.#wanted.keys()): Unplaced[] {
    const entries = new Map<string, Unplaced>();
    const all = new Map<ObjectKey, number>();
    for (const uid of uids) {
      const wanted = this.#wanted.get(uid);
      if (!wanted || wanted.waited) continue;
      const { workload, queued, refusal, expects } = wanted;
      all.set(workload, (all.get(workload) ?? 0) + 1);
      if (!queued || !refusal || expects) continue;
      const key = `${workload} ${refusal.message}`;
      const known = entries.get(key);
      entries.set(key, {
        workload,
        pods: (known?.pods ?? 0) + 1,
        of: 0,
        message: refusal.message,
        verdicts: known?.verdicts ?? this.#verdicts(queued.pod, refusal),
      });
    }
    return [...entries]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, entry]) => ({ ...entry, of: all.get(entry.workload) ?? 0 }));
  }

  /** How many of those that waited already would still. */
  get stillWaiting(): number {
    return [...this.#wanted.values()].filter(({ waited, queued }) => waited && queued).length;
  }

  #want(workload: ObjectKey, pod: StoredPod, waited: boolean): void {
    const { cluster } = this.#scheduler;
    // A pod whose manifest names its node is nobody's to place.
    const queued =
      pod.spec.nodeName === undefined
        ? { pod, shape: cluster.shape(pod), since: Date.parse(pod.metadata.creationTimestamp) }
        : undefined;
    if (!queued) cluster.setPod(pod);
    this.#wanted.set(pod.metadata.uid, { workload, pod, waited, queued, expects: false, nominations: 0 });
  }

  #inTurn(): Wanted[] {
    const waiting = [...this.#wanted.values()].flatMap((wanted) =>
      wanted.queued ? [{ wanted, queued: wanted.queued }] : [],
    );
    const sort = waiting
      .map(({ queued }) => this.#scheduler.profileOf(queued.pod)?.queueSort)
      .find((found) => found !== undefined);
    return waiting
      .sort((a, b) => sort?.(a.queued, b.queued) ?? byAge(a.queued.pod, b.queued.pod))
      .map(({ wanted }) => wanted);
  }

  /** Alone, or with all that wait of its group. */
  #try({ pod, nominations }: Wanted): readonly Outcome[] {
    const scheduler = this.#scheduler;
    const refused = (refusal: Refusal): Outcome[] => [{ is: 'refused', pod, refusal }];
    const told = (message: string): Outcome[] => refused({ message, plugins: new Set() });
    const profile = scheduler.profileOf(pod);
    if (!profile) return told(noProfile(pod));
    const gate = profile.preEnqueue.map((plugin) => plugin.preEnqueue?.(pod)).find((found) => found !== undefined);
    if (gate) return told(gate.message);
    const together = scheduler.together(pod);
    if (!together) return [scheduler.place(pod, { preempt: nominations < MAX_NOMINATIONS })];
    if (!('group' in together)) return refused(together);
    const members = [...this.#wanted.values()].flatMap(({ queued }) =>
      queued?.shape.group === together.group ? [queued.pod] : [],
    );
    return scheduler.placeTogether(members.sort(byAge), together);
  }

  /** Whether anything changed that could help others. */
  #take(outcome: Outcome): boolean {
    const { pod, is } = outcome;
    const wanted = this.#wanted.get(pod.metadata.uid);
    if (!wanted) return false;
    wanted.expects = is === 'nominated';
    if (is === 'placed') {
      wanted.queued = undefined;
      this.#played.placed(pod, outcome.node);
      return true;
    }
    wanted.refusal = outcome.refusal;
    if (is === 'refused') return false;
    const { node, victims } = outcome.nomination;
    wanted.nominations++;
    for (const victim of victims) {
      this.#victims.push(victim);
      if (!this.#wanted.has(victim.metadata.uid))
        this.preempted.push({ victim: keyOf(victim), node, by: wanted.workload });
    }
    return true;
  }

  #end(victim: StoredPod): void {
    const { uid } = victim.metadata;
    this.#scheduler.cluster.removePod(uid);
    const wanted = this.#wanted.get(uid);
    if (this.#played.left(victim)) this.#wanted.delete(uid);
    // Nobody makes another: it waits again.
    else if (wanted) this.#want(wanted.workload, wanted.pod, wanted.waited);
  }

  #verdicts(pod: StoredPod, { plugins }: Refusal): readonly NodeVerdict[] {
    // Who was refused by no plugin was kept from the nodes altogether.
    return plugins.size === 0
      ? []
      : this.#scheduler.cluster.without(pod.metadata.uid, () => this.#scheduler.refusal(pod).verdicts);
  }
}
