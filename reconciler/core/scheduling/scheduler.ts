/**
 * Places pods one after another on a {@link ClusterState}. Every place it gives is counted there at once, so the next
 * pod sees it; a caller whose binding fails takes it back with {@link Scheduler.forget}. No clock, no randomness: the
 * same state, pods and seed give the same places, whatever the order in which nodes and pods became known.
 */
import { DEFAULT_SCHEDULER_NAME, type StoredPod } from '../../../contracts/objects/index.ts';
import { hash32 } from '../workloads/stable-hash.ts';
import { Candidates, type NodeScore, type NodeVerdict, type Sampling } from './candidates.ts';
import type { ClusterState } from './cluster-state.ts';
import type { Nomination, Together } from './framework.ts';
import { NodeTables } from './node-table.ts';
import type { PodShape } from './pod-shape.ts';
import type { Profile } from './profile.ts';
import { messageOf } from './reason-tally.ts';

/** Why a pod has no node. */
export interface Refusal {
  /** `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint {gpu: true}.` */
  readonly message: string;
  /** Plugins that refused a node. */
  readonly plugins: ReadonlySet<string>;
}

export interface Verdicts extends Refusal {
  /** One per node that does not pass, by name. */
  readonly verdicts: readonly NodeVerdict[];
}

export type Outcome =
  /** `displaced`: pods that lost the room that was kept for them there, as in {@link Nomination}. */
  | { readonly is: 'placed'; readonly pod: StoredPod; readonly node: string; readonly displaced?: readonly StoredPod[] }
  /** From now on the victims are counted as terminating, and the displaced pods as not there. */
  | { readonly is: 'nominated'; readonly pod: StoredPod; readonly nomination: Nomination; readonly refusal: Refusal }
  | { readonly is: 'refused'; readonly pod: StoredPod; readonly refusal: Refusal };

export interface SchedulerOptions {
  /** By `schedulerName`. */
  readonly profiles: ReadonlyMap<string, Profile>;
  /** Decides between nodes that are equally good. */
  readonly seed: string;
}

/** Shapes whose candidates are kept. */
const KEPT = 512;
/** Fewer nodes than this are all looked at. Source: kube-scheduler's minFeasibleNodesToFind. */
const LEAST_SAMPLE = 100;

export class Scheduler {
  readonly cluster: ClusterState;
  readonly #options: SchedulerOptions;
  readonly #seed: number;
  readonly #candidates = new Map<
    Profile,
    { readonly byShape: Map<PodShape, Candidates>; readonly tables: NodeTables }
  >();
  #start = 0;

  constructor(cluster: ClusterState, options: SchedulerOptions) {
    this.cluster = cluster;
    this.#options = options;
    this.#seed = hash32(options.seed);
  }

  /** The profile that the pod asks for; undefined when there is none of the name, and the pod is somebody else's. */
  profileOf(pod: PodShape['sample']): Profile | undefined {
    return this.#options.profiles.get(pod.spec.schedulerName);
  }

  /**
   * The group that the pod waits for, or why it cannot be placed whatever the nodes say; undefined for a pod that
   * stands alone.
   */
  together(pod: StoredPod): Together | Refusal | undefined {
    for (const plugin of this.#profile(pod).permit) {
      const answer = plugin.permit?.(pod, this.cluster);
      if (answer === undefined) continue;
      return 'group' in answer ? answer : { message: answer.message, plugins: new Set([plugin.name]) };
    }
    return undefined;
  }

  /**
   * Places the pods of a group: `needed` of them, those that have a place already included, or none. Pods of a group
   * take nobody's place. Outcomes are in the order of the pods.
   */
  placeTogether(pods: readonly StoredPod[], { group, needed }: Together): readonly Outcome[] {
    const outcomes = pods.map((pod) => this.place(pod, { preempt: false }));
    const have = this.cluster.placedOfGroup(group);
    if (have >= needed) return outcomes;
    for (const { pod } of outcomes) this.forget(pod);
    const refused = outcomes.find((outcome) => outcome.is === 'refused');
    const why =
      refused?.is === 'refused'
        ? `: ${refused.pod.metadata.name}: ${refused.refusal.message}`
        : `: it has ${have} pods`;
    const plugins = new Set(['Coscheduling', ...(refused?.is === 'refused' ? refused.refusal.plugins : [])]);
    const refusal: Refusal = {
      message: `pod group ${group} needs ${needed} pods placed together, ${have} can be${why}`,
      plugins,
    };
    return pods.map((pod) => ({ is: 'refused', pod, refusal }));
  }

  /** Places one pod, or says why not and whose place it could take. */
  place(pod: StoredPod, { preempt = true }: { readonly preempt?: boolean } = {}): Outcome {
    const { cluster } = this;
    const profile = this.#profile(pod);
    const shape = cluster.shape(pod);
    const kept = cluster.placed(pod.metadata.uid);
    if (kept) {
      // The room that is kept for it is its own: where it suffices now, nothing else has to be looked at.
      if (kept.nominated && kept.shape === shape && this.candidates(shape, profile).fitsInRoomOf(kept)) {
        this.#assume(pod, kept.nodeName, profile);
        return { is: 'placed', pod, node: kept.nodeName };
      }
      this.forget(pod);
    }
    const candidates = this.candidates(shape, profile);
    const number = candidates.pick(this.#seed, this.#sampling(profile));
    if (number >= 0) {
      if (profile.percentageOfNodesToScore !== 100) this.#start += candidates.examined;
      const node = cluster.nodeName(number);
      this.#assume(pod, node, profile);
      return { is: 'placed', pod, node };
    }
    const refusal = this.#refusal(candidates);
    for (const plugin of preempt ? profile.postFilters : []) {
      const nomination = plugin.postFilter?.(pod, shape, cluster, candidates);
      if (!nomination) continue;
      const { node, victims, displaced } = nomination;
      for (const { metadata } of displaced) cluster.removePod(metadata.uid);
      if (displaced.length > 0 && victims.length === 0 && candidates.fits(cluster.number(node) ?? -1)) {
        this.#assume(pod, node, profile);
        return { is: 'placed', pod, node, displaced };
      }
      for (const { metadata } of victims) cluster.terminate(metadata.uid);
      cluster.nominate(pod, node);
      return { is: 'nominated', pod, nomination, refusal };
    }
    return { is: 'refused', pod, refusal };
  }

  /** Takes back a place that {@link place} gave. Safe for a pod that has none. */
  forget(pod: StoredPod): void {
    const placed = this.cluster.placed(pod.metadata.uid);
    if (!placed) return;
    if (!placed.nominated)
      for (const plugin of [...this.#profile(pod).reserve].reverse())
        plugin.unreserve?.(pod, placed.nodeName, this.cluster);
    this.cluster.removePod(pod.metadata.uid);
  }

  /**
   * Takes a place that was worked out elsewhere, on an older or smaller view of the cluster, if it still holds: false
   * when it is lost, or the pod has a place. Of many who propose places one commits them, so no node is ever given more
   * than it has.
   */
  commit(pod: StoredPod, nodeName: string): boolean {
    const { cluster } = this;
    const node = cluster.number(nodeName);
    const profile = this.#profile(pod);
    const before = cluster.placed(pod.metadata.uid);
    if (node === undefined || (before && !before.nominated)) return false;
    if (before) cluster.removePod(pod.metadata.uid);
    if (!this.candidates(cluster.shape(pod), profile).fits(node)) {
      if (before) cluster.nominate(pod, before.nodeName);
      return false;
    }
    this.#assume(pod, nodeName, profile);
    return true;
  }

  /** The best nodes for the pod as things are, with the score of each plugin. */
  ranking(pod: StoredPod, limit: number): readonly NodeScore[] {
    return this.candidates(this.cluster.shape(pod), this.#profile(pod)).ranking(this.#seed, limit);
  }

  /** What each node says to the pod; a node that says nothing would have it. */
  refusal(pod: StoredPod): Verdicts {
    const candidates = this.candidates(this.cluster.shape(pod), this.#profile(pod));
    return { ...this.#refusal(candidates), verdicts: candidates.verdicts() };
  }

  candidates(shape: PodShape, profile: Profile): Candidates {
    let ofProfile = this.#candidates.get(profile);
    if (!ofProfile)
      this.#candidates.set(
        profile,
        (ofProfile = { byShape: new Map<PodShape, Candidates>(), tables: new NodeTables() }),
      );
    const { byShape, tables } = ofProfile;
    let candidates = byShape.get(shape);
    if (candidates) byShape.delete(shape);
    else candidates = new Candidates(shape, profile, this.cluster, tables);
    byShape.set(shape, candidates);
    if (byShape.size > KEPT)
      for (const oldest of byShape.keys()) {
        byShape.delete(oldest);
        break;
      }
    return candidates;
  }

  #assume(pod: StoredPod, node: string, profile: Profile): void {
    this.cluster.assume(pod, node);
    for (const plugin of profile.reserve) plugin.reserve?.(pod, node, this.cluster);
  }

  #profile(pod: StoredPod): Profile {
    const profile =
      this.profileOf(pod) ??
      this.#options.profiles.get(DEFAULT_SCHEDULER_NAME) ??
      this.#options.profiles.values().next().value;
    if (!profile) throw new Error('a scheduler has at least one profile');
    return profile;
  }

  #refusal(candidates: Candidates): Refusal {
    const tally = candidates.tally();
    return { message: messageOf(tally, this.cluster.nodeCount), plugins: tally.plugins };
  }

  #sampling({ percentageOfNodesToScore }: Profile): Sampling | undefined {
    const { nodeCount } = this.cluster;
    if (percentageOfNodesToScore === 100 || nodeCount <= LEAST_SAMPLE) return undefined;
    // Source: kube-scheduler's adaptive percentage.
    const percentage = percentageOfNodesToScore || Math.max(5, 50 - Math.floor(nodeCount / 125));
    return {
      order: this.cluster.zoneFairOrder(),
      start: this.#start % nodeCount,
      enough: Math.max(LEAST_SAMPLE, Math.floor((nodeCount * percentage) / 100)),
    };
  }
}
