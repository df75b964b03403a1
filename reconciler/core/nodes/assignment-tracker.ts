/** Keeps, for every node, the set of objects it must hold and what its agent is behind by. */
import {
  keyOf,
  objectKey,
  type KubeObject,
  type Node,
  type ObjectKey,
  type Stored,
  type StoredPod,
} from '../../../contracts/objects/index.ts';
import { EndpointWithdrawals } from './endpoint-withdrawals.ts';
import { digest, SetFingerprint } from './fingerprint.ts';
import { project, projectionText, projectOwnNode, reachOf, referencesOf } from './projection.ts';

/** A move of one node's assignment, ready to be sent. */
export interface AssignmentDelta {
  /** What the agent must be at; null: what it holds does not matter, everything is sent. */
  readonly from: string | null;
  readonly to: string;
  readonly upsert: readonly KubeObject[];
  readonly remove: readonly ObjectKey[];
}

/** What an agent says it holds. */
export interface Holdings {
  readonly version: string | null;
  readonly keys: readonly ObjectKey[];
  /** Pods, by uid, that were told to end. */
  readonly ending: readonly string[];
}

interface Projected {
  readonly object: KubeObject;
  readonly digest: Buffer;
  readonly references: readonly ObjectKey[];
}

/** One node's own part: what its pods lead to. */
interface NodeSet {
  /** How many of the node's objects ask for a key. */
  readonly asked: Map<ObjectKey, number>;
  readonly fingerprint: SetFingerprint;
  /** Its own Node, of which it holds more than the others do. */
  own: Projected | undefined;
  /** Keys whose state the agent may not have. */
  readonly dirty: Set<ObjectKey>;
  /** Version that the agent confirmed to this process; undefined before that. */
  acknowledged: string | undefined;
  /** Keys that the agent holds though the store lacks them. */
  readonly retained: Set<ObjectKey>;
}

export class AssignmentTracker {
  readonly #shared = new Map<ObjectKey, Projected>();
  readonly #sharedFingerprint = new SetFingerprint();
  /** Objects that some node may need. Pods: bound ones only. */
  readonly #followed = new Map<ObjectKey, Projected>();
  readonly #binding = new Map<ObjectKey, string>();
  readonly #nodes = new Map<string, NodeSet>();
  /** Which nodes ask for a key: one object's change costs its own nodes, not all. */
  readonly #askers = new Map<ObjectKey, Set<string>>();
  /** Nodes that are no more and still have something here. */
  readonly #left = new Set<string>();
  readonly #withdrawals = new EndpointWithdrawals();
  /** Pods that end, by uid, whose nodes are not told yet: they hold {@link living} forms. */
  readonly #withheld = new Map<string, StoredPod>();
  /** Pods, by uid, that end with a node that is no more, once the others have let go of them; and that node. */
  readonly #departing = new Map<string, string>();
  readonly #incarnation: string;

  /**
   * `incarnation`: of the store. Versions of one are never those of another, whose resourceVersions cannot be compared.
   */
  constructor(incarnation: string) {
    this.#incarnation = digest(incarnation).toString('hex').slice(0, 8);
  }

  /**
   * Takes a change in at `now` (monotonic, milliseconds); says which nodes' assignments differ because of it. That a
   * pod ends is withheld from its node until the others have let go of it: see {@link EndpointWithdrawals}. At the
   * start nodes have joined before, and EndpointSlices come first.
   */
  observe(type: 'put' | 'delete', object: Stored, now: number): readonly string[] {
    const reach = reachOf(object.kind);
    if (reach === 'none') return [];
    const key = keyOf(object);
    const touched = new Set<string>();
    if (object.kind === 'Pod') {
      this.#observePod(key, type === 'delete' ? undefined : object, now, touched);
      this.#forgetLeft();
      return [...touched];
    }
    const next = type === 'delete' ? undefined : projected(object);
    if (reach === 'followed') {
      this.#setFollowed(key, next, touched);
      return [...touched];
    }
    for (const node of this.#setShared(key, next)) touched.add(node);
    if (object.kind === 'Node') this.#setOwn(object, type, touched);
    this.#forgetLeft();
    if (object.kind === 'EndpointSlice') this.#withdrawals.slice(key, type === 'delete' ? undefined : object);
    return this.#tell(this.#withdrawals.takeFree(), touched);
  }

  /**
   * The node's rules count from now on: no pod is told to end before they have let go of it, or have had their time.
   */
  join(node: string): void {
    this.#withdrawals.join(node);
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
    for (const [key, bound] of this.#binding) {
      const uid = bound === node ? this.#followed.get(key)?.object.metadata.uid : undefined;
      if (uid !== undefined && this.#withdrawals.depart(uid, now)) this.#departing.set(uid, node);
    }
    return this.#tell(this.#withdrawals.takeFree());
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

  /** When {@link expire} is due, on the clock of {@link observe}; undefined while nothing is withheld. */
  nextExpiry(): number | undefined {
    return this.#withdrawals.nextExpiry();
  }

  /** Withholds nothing any longer that was withheld long enough. Says which nodes' assignments differ because of it. */
  expire(now: number): readonly string[] {
    return this.#tell([...this.#withdrawals.takeExpired(now), ...this.#withdrawals.takeFree()]);
  }

  /**
   * Version of what the node must hold now. Retained keys are part of it: a process that does not know of them must
   * look again.
   */
  version(node: string): string {
    const set = this.#node(node);
    return this.#versionOf(set, set.fingerprint);
  }

  /** Whether the node's agent, as far as this process knows, is behind. */
  isBehind(node: string): boolean {
    const set = this.#node(node);
    return set.acknowledged === undefined || set.dirty.size > 0 || set.acknowledged !== this.version(node);
  }

  /** What was said last by the agent: it holds this version. Nothing is dirty when that is the wanted one. */
  agentHolds(node: string, version: string | null): void {
    const set = this.#node(node);
    if (version === set.acknowledged) return;
    // Told by a control plane before this one: what an agent heard is never taken back.
    if (version !== null && version === this.#versionTold(node)) this.#tell(this.#withheldOn(node));
    if (version !== null && version === this.version(node)) {
      set.acknowledged = version;
      set.dirty.clear();
      this.#withdrawals.made(node, version);
    } else {
      set.acknowledged = undefined;
    }
  }

  /**
   * The next move, or undefined when the agent is up to date or where it stands is unknown (then: {@link wholeDelta}).
   */
  delta(node: string): AssignmentDelta | undefined {
    const set = this.#node(node);
    if (set.acknowledged === undefined) return undefined;
    const upsert: KubeObject[] = [];
    const remove: ObjectKey[] = [];
    for (const key of [...set.dirty].sort()) {
      const object = this.#wanted(set, key)?.object;
      if (object) {
        upsert.push(object);
        set.retained.delete(key);
      } else if (set.asked.has(key) && set.retained.has(key)) {
        continue;
      } else {
        remove.push(key);
        set.retained.delete(key);
      }
    }
    const to = this.version(node);
    this.#withdrawals.made(node, to);
    if (upsert.length === 0 && remove.length === 0 && to === set.acknowledged) return undefined;
    return { from: set.acknowledged, to, upsert, remove };
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
    const own = [...set.asked.keys()].flatMap((key) => this.#followed.get(key)?.object ?? []);
    const upsert = [...[...this.#shared.keys()].flatMap((key) => this.#wanted(set, key)?.object ?? []), ...own].sort(
      (a, b) => (keyOf(a) < keyOf(b) ? -1 : 1),
    );
    const wanted = new Set(upsert.map(keyOf));
    const missing = held?.version == null ? [] : held.keys.filter((key) => !wanted.has(key) && set.asked.has(key));
    set.retained.clear();
    for (const key of missing) set.retained.add(key);
    const to = this.version(node);
    this.#withdrawals.made(node, to);
    if (held === undefined || missing.length === 0) return { from: null, to, upsert, remove: [] };
    return {
      from: held.version,
      to,
      upsert,
      remove: held.keys.filter((key) => !wanted.has(key) && !set.retained.has(key)),
    };
  }

  /** The agent has `delta`. What changed since it was made stays dirty. */
  acknowledge(node: string, delta: AssignmentDelta): void {
    const set = this.#node(node);
    const sent = new Map(delta.upsert.map((object) => [keyOf(object), object]));
    const removed = new Set(delta.remove);
    for (const key of set.dirty) {
      const now = this.#wanted(set, key)?.object;
      if (now ? sent.get(key) === now : removed.has(key) || delta.from === null || set.retained.has(key))
        set.dirty.delete(key);
    }
    // Sent whole, but no longer wanted by now.
    for (const key of sent.keys()) if (!this.#wanted(set, key)) set.dirty.add(key);
    set.acknowledged = delta.to;
  }

  /** Forgets where a node's agent stands; its wanted set stays. */
  forget(node: string): void {
    this.#node(node).acknowledged = undefined;
  }

  /** How many objects the node must hold. */
  size(node: string): number {
    return this.#shared.size + [...this.#node(node).asked.keys()].filter((key) => this.#followed.has(key)).length;
  }

  #node(name: string): NodeSet {
    let set = this.#nodes.get(name);
    if (!set) {
      set = {
        asked: new Map(),
        fingerprint: new SetFingerprint(),
        own: undefined,
        dirty: new Set(),
        acknowledged: undefined,
        retained: new Set(),
      };
      this.#nodes.set(name, set);
    }
    return set;
  }

  /** Of a node that is no more nothing is kept once its Node and its pods are gone, too. */
  #forgetLeft(): void {
    for (const name of this.#left) {
      const set = this.#nodes.get(name);
      if (set && (set.own !== undefined || set.asked.size > 0)) continue;
      this.#nodes.delete(name);
      this.#left.delete(name);
    }
  }

  #versionOf(set: NodeSet, fingerprint: SetFingerprint): string {
    const plain = `${this.#incarnation}-${fingerprint.hexWith(this.#sharedFingerprint)}`;
    return set.retained.size === 0 ? plain : `${plain}+${set.retained.size}`;
  }

  /** The node's version if it had been told of all its pods that end. */
  #versionTold(node: string): string {
    const set = this.#node(node);
    const changes = this.#withheldOn(node).flatMap((uid) => {
      const pod = this.#withheld.get(uid);
      const before = pod && this.#followed.get(keyOf(pod));
      return pod && before ? [before.digest, projected(pod).digest] : [];
    });
    return this.#versionOf(set, set.fingerprint.toggled(changes));
  }

  #withheldOn(node: string): readonly string[] {
    return [...this.#withheld].filter(([, pod]) => pod.spec.nodeName === node).map(([uid]) => uid);
  }

  /** Has the nodes of these pods hear that they end. */
  #tell(pods: readonly string[], touched = new Set<string>()): readonly string[] {
    for (const uid of pods) {
      const pod = this.#withheld.get(uid);
      this.#withheld.delete(uid);
      this.#withdrawals.waitNoMore(uid);
      if (pod) this.#setPod(keyOf(pod), projected(pod), pod.spec.nodeName, touched);
      const left = this.#departing.get(uid);
      if (this.#departing.delete(uid) && left !== undefined && this.mayEnd(left)) touched.add(left);
    }
    return [...touched];
  }

  #wanted(set: NodeSet, key: ObjectKey): Projected | undefined {
    if (set.own && keyOf(set.own.object) === key) return set.own;
    return this.#shared.get(key) ?? (set.asked.has(key) ? this.#followed.get(key) : undefined);
  }

  #setShared(key: ObjectKey, next: Projected | undefined): readonly string[] {
    const before = this.#shared.get(key);
    if (same(before, next)) return [];
    if (before) this.#sharedFingerprint.toggle(before.digest);
    if (next) {
      this.#sharedFingerprint.toggle(next.digest);
      this.#shared.set(key, next);
    } else {
      this.#shared.delete(key);
    }
    for (const set of this.#nodes.values()) set.dirty.add(key);
    return [...this.#nodes.keys()];
  }

  #setOwn(node: Stored<Node>, type: 'put' | 'delete', touched: Set<string>): void {
    const { name } = node.metadata;
    const set = this.#node(name);
    const next = type === 'delete' ? undefined : projectedAs(projectOwnNode(node), 'own ');
    if (same(set.own, next)) return;
    if (set.own) set.fingerprint.toggle(set.own.digest);
    if (next) set.fingerprint.toggle(next.digest);
    set.own = next;
    set.dirty.add(objectKey('Node', undefined, name));
    touched.add(name);
  }

  #observePod(key: ObjectKey, pod: StoredPod | undefined, now: number, touched: Set<string>): void {
    const bound = pod?.spec.nodeName === undefined ? undefined : pod;
    const before = this.#followed.get(key)?.object.metadata;
    if (before?.uid !== undefined && before.uid !== bound?.metadata.uid) {
      this.#withheld.delete(before.uid);
      this.#withdrawals.gone(before.uid);
    }
    if (!bound) return this.#setPod(key, undefined, undefined, touched);
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
    this.#setPod(key, projected(withhold ? living(bound) : bound), bound.spec.nodeName, touched);
  }

  #setPod(key: ObjectKey, next: Projected | undefined, nodeName: string | undefined, touched: Set<string>): void {
    const bound = this.#binding.get(key);
    if (bound !== undefined && bound !== nodeName) {
      this.#release(bound, key, touched);
      this.#binding.delete(key);
    }
    this.#setFollowed(key, nodeName === undefined ? undefined : next, touched);
    if (nodeName !== undefined && bound !== nodeName) {
      this.#binding.set(key, nodeName);
      this.#ask(nodeName, key, touched);
    }
  }

  #setFollowed(key: ObjectKey, next: Projected | undefined, touched: Set<string>): void {
    const before = this.#followed.get(key);
    if (same(before, next)) return;
    const holders = [...(this.#askers.get(key) ?? [])].map((name) => [name, this.#node(name)] as const);
    for (const [, set] of holders) if (before) set.fingerprint.toggle(before.digest);
    if (next) this.#followed.set(key, next);
    else this.#followed.delete(key);
    for (const [name, set] of holders) {
      if (next) set.fingerprint.toggle(next.digest);
      set.dirty.add(key);
      touched.add(name);
      // New references first, so that what both have is not let go of in between.
      for (const reference of next?.references ?? []) this.#ask(name, reference, touched);
      for (const reference of before?.references ?? []) this.#release(name, reference, touched);
    }
  }

  #ask(node: string, key: ObjectKey, touched: Set<string>): void {
    const set = this.#node(node);
    const count = set.asked.get(key) ?? 0;
    set.asked.set(key, count + 1);
    if (count > 0) return;
    const askers = this.#askers.get(key) ?? new Set();
    this.#askers.set(key, askers.add(node));
    touched.add(node);
    set.dirty.add(key);
    const object = this.#followed.get(key);
    if (!object) return;
    set.fingerprint.toggle(object.digest);
    for (const reference of object.references) this.#ask(node, reference, touched);
  }

  #release(node: string, key: ObjectKey, touched: Set<string>): void {
    const set = this.#node(node);
    const count = set.asked.get(key) ?? 0;
    if (count > 1) {
      set.asked.set(key, count - 1);
      return;
    }
    if (count === 0) return;
    set.asked.delete(key);
    const askers = this.#askers.get(key);
    askers?.delete(node);
    if (askers?.size === 0) this.#askers.delete(key);
    touched.add(node);
    set.dirty.add(key);
    const object = this.#followed.get(key);
    if (!object) return;
    set.fingerprint.toggle(object.digest);
    for (const reference of object.references) this.#release(node, reference, touched);
  }
}

function projected(object: Stored): Projected {
  return projectedAs(project(object), '');
}

/** `mark` keeps the digests of two forms of one object apart: equal ones would cancel each other in a fingerprint. */
function projectedAs(form: KubeObject, mark: string): Projected {
  return { object: form, digest: digest(mark + projectionText(form)), references: referencesOf(form) };
}

/** The pod before it was deleted. */
function living(pod: StoredPod): StoredPod {
  const { deletionTimestamp: _end, deletionGracePeriodSeconds: _grace, ...metadata } = pod.metadata;
  return { ...pod, metadata };
}

function same(a: Projected | undefined, b: Projected | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && a.digest.equals(b.digest));
}
