/**
 * When a pod's node may be told that the pod ends: once the rules of every node have let go of it. A pod that is told
 * at the same moment as the others are told of its endpoint loses the connections of those that hear later, and all of
 * those whose control plane dies in between.
 *
 * Changes of EndpointSlices are numbered. A pod's endpoint is withdrawn at a number; each version of a node's
 * assignment holds all changes up to one; and a node reports the version whose rules are in force. A node that keeps a
 * pod waiting for the whole limit is not waited for again before it has caught up: one that is off, or lies, costs one
 * wait.
 *
 * Nodes that another control plane speaks to are waited for by shard, in the same way: their control plane tells up to
 * which version of the store all of its nodes have let go ({@link EndpointWithdrawals.letGoUpTo}). A shard that nobody
 * speaks for is one of which nothing is known, and waited for as long as it takes until somebody does. All control
 * planes see the same pods wait: each excuses its own nodes, and none has to excuse another one that lives.
 */
import type { EndpointSlice, ObjectKey } from '../../../contracts/objects/index.ts';
import { WithdrawalOrder } from './withdrawal-order.ts';

/**
 * A pod waits no longer than this for others to let go of it. As long as some nodes' rules take at worst, and far below
 * a grace period.
 */
export const WITHDRAWAL_LIMIT_MS = 5_000;
/**
 * Where others speak to some of the nodes, or did until a moment ago, it waits so long for them, and for its endpoint to
 * be withdrawn at all: as long as it takes at worst to find that a control plane died, and to do its work.
 */
export const TAKEOVER_LIMIT_MS = 15_000;
/** A node that is spoken to from here for less than this, and has not been heard, may only not be reached yet. */
const NEW_MS = TAKEOVER_LIMIT_MS - WITHDRAWAL_LIMIT_MS;
/** Versions sent to one node and not yet in force there. An older one counts as unknown. */
const MOST_VERSIONS = 64;

interface Mention {
  /** Slices that have the pod, in whatever condition. */
  slices: number;
  /** Those of them by which rules send to it. */
  routing: number;
}

/** Of a node, or of all nodes of a shard. */
interface Rules {
  /** Holds all changes up to this number. */
  inForce: number;
  /** Not waited for below this number. */
  excusedTo: number;
}

interface NodeRules extends Rules {
  /** Number up to which each version holds all changes. */
  readonly versions: Map<string, number>;
  reported: string | null;
  /** Until when it may not be reached yet (monotonic, milliseconds); 0 once it has been. */
  newUntil: number;
}

/** The number that all of the withdrawals seen before count with: above 0, where a node is of which nothing is known. */
const FIRST = 1;

export class EndpointWithdrawals {
  /** Of the newest change that withdrew an endpoint. */
  #sequence = FIRST;
  /** Of what nodes are sent now: changes wait until they are published together. */
  #published = FIRST;
  readonly #order: WithdrawalOrder;
  readonly #slices = new Map<ObjectKey, ReadonlyMap<string, boolean>>();
  readonly #mentions = new Map<string, Mention>();
  /** Known pods by uid: the number at which their endpoints were withdrawn last, 0 for never. */
  readonly #withdrawn = new Map<string, number>();
  readonly #nodes = new Map<string, NodeRules>();
  /** Nodes that other control planes speak to, by shard. */
  readonly #shards = new Map<number, Rules>();
  /** Pods that wait, and until when at most for the own nodes; earliest first. */
  readonly #waiting = new Map<string, number>();
  /** Pods that wait on for others, and until when at most; earliest first. */
  readonly #waitingOn = new Map<string, number>();
  /** Those of them that end with their node, and are remembered when their objects are gone. */
  readonly #departing = new Set<string>();
  /**
   * The earliest withdrawal that is waited for, and whom for; null when there is none; undefined when it has to be
   * looked for.
   */
  #front: { readonly number: number; readonly behind: Set<Rules> } | null | undefined = null;

  /** `version`: of the store, as of which slices and pods are shown first. */
  constructor(version = 0) {
    this.#order = new WithdrawalOrder(FIRST, version);
  }

  /** A node whose rules count from `now` on (monotonic, milliseconds); of one just met nothing is known. */
  join(node: string, now: number): void {
    if (this.#nodes.has(node)) return;
    const rules: NodeRules = { versions: new Map(), reported: null, newUntil: now + NEW_MS, inForce: 0, excusedTo: 0 };
    this.#nodes.set(node, rules);
    this.#compare(rules);
  }

  leave(node: string): void {
    const rules = this.#nodes.get(node);
    this.#nodes.delete(node);
    if (rules) this.#front?.behind.delete(rules);
  }

  /** A shard with nodes that others speak to, or nobody. */
  joinShard(shard: number): void {
    if (this.#shards.has(shard)) return;
    const rules: Rules = { inForce: 0, excusedTo: 0 };
    this.#shards.set(shard, rules);
    this.#compare(rules);
  }

  leaveShard(shard: number): void {
    const rules = this.#shards.get(shard);
    this.#shards.delete(shard);
    if (rules) this.#front?.behind.delete(rules);
  }

  /** Whoever speaks to the shard's nodes says {@link letGoUpTo}; 0 where nobody does. */
  told(shard: number, version: number): void {
    const rules = this.#shards.get(shard);
    if (!rules) return;
    rules.inForce = this.#order.numberAt(version);
    this.#compare(rules);
  }

  /**
   * The version of the store up to which no own node sends to an endpoint that was withdrawn, for other control planes;
   * those that are not waited for here are left out. `seen`: up to which version every change has been shown here.
   */
  letGoUpTo(seen: number): number {
    return Math.min(seen, this.#order.versionBelow(reachedBy(this.#nodes.values(), this.#sequence)));
  }

  /** All changes up to now are in the versions that are made from now on. */
  publish(): void {
    this.#published = this.#sequence;
  }

  /** The version of the node's assignment that holds everything that is published. */
  made(node: string, version: string): void {
    const rules = this.#nodes.get(node);
    if (!rules) return;
    rules.versions.delete(version);
    rules.versions.set(version, this.#published);
    const [oldest] = rules.versions.keys();
    if (rules.versions.size > MOST_VERSIONS && oldest !== undefined) rules.versions.delete(oldest);
    if (version === rules.reported) this.inForce(node, version);
  }

  /**
   * The node says that the rules of this version are in force. Null, and a version that this process did not make:
   * anything may be.
   */
  inForce(node: string, version: string | null): void {
    const rules = this.#nodes.get(node);
    if (!rules) return;
    rules.reported = version;
    rules.inForce = version === null ? 0 : (rules.versions.get(version) ?? 0);
    if (rules.inForce > 0) rules.newUntil = 0;
    for (const [sent, number] of rules.versions) if (number < rules.inForce) rules.versions.delete(sent);
    this.#compare(rules);
  }

  /** The slice as of `version`; undefined when it is gone. */
  slice(key: ObjectKey, slice: EndpointSlice | undefined, version: number): void {
    const before = this.#slices.get(key) ?? new Map<string, boolean>();
    const after = slice === undefined ? new Map<string, boolean>() : podsOf(slice);
    if (after.size === 0) this.#slices.delete(key);
    else this.#slices.set(key, after);
    for (const [uid, routing] of after) this.#mention(uid, 1, routing ? 1 : 0);
    for (const [uid, routing] of before) this.#mention(uid, -1, routing ? -1 : 0);
    const withdrawn = [...before].filter(([uid, routing]) => routing && !this.#isRouted(uid));
    // Of one that is listed and not sent to, others may have been told more before it was seen here.
    const isMet = [...after].some(([uid, routing]) => !routing && !before.has(uid));
    if (withdrawn.length === 0 && !isMet) return;
    this.#count(version);
    for (const [uid] of withdrawn) {
      if (this.#withdrawn.has(uid)) this.#withdrawn.set(uid, this.#sequence);
      if (this.#waits(uid)) this.#front ??= undefined;
    }
  }

  /**
   * A pod is there. What a process that died had withdrawn of it, and whom it had told, is not known: it counts as
   * withdrawn just now.
   */
  pod(uid: string): void {
    if (!this.#withdrawn.has(uid)) this.#withdrawn.set(uid, this.#mentions.has(uid) ? this.#sequence : 0);
  }

  gone(uid: string): void {
    if (this.#departing.has(uid)) return;
    this.#withdrawn.delete(uid);
    this.#wakes(uid);
  }

  /** Whether the ending pod has to wait at `now` (monotonic, milliseconds), or waits already. */
  mustWait(uid: string, now: number): boolean {
    if (this.#waits(uid)) return true;
    const number = this.#numberOf(uid);
    if (number === 0 || this.#nodes.size + this.#shards.size === 0) return false;
    if (number !== undefined && !this.#all().some((rules) => isBehind(rules, number))) return false;
    this.#waiting.set(uid, now + WITHDRAWAL_LIMIT_MS);
    if (number !== undefined && (!this.#front || number < this.#front.number)) this.#front = undefined;
    return true;
  }

  /**
   * The pod's node is no more, and its agent would end it. As {@link mustWait}; it waits on when its object is deleted.
   */
  depart(uid: string, now: number): boolean {
    if (!this.mustWait(uid, now)) return false;
    this.#departing.add(uid);
    return true;
  }

  waitNoMore(uid: string): void {
    if (!this.#departing.has(uid)) this.#wakes(uid);
  }

  /**
   * Takes out the pods that have waited for everybody. One look at all nodes and waiting pods, and only when the last
   * one to be waited for was heard.
   */
  takeFree(): readonly string[] {
    if (this.#front === null || (this.#front && this.#front.behind.size > 0)) return [];
    const all = this.#all();
    const reached = reachedBy(all, Infinity);
    const free: string[] = [];
    let next = Infinity;
    for (const uid of [...this.#waitingOn.keys(), ...this.#waiting.keys()]) {
      const number = this.#numberOf(uid) ?? Infinity;
      if (number <= reached && number < Infinity) free.push(uid);
      else next = Math.min(next, number);
    }
    for (const uid of free) this.#release(uid);
    this.#front =
      next === Infinity ? null : { number: next, behind: new Set(all.filter((rules) => isBehind(rules, next))) };
    return free;
  }

  /** When {@link takeExpired} has something to do; undefined while no pod waits. */
  nextExpiry(): number | undefined {
    const [first = Infinity] = this.#waiting.values();
    const [firstOn = Infinity] = this.#waitingOn.values();
    const next = Math.min(first, firstOn);
    return next === Infinity ? undefined : next;
  }

  /** Takes out the pods that have waited long enough, and excuses those that they waited for. */
  takeExpired(now: number): readonly string[] {
    const late = passed(this.#waiting, now);
    const number = this.#highest(late);
    const nodes = [...this.#nodes.values()];
    const isNew = ({ newUntil }: NodeRules): boolean => now < newUntil;
    for (const rules of nodes) if (!isNew(rules)) excuse(rules, number);
    const lateOn = passed(this.#waitingOn, now);
    for (const rules of this.#all()) excuse(rules, this.#highest(lateOn));
    const mayWaitOn = this.#shards.size > 0 || nodes.some((rules) => isNew(rules) && isBehind(rules, number));
    const waitOn = mayWaitOn ? late : [];
    for (const uid of waitOn) {
      this.#waiting.delete(uid);
      this.#waitingOn.set(uid, now + TAKEOVER_LIMIT_MS - WITHDRAWAL_LIMIT_MS);
    }
    const expired = [...lateOn, ...(waitOn.length > 0 ? [] : late)];
    for (const uid of expired) this.#release(uid);
    this.#front = undefined;
    return expired;
  }

  #waits(uid: string): boolean {
    return this.#waiting.has(uid) || this.#waitingOn.has(uid);
  }

  #wakes(uid: string): void {
    this.#waiting.delete(uid);
    this.#waitingOn.delete(uid);
  }

  #highest(pods: readonly string[]): number {
    return pods.reduce((highest, uid) => Math.max(highest, this.#numberOf(uid) ?? 0), 0);
  }

  #count(version: number): void {
    this.#sequence += 1;
    this.#order.add(this.#sequence, version);
  }

  #all(): readonly Rules[] {
    return [...this.#nodes.values(), ...this.#shards.values()];
  }

  #release(uid: string): void {
    this.#wakes(uid);
    if (this.#departing.delete(uid)) this.#withdrawn.delete(uid);
  }

  /** Number of the pod's withdrawal; undefined while it is still to come. */
  #numberOf(uid: string): number | undefined {
    return this.#isRouted(uid) ? undefined : (this.#withdrawn.get(uid) ?? 0);
  }

  #isRouted(uid: string): boolean {
    return (this.#mentions.get(uid)?.routing ?? 0) > 0;
  }

  #compare(rules: Rules): void {
    if (!this.#front) return;
    if (isBehind(rules, this.#front.number)) this.#front.behind.add(rules);
    else this.#front.behind.delete(rules);
  }

  #mention(uid: string, slices: number, routing: number): void {
    const mention = this.#mentions.get(uid) ?? { slices: 0, routing: 0 };
    mention.slices += slices;
    mention.routing += routing;
    if (mention.slices === 0) this.#mentions.delete(uid);
    else this.#mentions.set(uid, mention);
  }
}

/** Those whose time has come, of ones that are in order. */
function passed(waiting: ReadonlyMap<string, number>, now: number): readonly string[] {
  const pods: string[] = [];
  for (const [uid, until] of waiting) {
    if (until > now) break;
    pods.push(uid);
  }
  return pods;
}

function excuse(rules: Rules, number: number): void {
  if (rules.inForce < number) rules.excusedTo = Math.max(rules.excusedTo, number);
}

/** The number up to which all of those have everything that are waited for, `most` at most. */
function reachedBy(all: Iterable<Rules>, most: number): number {
  let reached = most;
  for (const rules of all) if (!isExcused(rules)) reached = Math.min(reached, rules.inForce);
  return reached;
}

function isBehind(rules: Rules, number: number): boolean {
  return rules.inForce < number && !isExcused(rules);
}

function isExcused(rules: Rules): boolean {
  return rules.inForce < rules.excusedTo;
}

/**
 * Pods of a slice by uid, and whether rules send to them: as kube-proxy, not once they are ending, also where `ready`
 * is always said.
 */
function podsOf({ endpoints }: EndpointSlice): ReadonlyMap<string, boolean> {
  const pods = new Map<string, boolean>();
  for (const { targetRef, conditions } of endpoints) {
    if (targetRef)
      pods.set(targetRef.uid, pods.get(targetRef.uid) === true || (conditions.ready && !conditions.terminating));
  }
  return pods;
}
