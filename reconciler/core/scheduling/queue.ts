/**
 * Pods that wait for a node: *active* ones are tried in order; one that fitted nowhere is *unschedulable* until an
 * event that could help it comes, and then *backs off* for longer each time. Nothing here is the truth: the queue is
 * made anew from the pending pods when the control plane starts. Source: Kubernetes documentation, "Scheduling
 * Framework: Queue"; KEP-4247 (queueing hints).
 */
import { findCondition, type StoredPod } from '../../../contracts/objects/index.ts';
import type { ClusterState } from './cluster-state.ts';
import type { ClusterEvent } from './cluster-event.ts';
import type { Gate, Plugin, QueuedPod } from './framework.ts';
import { Heap } from './heap.ts';
import type { PodShape } from './pod-shape.ts';
import type { Profile } from './profile.ts';

export interface QueueOptions {
  readonly cluster: ClusterState;
  /** Of the pod; undefined where the pod is another scheduler's. */
  readonly profileOf: (pod: StoredPod) => Profile | undefined;
  /** Of every profile. */
  readonly queueSort: (a: QueuedPod, b: QueuedPod) => number;
  readonly initialBackoffMs?: number;
  readonly maxBackoffMs?: number;
}

/**
 * Tried again after this long even if no event came that could help. Source: kube-scheduler's
 * podMaxInUnschedulablePodsDuration.
 */
const UNSCHEDULABLE_MS = 300_000;
const INITIAL_BACKOFF_MS = 1000;
const MAX_BACKOFF_MS = 10_000;

interface Entry extends QueuedPod {
  readonly pod: StoredPod;
  readonly shape: PodShape;
  readonly since: number;
  attempts: number;
  triedAt: number;
  state: 'active' | 'backoff' | 'unschedulable' | 'gated' | 'popped' | 'gone';
  /** End of its back-off. */
  until: number;
  gate?: Gate | undefined;
  /** Plugins that found no node for it when it was tried last. */
  refusedBy?: ReadonlySet<string>;
  /** Number of the node where room is made for it. */
  roomOn?: number | undefined;
}

interface BackingOff {
  readonly entry: Entry;
  readonly until: number;
}

function isStale({ entry, until }: BackingOff): boolean {
  return entry.state !== 'backoff' || entry.until !== until;
}

function isTold(pod: StoredPod, { reason, message }: Gate): boolean {
  const told = findCondition(pod.status?.conditions, 'PodScheduled');
  return told?.status === 'False' && told.reason === reason && told.message === message;
}

/** Unschedulable pods of one shape that the same plugins refused. */
interface Group {
  readonly shape: PodShape;
  readonly profile: Profile;
  readonly plugins: ReadonlySet<string>;
  readonly entries: Set<Entry>;
}

export interface QueueCounts {
  readonly active: number;
  readonly backoff: number;
  readonly unschedulable: number;
  readonly gated: number;
}

/** Where one pod waits. Times are in ms since the epoch: `since` by the wall, the others by the queue's own clock. */
export interface QueuePosition {
  /** `trying`: it was taken out to be tried, and has not been answered yet. */
  readonly part: 'active' | 'backoff' | 'unschedulable' | 'gated' | 'trying';
  /** When it first came. */
  readonly since: number;
  readonly attempts: number;
  /** Absent before the first attempt. */
  readonly triedAt?: number;
  /** When it is tried again at the latest; absent where that is now, or a gate holds it. */
  readonly nextBy?: number;
  /** Plugins that refused it, by name: what could change their answer wakes it. Empty where any change may. */
  readonly waitsFor: readonly string[];
  /** Name of the node where room is made for it: a pod that leaves it wakes it, and no plugin. */
  readonly roomOn?: string;
}

export class SchedulingQueue {
  readonly #options: QueueOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #active: Heap<Entry>;
  readonly #backoff: Heap<BackingOff>;
  readonly #groups = new Map<string, Group>();
  /** Pods for which room is made, by the number of the node. */
  readonly #expecting = new Map<number, Set<Entry>>();
  readonly #untold = new Set<Entry>();
  readonly #counts = { active: 0, backoff: 0, unschedulable: 0, gated: 0 };

  constructor(options: QueueOptions) {
    this.#options = options;
    this.#active = new Heap<Entry>(options.queueSort);
    this.#backoff = new Heap((a, b) => a.until - b.until);
  }

  get counts(): QueueCounts {
    return { ...this.#counts };
  }

  /** A pod without a node, new or changed. One that changed in a way that placement looks at is tried anew. */
  set(pod: StoredPod): void {
    const { uid } = pod.metadata;
    const profile = this.#options.profileOf(pod);
    if (!profile) return this.delete(uid);
    const shape = this.#options.cluster.shape(pod);
    const gate = profile.preEnqueue.map((plugin) => plugin.preEnqueue?.(pod)).find((found) => found !== undefined);
    const before = this.#entries.get(uid);
    if (before && before.shape === shape && before.gate?.message === gate?.message) {
      // Its status changed, no more: the place in the queue stays, the pod is the newest.
      Object.assign(before, { pod });
      return;
    }
    this.delete(uid);
    const entry: Entry = {
      pod,
      shape,
      since: Date.parse(pod.metadata.creationTimestamp),
      attempts: before?.attempts ?? 0,
      triedAt: before?.triedAt ?? 0,
      state: 'gone',
      until: 0,
      gate,
    };
    this.#entries.set(uid, entry);
    if (gate) {
      this.#enter(entry, 'gated');
      if (!isTold(pod, gate)) this.#untold.add(entry);
    } else this.#activate(entry);
  }

  /** The pod has a node or is gone. */
  delete(uid: string): void {
    const entry = this.#entries.get(uid);
    if (!entry) return;
    this.#entries.delete(uid);
    this.#leave(entry);
    entry.state = 'gone';
  }

  /** Where the pod waits; undefined where it does not. */
  position(uid: string): QueuePosition | undefined {
    const entry = this.#entries.get(uid);
    if (!entry || entry.state === 'gone') return undefined;
    const { cluster } = this.#options;
    const { state, since, attempts, triedAt, until, refusedBy = [] } = entry;
    const roomOn =
      state === 'unschedulable' && entry.roomOn !== undefined && cluster.has(entry.roomOn)
        ? cluster.nodeName(entry.roomOn)
        : undefined;
    const nextBy = state === 'backoff' ? until : state === 'unschedulable' ? triedAt + UNSCHEDULABLE_MS : undefined;
    return {
      part: state === 'popped' ? 'trying' : state,
      since,
      attempts,
      ...(attempts > 0 && { triedAt }),
      ...(nextBy !== undefined && { nextBy }),
      waitsFor: state === 'unschedulable' && roomOn === undefined ? [...refusedBy].sort() : [],
      ...(roomOn !== undefined && { roomOn }),
    };
  }

  /** Why the pod is not looked at, where a gate holds it. */
  gateOf(uid: string): Gate | undefined {
    return this.#entries.get(uid)?.gate;
  }
  /** Pods that a gate holds and whose status does not say so, each once. */
  takeGated(): readonly { readonly pod: StoredPod; readonly gate: Gate }[] {
    if (this.#untold.size === 0) return [];
    const gated = [...this.#untold].flatMap(({ pod, gate, state }) =>
      gate && state === 'gated' ? [{ pod, gate }] : [],
    );
    this.#untold.clear();
    return gated;
  }

  /**
   * At most `limit` pods to try now, in order. Each must be answered with {@link delete}, {@link refused} or {@link
   * retry}. `now`, here and below: in ms since the epoch, by a clock that nobody sets.
   */
  pop(limit: number, now: number): readonly StoredPod[] {
    this.#flush(now);
    const pods: StoredPod[] = [];
    while (pods.length < limit) {
      const entry = this.#active.pop();
      if (!entry) break;
      if (entry.state !== 'active') continue;
      this.#take(entry, now);
      pods.push(entry.pod);
    }
    return pods;
  }

  /** Waiting pods that satisfy `is`, wherever they wait; taken as by {@link pop}. */
  popAlso(is: (pod: StoredPod) => boolean, now: number): readonly StoredPod[] {
    const pods: StoredPod[] = [];
    for (const entry of this.#entries.values()) {
      if (entry.state === 'gated' || entry.state === 'popped' || !is(entry.pod)) continue;
      this.#take(entry, now);
      pods.push(entry.pod);
    }
    return pods;
  }

  /**
   * The plugins found no node for it just now: to be told before anything else happens, since only later events can
   * wake it. A pod for which room is made on the node with the number `nominated` is tried at once when a pod leaves
   * that node or a node comes, changes or goes, and not when anything else happens.
   */
  refused(uid: string, plugins: ReadonlySet<string>, nominated?: number): void {
    const entry = this.#entries.get(uid);
    if (!entry) return;
    this.#leave(entry);
    const profile = this.#options.profileOf(entry.pod);
    if (!profile) return this.#backOff(entry);
    entry.refusedBy = plugins;
    entry.roomOn = nominated;
    this.#enter(entry, 'unschedulable');
    if (nominated !== undefined) {
      let expecting = this.#expecting.get(nominated);
      if (!expecting) this.#expecting.set(nominated, (expecting = new Set()));
      expecting.add(entry);
      return;
    }
    const key = `${entry.shape.id} ${[...plugins].sort().join()}`;
    let group = this.#groups.get(key);
    if (!group) this.#groups.set(key, (group = { shape: entry.shape, profile, plugins, entries: new Set() }));
    group.entries.add(entry);
  }

  /** Something else went wrong, such as its binding: it is tried again after its back-off. */
  retry(uid: string): void {
    const entry = this.#entries.get(uid);
    if (!entry) return;
    this.#leave(entry);
    this.#backOff(entry);
  }

  /** Wakes the pods that the event could help. */
  event(event: ClusterEvent): void {
    for (const [key, group] of this.#groups) {
      if (group.entries.size === 0) this.#groups.delete(key);
      else if (this.#helps(event, group)) this.#wake(key, group);
    }
    if (event.type === 'PodDelete' && !event.leaving) this.#seeExpecting(event.node);
    if (event.type === 'NodeAdd' || event.type === 'NodeUpdate' || (event.type === 'Other' && event.kind === 'Node'))
      for (const node of this.#expecting.keys()) this.#seeExpecting(node);
  }

  /** Room was made for them: they have backed off long enough. */
  #seeExpecting(node: number): void {
    const expecting = this.#expecting.get(node);
    if (!expecting) return;
    this.#expecting.delete(node);
    for (const entry of expecting) {
      if (entry.state !== 'unschedulable') continue;
      this.#leave(entry);
      this.#activate(entry);
    }
  }

  /**
   * Milliseconds until there is something to do, 0 when there is now; undefined when only an event can help, or nothing
   * waits.
   */
  nextInMs(now: number): number | undefined {
    this.#flush(now);
    if (this.#counts.active > 0 || this.#untold.size > 0) return 0;
    while (this.#backoff.first && isStale(this.#backoff.first)) this.#backoff.pop();
    const first = this.#backoff.first;
    if (first) return Math.max(1, first.until - now);
    return this.#counts.unschedulable > 0 ? UNSCHEDULABLE_MS : undefined;
  }

  #helps(event: ClusterEvent, { plugins, profile, shape }: Group): boolean {
    // Who was refused by no plugin of a node (no nodes at all, its group incomplete) hopes for anything.
    if (plugins.size === 0) return true;
    const { cluster } = this.#options;
    const asked: readonly Plugin[] = [...profile.filters, ...profile.permit];
    return asked.some(
      (plugin) => plugins.has(plugin.name) && (plugin.hint ? plugin.hint(event, shape, cluster) : true),
    );
  }

  #wake(key: string, group: Group): void {
    this.#groups.delete(key);
    for (const entry of group.entries) {
      if (entry.state !== 'unschedulable') continue;
      this.#leave(entry);
      this.#backOff(entry);
    }
  }

  #backOff(entry: Entry): void {
    const { initialBackoffMs = INITIAL_BACKOFF_MS, maxBackoffMs = MAX_BACKOFF_MS } = this.#options;
    const wait = Math.min(maxBackoffMs, initialBackoffMs * 2 ** Math.max(0, entry.attempts - 1));
    entry.until = entry.triedAt + wait;
    this.#enter(entry, 'backoff');
    this.#backoff.push({ entry, until: entry.until });
  }

  #activate(entry: Entry): void {
    this.#enter(entry, 'active');
    this.#active.push(entry);
  }

  #flush(now: number): void {
    if (now - this.#sweptAt >= UNSCHEDULABLE_MS / 10) {
      this.#sweptAt = now;
      for (const node of this.#expecting.keys()) this.#seeExpecting(node);
      for (const [key, group] of this.#groups)
        if ([...group.entries].some(({ triedAt }) => now - triedAt >= UNSCHEDULABLE_MS)) this.#wake(key, group);
    }
    for (
      let first = this.#backoff.first;
      first && (first.until <= now || isStale(first));
      first = this.#backoff.first
    ) {
      this.#backoff.pop();
      if (isStale(first)) continue;
      this.#leave(first.entry);
      this.#activate(first.entry);
    }
  }
  #sweptAt = 0;

  #take(entry: Entry, now: number): void {
    this.#leave(entry);
    entry.attempts++;
    entry.triedAt = now;
    entry.state = 'popped';
  }

  #enter(entry: Entry, state: keyof QueueCounts): void {
    entry.state = state;
    this.#counts[state]++;
  }

  /** Entries in heaps and groups are left there; their state tells that they are stale. */
  #leave(entry: Entry): void {
    if (entry.state !== 'popped' && entry.state !== 'gone') this.#counts[entry.state]--;
    entry.state = 'popped';
  }
}
