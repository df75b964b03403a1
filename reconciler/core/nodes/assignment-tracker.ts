/**
 * Keeps, for every node, the set of objects it must hold and what its agent is behind by: of what all nodes hold alike,
 * the edition where it is ({@link SharedLog}); of its own, what changed.
 */
import {
  keyOf,
  type Kind,
  type KubeObject,
  type ObjectKey,
  type Stored,
  type StoredPod,
} from '../../../contracts/objects/index.ts';
import { Brought } from './brought.ts';
import { EndpointWithdrawals } from './endpoint-withdrawals.ts';
import { digest, type SetFingerprint } from './fingerprint.ts';
import { OwnParts } from './own-parts.ts';
import { projected, projectedAfter, projectedAs, type Projected } from './projected.ts';
import { homeOf, projectOwnNode, reachOf } from './projection.ts';
import { SharedLog, type Edition, type SharedChanges } from './shared-log.ts';

/** A move of one node's assignment, ready to be sent. */
export interface AssignmentDelta {
  /** What the agent must be at; null: what it holds does not matter, everything is sent. */
  readonly from: string | null;
  readonly to: string;
  /** What it lacks of what all nodes hold alike. */
  readonly shared: SharedChanges;
  /** Its own; comes after {@link shared}, which has another form of its own Node. */
  readonly upsert: readonly KubeObject[];
  readonly remove: readonly ObjectKey[];
  /** Where it is afterwards. */
  readonly edition: Edition;
  /** Marks of the node up to this one are in it. */
  readonly mark: number;
}

/** What an agent says it holds. */
export interface Holdings {
  readonly version: string | null;
  readonly keys: readonly ObjectKey[];
  /** Pods, by uid, that were told to end. */
  readonly ending: readonly string[];
}

/** Where one node's agent is. */
interface Standing {
  /** Own keys whose state the agent may not have, each with its last mark. Kept while it is known where the agent is. */
  readonly dirty: Map<ObjectKey, number>;
  /** Version and edition that the agent confirmed to this process; undefined before that. */
  acknowledged: { readonly version: string; readonly edition: Edition } | undefined;
  /** The move that was made last and is not confirmed. */
  pending: AssignmentDelta | undefined;
  /** Keys that the agent holds though the store lacks them. */
  readonly retained: Set<ObjectKey>;
}

export class AssignmentTracker {
  readonly #shared = new SharedLog();
  /** Counts what changed of nodes' own parts. */
  #mark = 0;
  /** Kinds of which something waits for {@link publish}. */
  readonly #unpublished = new Set<Kind>();
  readonly #own = new OwnParts((node, key) => {
    this.#touch(node, key);
  });
  readonly #brought = new Brought((node, asked, released) => {
    this.#own.bring(node, asked, released);
  });
  readonly #nodes = new Map<string, Standing>();
  /** Nodes whose own parts changed in the present call. */
  readonly #touched = new Set<string>();
  /** Nodes that are no more and still have something here. */
  readonly #left = new Set<string>();
  readonly #withdrawals: EndpointWithdrawals;
  /** Pods that end, by uid, whose nodes are not told yet: they hold {@link living} forms. */
  readonly #withheld = new Map<string, StoredPod>();
  /** Pods, by uid, that end with a node that is no more, once the others have let go of them; and that node. */
  readonly #departing = new Map<string, string>();
  readonly #incarnation: string;

  /**
   * `incarnation`: of the store. Versions of one are never those of another, whose resourceVersions cannot be compared.
   * `position`: the store's version as of which it is shown first.
   */
  constructor(incarnation: string, position = 0) {
    this.#withdrawals = new EndpointWithdrawals(position);
    this.#incarnation = Buffer.from(digest(incarnation), 'latin1').toString('hex', 0, 4);
  }

  /** Whether an agent with this version got it from a control plane of this store. */
  gave(version: string): boolean {
    return version.startsWith(`${this.#incarnation}-`);
  }

  /**
   * Takes a change in at `now` (monotonic, milliseconds); says which nodes' own parts differ because of it. What all
   * nodes hold alike waits for {@link publish}. That a pod ends is withheld from its node until the others have let go
   * of it: see {@link EndpointWithdrawals}. At the start nodes have joined before, and EndpointSlices come first.
   */
  observe(type: 'put' | 'delete', object: Stored, now: number): readonly string[] {
    const reach = reachOf(object.kind);
    if (reach === 'none') return [];
    const key = keyOf(object);
    if (object.kind === 'Pod') {
      this.#observePod(key, type === 'delete' ? undefined : object, now);
      this.#forgetLeft();
      return this.#takeTouched();
    }
    const next = type === 'delete' ? undefined : projected(object);
    if (reach === 'followed') {
      this.#own.settle(key, next, next && homeOf(object));
      this.#forgetLeft();
      return this.#takeTouched();
    }
    if (this.#shared.put(key, next)) this.#unpublished.add(object.kind);
    if (object.kind === 'Node')
      this.#own.setNode(object.metadata.name, type === 'delete' ? undefined : projectedAs(projectOwnNode(object)));
    this.#brought.observe(type, object);
    this.#forgetLeft();
    if (object.kind === 'EndpointSlice') {
      const version = Number(object.metadata.resourceVersion);
      this.#withdrawals.slice(key, type === 'delete' ? undefined : object, version);
    }
    return this.#tell(this.#withdrawals.takeFree());
  }

  /** Nodes of which something is kept here. */
  get known(): Iterable<string> {
    return this.#nodes.keys();
  }

  /** Kinds of which a change waits to be published. */
  get unpublished(): ReadonlySet<Kind> {
    return this.#unpublished;
  }

  /** What waits is what all nodes must hold from now on: they are behind. */
  publish(): void {
    this.#unpublished.clear();
    if (this.#shared.publish()) this.#withdrawals.publish();
  }

  /**
   * The node's rules count from `now` on (monotonic, milliseconds): no pod is told to end before they have let go of it,
   * or have had their time.
   */
  join(node: string, now: number): void {
    this.#withdrawals.join(node, now);
    this.#left.delete(node);
  }

  /**
   * The node is no more, and its pods end with it: once the others have let go of them. Says which nodes' assignments
   * differ because of it; the node itself is named, now or by a later call, when it {@link mayEnd}.
   */
  leave(node: string, now: number): readonly string[] {
    this.#withdrawals.leave(node);
    this.#left.add(node);
    this.#forgetLeft();
    for (const key of this.#own.podsOf(node)) {
      const uid = this.#own.object(key)?.object.metadata.uid;
      if (uid !== undefined && this.#withdrawals.depart(uid, now)) this.#departing.set(uid, node);
    }
    return this.#tell(this.#withdrawals.takeFree());
  }

  /** The node is no more, and another control plane spoke to it. */
  removed(node: string): void {
    this.#left.add(node);
    this.#forgetLeft();
  }

  /** Another control plane speaks to the node: where its agent stands is not known here. As {@link leave} answers. */
  handOver(node: string): readonly string[] {
    this.#withdrawals.leave(node);
    this.forget(node);
    return this.#tell(this.#withdrawals.takeFree());
  }

  /** Whether nobody sends to the pods of a node that is no more, or has had the time to stop it. */
  mayEnd(node: string): boolean {
    return ![...this.#departing.values()].includes(node);
  }

  /** The node says which version's rules are in force on it. Says which nodes' assignments differ because of it. */
  inForce(node: string, version: string | null): readonly string[] {
    this.#withdrawals.inForce(node, version);
    return this.#tell(this.#withdrawals.takeFree());
  }

  /** The shard's nodes are spoken to by another control plane, or by none: they count as {@link join}ed ones do. */
  joinShard(shard: number): void {
    this.#withdrawals.joinShard(shard);
  }

  /** They are spoken to from here, or there are none. Says which nodes' assignments differ because of it. */
  leaveShard(shard: number): readonly string[] {
    this.#withdrawals.leaveShard(shard);
    return this.#tell(this.#withdrawals.takeFree());
  }

  /**
   * What the holders of those shards tell of their nodes, as {@link letGoUpTo}; 0 where there is none. Says which nodes'
   * assignments differ because of it.
   */
  told(word: ReadonlyMap<number, number>): readonly string[] {
    for (const [shard, version] of word) this.#withdrawals.told(shard, version);
    return this.#tell(this.#withdrawals.takeFree());
  }

  /** See {@link EndpointWithdrawals.letGoUpTo}. */
  letGoUpTo(seen: number): number {
    return this.#withdrawals.letGoUpTo(seen);
  }

  /** When {@link expire} is due, on the clock of {@link observe}; undefined while nothing is withheld. */
  nextExpiry(): number | undefined {
    return this.#withdrawals.nextExpiry();
  }

  /** Withholds nothing any longer that was withheld long enough. Says which nodes' assignments differ because of it. */
  expire(now: number): readonly string[] {
    return this.#tell([...this.#withdrawals.takeExpired(now), ...this.#withdrawals.takeFree()]);
  }

  /**
   * Version of what the node must hold now: of its own part, and of what all hold alike. Retained keys are part of it: a
   * process that does not know of them must look again.
   */
  version(node: string): string {
    return `${this.#ownVersion(node, this.#own.of(node).fingerprint)}-${this.#shared.newest.fingerprint}`;
  }

  /** Whether the node's agent, as far as this process knows, is behind. */
  isBehind(node: string): boolean {
    const { acknowledged, dirty } = this.#node(node);
    return (
      acknowledged === undefined ||
      dirty.size > 0 ||
      acknowledged.edition !== this.#shared.newest ||
      acknowledged.version !== this.version(node)
    );
  }

  /** What was said last by the agent: it holds this version. Of one that this process can place it is known what lacks. */
  agentHolds(node: string, version: string | null): void {
    const set = this.#node(node);
    if (version !== null && version === set.acknowledged?.version) return;
    const [own, fingerprint] = partsOf(version);
    // Told by a control plane before this one: what an agent heard is never taken back.
    if (own === this.#ownVersionTold(node)) this.#tell(this.#withheldOn(node));
    const edition =
      own === this.#ownVersion(node, this.#own.of(node).fingerprint) ? this.#shared.find(fingerprint) : undefined;
    this.forget(node);
    if (version === null || edition === undefined) return;
    set.acknowledged = { version, edition };
    if (edition === this.#shared.newest) this.#withdrawals.made(node, version);
  }

  /**
   * The next move, or undefined when the agent is up to date or where it stands is unknown (then: {@link wholeDelta}).
   */
  delta(node: string): AssignmentDelta | undefined {
    const set = this.#node(node);
    const from = set.acknowledged;
    const shared = from && this.#shared.since(from.edition);
    if (!from || !shared) {
      this.forget(node);
      return undefined;
    }
    const { own, asked } = this.#own.of(node);
    const upsert: KubeObject[] = [];
    const remove: ObjectKey[] = [];
    for (const key of [...set.dirty.keys()].sort()) {
      const object = this.#wanted(node, key)?.object;
      if (object) {
        upsert.push(object);
        set.retained.delete(key);
      } else if (asked.has(key) && set.retained.has(key)) {
        continue;
      } else {
        remove.push(key);
        set.retained.delete(key);
      }
    }
    if (own && !upsert.includes(own.object) && shared.keys.has(keyOf(own.object))) upsert.push(own.object);
    const to = this.version(node);
    this.#withdrawals.made(node, to);
    if (upsert.length + remove.length + shared.keys.size === 0 && to === from.version) return undefined;
    return (set.pending = { from: from.version, to, shared, upsert, remove, ...this.#now() });
  }

  /**
   * Everything the node must hold. `held`: what its agent says it holds. What a wanted pod refers to, the store lacks
   * and the agent has, is retained; then it is a move from the agent's version instead of a replacement. Pods that it
   * knows to end are not revived.
   */
  wholeDelta(node: string, held?: Holdings): AssignmentDelta {
    const set = this.#node(node);
    const known = new Set(held?.ending);
    this.#tell(this.#withheldOn(node).filter((uid) => known.has(uid)));
    this.forget(node);
    const { own, asked } = this.#own.of(node);
    const upsert = [...asked.keys()].sort().flatMap((key) => this.#own.object(key)?.object ?? []);
    if (own) upsert.push(own.object);
    const isWanted = (key: ObjectKey): boolean => this.#wanted(node, key) !== undefined;
    const missing = held?.version == null ? [] : held.keys.filter((key) => asked.has(key) && !this.#own.object(key));
    set.retained.clear();
    for (const key of missing) set.retained.add(key);
    const to = this.version(node);
    this.#withdrawals.made(node, to);
    const move = { to, shared: this.#shared.whole(), upsert, ...this.#now() };
    if (held === undefined || missing.length === 0) return (set.pending = { ...move, from: null, remove: [] });
    const remove = held.keys.filter((key) => !isWanted(key) && !set.retained.has(key));
    return (set.pending = { ...move, from: held.version, remove });
  }

  /** The agent has `delta`. What changed since it was made stays dirty. */
  acknowledge(node: string, delta: AssignmentDelta): void {
    const set = this.#node(node);
    // Not the last one, or somebody else spoke to the agent: then it is seen next time where it stands.
    if (set.pending !== delta) return;
    set.pending = undefined;
    for (const [key, mark] of set.dirty) if (mark <= delta.mark) set.dirty.delete(key);
    set.acknowledged = { version: delta.to, edition: delta.edition };
  }

  /** Forgets where a node's agent stands; its wanted set stays. */
  forget(node: string): void {
    const set = this.#node(node);
    set.acknowledged = undefined;
    set.pending = undefined;
    set.dirty.clear();
  }

  /** How many objects the node must hold. */
  size(node: string): number {
    return this.#shared.size + [...this.#own.of(node).asked.keys()].filter((key) => this.#own.object(key)).length;
  }

  #now(): Pick<AssignmentDelta, 'edition' | 'mark'> {
    return { edition: this.#shared.newest, mark: this.#mark };
  }

  /** What the node has of this key is not what it should be. Where nobody knows what it has, there is nothing to note. */
  #touch(name: string, key: ObjectKey): void {
    const set = this.#node(name);
    this.#touched.add(name);
    this.#mark += 1;
    if (set.acknowledged ?? set.pending) set.dirty.set(key, this.#mark);
  }

  #takeTouched(): readonly string[] {
    const touched = [...this.#touched];
    this.#touched.clear();
    return touched;
  }

  #node(name: string): Standing {
    let set = this.#nodes.get(name);
    if (!set) {
      set = {
        dirty: new Map(),
        acknowledged: undefined,
        pending: undefined,
        retained: new Set(),
      };
      this.#nodes.set(name, set);
    }
    return set;
  }

  /** Of a node that is no more nothing is kept once its Node and its pods are gone, too. */
  #forgetLeft(): void {
    for (const name of this.#left) {
      if (!this.#own.isEmpty(name)) continue;
      this.#own.forget(name);
      this.#nodes.delete(name);
      this.#left.delete(name);
    }
  }

  #ownVersion(node: string, fingerprint: SetFingerprint): string {
    const { retained } = this.#node(node);
    const plain = `${this.#incarnation}-${fingerprint.hex()}`;
    return retained.size === 0 ? plain : `${plain}+${retained.size}`;
  }

  /** The version of the node's own part if it had been told of all its pods that end. */
  #ownVersionTold(node: string): string {
    const { fingerprint } = this.#own.of(node);
    const changes = this.#withheldOn(node).flatMap((uid) => {
      const pod = this.#withheld.get(uid);
      const before = pod && this.#own.object(keyOf(pod));
      return pod && before ? [before.digest, projected(pod).digest] : [];
    });
    return this.#ownVersion(node, changes.length === 0 ? fingerprint : fingerprint.toggled(changes));
  }

  #withheldOn(node: string): readonly string[] {
    return [...this.#withheld].filter(([, pod]) => pod.spec.nodeName === node).map(([uid]) => uid);
  }

  /** Has the nodes of these pods hear that they end. */
  #tell(pods: readonly string[]): readonly string[] {
    for (const uid of pods) {
      const pod = this.#withheld.get(uid);
      this.#withheld.delete(uid);
      this.#withdrawals.waitNoMore(uid);
      if (pod) this.#own.setPod(keyOf(pod), projected(pod), pod.spec.nodeName);
      const left = this.#departing.get(uid);
      if (this.#departing.delete(uid) && left !== undefined && this.mayEnd(left)) this.#touched.add(left);
    }
    return this.#takeTouched();
  }

  #wanted(node: string, key: ObjectKey): Projected | undefined {
    return this.#own.held(node, key) ?? this.#shared.get(key);
  }

  #observePod(key: ObjectKey, pod: StoredPod | undefined, now: number): void {
    const bound = pod?.spec.nodeName === undefined ? undefined : pod;
    const known = this.#own.object(key);
    const before = known?.object.metadata;
    if (before?.uid !== undefined && before.uid !== bound?.metadata.uid) {
      this.#withheld.delete(before.uid);
      this.#withdrawals.gone(before.uid);
    }
    if (!bound) return this.#own.setPod(key, undefined, undefined);
    const { uid, deletionTimestamp, deletionGracePeriodSeconds } = bound.metadata;
    this.#withdrawals.pod(uid);
    const isTold = before?.uid === uid && before.deletionTimestamp !== undefined;
    // Without a grace period its owner wants it gone whatever the cost.
    const withhold =
      deletionTimestamp !== undefined &&
      !isTold &&
      deletionGracePeriodSeconds !== 0 &&
      this.#withdrawals.mustWait(uid, now);
    if (withhold) {
      this.#withheld.set(uid, bound);
    } else {
      this.#withheld.delete(uid);
      this.#withdrawals.waitNoMore(uid);
    }
    this.#own.setPod(key, projectedAfter(known, withhold ? living(bound) : bound), bound.spec.nodeName);
  }
}

/** The pod before it was deleted. */
function living(pod: StoredPod): StoredPod {
  const { deletionTimestamp: _end, deletionGracePeriodSeconds: _grace, ...metadata } = pod.metadata;
  return { ...pod, metadata };
}

/** Of the node's own part, and the fingerprint of what all hold alike. */
function partsOf(version: string | null): readonly [own: string, shared: string] {
  const at = version?.lastIndexOf('-') ?? -1;
  return version === null || at < 0 ? ['', ''] : [version.slice(0, at), version.slice(at + 1)];
}
