/**
 * Finds nodes for pending pods and says so as steps. Holds what the scheduler knows between passes, kept up to date by
 * {@link changed}; all of it is made from the store's objects, so a new one may take over at any time.
 *
 * A binding is one `update` that sets `spec.nodeName`, and nothing else: a status write in the same pass would need the
 * new resourceVersion. That the pod is scheduled follows from `nodeName`; the node's first report brings the
 * PodScheduled condition. Only a pod that no node will have gets its status written here, and only when the reason
 * changed.
 */
import {
  namespacedName,
  DEFAULT_SCHEDULER_NAME,
  findCondition,
  objectKey,
  withCondition,
  type PodStatus,
  type Stored,
  type StoredPod,
} from '../../../contracts/objects/index.ts';
import { ClusterState } from '../../core/scheduling/cluster-state.ts';
import { explainPlacement, type PlacementExplanation } from '../../core/scheduling/explain.ts';
import type { Gate } from '../../core/scheduling/framework.ts';
import type { Profile } from '../../core/scheduling/profile.ts';
import { asPreempted, preemption } from '../../core/scheduling/preemption.ts';
import { SchedulingQueue, type QueueCounts, type QueuePosition } from '../../core/scheduling/queue.ts';
import { Scheduler, type Outcome } from '../../core/scheduling/scheduler.ts';
import type { Step } from '../../core/step.ts';
import { evictionSteps } from '../../core/workloads/disruption.ts';
import { byAge } from '../../core/workloads/owners.ts';
import { finish, type Paced } from '../../core/paced.ts';
import { isTerminating } from '../../core/workloads/pod-state.ts';
import type { ChangeEvent } from '../../ports/object-store.ts';
import type { StoreView } from '../runtime/controller.ts';
import { filling, take, type Feed } from './cluster-feed.ts';
import { profilesOf } from './profiles.ts';

/** Component of the scheduler's events, and what ties between nodes depend on. */
export const SCHEDULER_NAME = DEFAULT_SCHEDULER_NAME;

export interface Preemption {
  readonly pod: StoredPod;
  readonly victims: readonly StoredPod[];
}

export interface Pass {
  readonly steps: readonly Step[];
  /**
   * Pods that were given a node by the steps: to be taken back with {@link PendingPods.notBound} where the store
   * refuses.
   */
  readonly placed: readonly StoredPod[];
  /** Whose place is taken by the steps: to be told by {@link PendingPods.notDeleted} where the store refuses. */
  readonly preemptions: readonly Preemption[];
  readonly tried: number;
}

export class PendingPods {
  readonly #view: StoreView;
  readonly #cluster = new ClusterState();
  #scheduler: Scheduler;
  #queue: SchedulingQueue;
  /** Plugins that profiles enable by name. */
  #named: ReadonlySet<string> = new Set();
  /** Victims, by uid, whose deletion is decided on and does not show yet. */
  readonly #going = new Set<string>();
  /** How far the clock was set since this began, in ms. */
  #setBy = 0;

  private constructor(view: StoreView) {
    this.#view = view;
    [this.#scheduler, this.#queue] = this.#configure();
    this.#cluster.subscribe((event) => {
      this.#queue.event(event);
    });
  }

  /** With all that the view holds. */
  static of(view: StoreView): PendingPods {
    return finish(PendingPods.filling(view));
  }

  /** As {@link of}, of the view as it is when the work begins; {@link changed} is for what changed since. */
  static *filling(view: StoreView): Paced<PendingPods> {
    const pending = new PendingPods(view);
    yield* filling(pending.#feed, view);
    return pending;
  }

  get counts(): QueueCounts {
    return this.#queue.counts;
  }
  get scheduler(): Scheduler {
    return this.#scheduler;
  }

  /** To be told of every change in the store. */
  changed(type: ChangeEvent['type'], object: Stored, previous: Stored | undefined): void {
    if (
      object.kind === 'SchedulerPlugin'
        ? !this.#named.has(object.metadata.name)
        : object.kind !== 'KubeSchedulerConfiguration'
    )
      return take(this.#feed, this.#view, type, this.#asDecided(type, object), previous);
    [this.#scheduler, this.#queue] = this.#configure();
    for (const pod of this.#view.pendingPods()) this.#queue.set(pod);
  }

  /**
   * A victim is told that it goes before it is deleted, and its node may tell of it in between: news that know of no
   * deletion do not make it one that stays.
   */
  #asDecided(type: ChangeEvent['type'], object: Stored): Stored {
    if (object.kind !== 'Pod' || !this.#going.has(object.metadata.uid)) return object;
    if (type !== 'delete' && !isTerminating(object)) return asPreempted(object, SCHEDULER_NAME);
    this.#going.delete(object.metadata.uid);
    return object;
  }

  /**
   * Milliseconds until a pod can be tried, 0 when one can now; undefined when only a change can help, or nothing waits.
   * `steady`: as for {@link pass}.
   */
  nextInMs(steady: Date): number | undefined {
    return this.#queue.nextInMs(steady.getTime());
  }

  /**
   * Tries at most `limit` pods (and the rest of their groups), in order. `steady`: now by a clock that nobody sets, by
   * which pods back off; what is written has the time of `now`.
   */
  pass(now: Date, limit: number, steady = now): Pass {
    this.#setBy = now.getTime() - steady.getTime();
    const steps: Step[] = this.#queue.takeGated().flatMap(({ pod, gate }) => this.#tell(pod, gate, now, undefined));
    const placed: StoredPod[] = [];
    const preemptions: Preemption[] = [];
    let tried = 0;
    const popped = new Map(this.#queue.pop(limit, steady.getTime()).map((pod) => [pod.metadata.uid, pod]));
    for (const [uid, pod] of popped) {
      popped.delete(uid);
      for (const outcome of this.#try(pod, popped, steady)) {
        tried++;
        steps.push(...this.#settle(outcome, now));
        if (outcome.is === 'placed') placed.push(outcome.pod);
        if (outcome.is === 'nominated') preemptions.push({ pod: outcome.pod, victims: outcome.nomination.victims });
      }
    }
    return { steps, placed, preemptions, tried };
  }

  /** Why the pod is where it is, or nowhere, as things are now; undefined for one that needs no place any more. */
  explain(pod: StoredPod): PlacementExplanation | undefined {
    return explainPlacement(this.#scheduler, pod, {
      queue: this.#position(pod.metadata.uid),
      waitingOfGroup: (group) =>
        this.#view
          .pendingPods()
          .filter((other) => this.#cluster.shape(other).group === group && !this.#cluster.placed(other.metadata.uid))
          .length,
    });
  }

  /** With its times as the clock shows them. */
  #position(uid: string): QueuePosition | undefined {
    const position = this.#queue.position(uid);
    return (
      position && {
        ...position,
        ...(position.triedAt !== undefined && { triedAt: position.triedAt + this.#setBy }),
        ...(position.nextBy !== undefined && { nextBy: position.nextBy + this.#setBy }),
      }
    );
  }

  /** The store refused the binding: the place is free again. */
  notBound(pod: StoredPod): void {
    this.#scheduler.forget(pod);
    this.#queue.retry(pod.metadata.uid);
  }

  /**
   * The store refused to delete a victim: those that stay count as such again, and the pod looks for room anew after
   * its back-off.
   */
  notDeleted({ pod, victims }: Preemption): void {
    for (const {
      metadata: { namespace, name, uid },
    } of victims) {
      this.#going.delete(uid);
      const victim = this.#view.get(objectKey('Pod', namespace, name));
      if (victim?.metadata.uid === uid) this.#cluster.setPod(victim);
    }
    if (this.#cluster.placed(pod.metadata.uid)?.nominated) this.#queue.retry(pod.metadata.uid);
  }

  /** Alone, or with all that wait of its group; those are taken from `popped`. */
  #try(pod: StoredPod, popped: Map<string, StoredPod>, steady: Date): readonly Outcome[] {
    const together = this.#scheduler.together(pod);
    if (together === undefined) return [this.#scheduler.place(pod)];
    if (!('group' in together)) return [{ is: 'refused', pod, refusal: together }];
    const isMember = (other: StoredPod): boolean => this.#cluster.shape(other).group === together.group;
    const members = [...popped.values()].filter(isMember);
    for (const { metadata } of members) popped.delete(metadata.uid);
    const all = [pod, ...members, ...this.#queue.popAlso(isMember, steady.getTime())];
    return this.#scheduler.placeTogether(all.sort(byAge), together);
  }

  #settle(outcome: Outcome, now: Date): readonly Step[] {
    const { pod } = outcome;
    switch (outcome.is) {
      case 'placed':
        return [...this.#bindSteps(pod, outcome.node), ...this.#withoutNomination(outcome.displaced ?? [])];
      case 'nominated': {
        const { node, victims, displaced } = outcome.nomination;
        this.#queue.refused(pod.metadata.uid, outcome.refusal.plugins, this.#cluster.number(node));
        return [
          ...this.#preemptSteps(victims, `Preempted by pod ${namespacedName(pod)} on node ${node}`, now),
          ...this.#withoutNomination(displaced),
          ...this.#tell(
            pod,
            {
              reason: 'Unschedulable',
              message: `${outcome.refusal.message} preemption: room is being made on node ${node}.`,
            },
            now,
            node,
          ),
        ];
      }
      case 'refused':
        this.#queue.refused(pod.metadata.uid, outcome.refusal.plugins);
        return this.#tell(pod, { reason: 'Unschedulable', message: outcome.refusal.message }, now, undefined);
    }
  }

  #preemptSteps(victims: readonly StoredPod[], message: string, now: Date): readonly Step[] {
    const disruption = preemption(SCHEDULER_NAME);
    return evictionSteps(
      victims.flatMap(({ metadata: { namespace, name, uid } }) => {
        const pod = this.#view.get(objectKey('Pod', namespace, name));
        if (pod?.metadata.uid !== uid || isTerminating(pod)) return [];
        this.#going.add(uid);
        return [{ pod, disruption, reason: 'Preempted', message }];
      }),
      now,
    );
  }

  #bindSteps(pod: StoredPod, node: string): readonly Step[] {
    const profile = this.#scheduler.profileOf(pod);
    const message = `Successfully assigned ${namespacedName(pod)} to ${node}`;
    const bind = profile?.bind.map((plugin) => plugin.bind?.(pod, node)).find((steps) => steps !== undefined) ?? [];
    return [
      ...(profile?.preBind ?? []).flatMap((plugin) => plugin.preBind?.(pod, node, this.#cluster) ?? []),
      ...bind,
      { do: 'event', regarding: pod, type: 'Normal', reason: 'Scheduled', message },
    ];
  }

  /** Writes why the pod waits, where that is news. */
  #tell(pod: StoredPod, { reason, message }: Gate, now: Date, nominatedNodeName: string | undefined): readonly Step[] {
    const told = findCondition(pod.status?.conditions, 'PodScheduled');
    const isKnown = told?.status === 'False' && told.reason === reason && told.message === message;
    if (isKnown && pod.status?.nominatedNodeName === nominatedNodeName) return [];
    const { nominatedNodeName: _before, ...rest } = pod.status ?? {};
    const conditions = withCondition(
      pod.status?.conditions,
      { type: 'PodScheduled', status: 'False', reason, message },
      now.toISOString(),
    );
    const status: PodStatus = {
      ...rest,
      phase: 'Pending',
      conditions,
      ...(nominatedNodeName !== undefined && { nominatedNodeName }),
    };
    return [
      { do: 'updateStatus', object: { ...pod, status } },
      ...(isKnown || reason !== 'Unschedulable'
        ? []
        : [{ do: 'event', regarding: pod, type: 'Warning', reason: 'FailedScheduling', message } as const]),
    ];
  }

  /** Pods that lost the room that was kept for them. */
  #withoutNomination(pods: readonly StoredPod[]): readonly Step[] {
    return pods.flatMap(({ metadata: { namespace, name, uid } }): Step[] => {
      const pod = this.#view.get(objectKey('Pod', namespace, name));
      if (pod?.metadata.uid !== uid || pod.status?.nominatedNodeName === undefined) return [];
      const { nominatedNodeName: _lost, ...status } = pod.status;
      return [{ do: 'updateStatus', object: { ...pod, status } }];
    });
  }

  get #feed(): Feed {
    return { cluster: this.#cluster, queue: this.#queue };
  }

  #configure(): [Scheduler, SchedulingQueue] {
    const { profiles, config, named } = profilesOf(this.#view);
    this.#named = named;
    const scheduler = new Scheduler(this.#cluster, { profiles, seed: SCHEDULER_NAME });
    const [first] = profiles.values();
    const queue = new SchedulingQueue({
      cluster: this.#cluster,
      profileOf: (pod): Profile | undefined => profiles.get(pod.spec.schedulerName),
      queueSort: first?.queueSort ?? (() => 0),
      ...(config && {
        initialBackoffMs: config.podInitialBackoffSeconds * 1000,
        maxBackoffMs: config.podMaxBackoffSeconds * 1000,
      }),
    });
    return [scheduler, queue];
  }
}
