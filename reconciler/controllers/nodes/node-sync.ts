/**
 * The nodes of the shards that are held here: a session for every Machine, their assignments kept up to date, their word
 * written down. Of all other nodes it knows what they must hold, so that it can take them over at once.
 */
import {
  ALL_KINDS,
  keyOf,
  objectKey,
  type Kind,
  type Stored,
  type StoredMachine,
} from '../../../contracts/objects/index.ts';
import { joinSignals } from '../../../contracts/signals.ts';
import { groupBy } from '../../core/group-by.ts';
import { shardOf, SHARDS } from '../../core/leases/shards.ts';
import { AssignmentTracker } from '../../core/nodes/assignment-tracker.ts';
import { isSameHost, isSamePlace } from '../../core/nodes/same-host.ts';
import type { SigningKey } from '../../core/service-accounts/signing-key.ts';
import type { AgentPayloads } from '../../ports/agent-payloads.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { NodeConnection, NodeTransport } from '../../ports/node-transport.ts';
import type { ObjectStore } from '../../ports/object-store.ts';
import type { QueueWorker, WorkQueue } from '../../ports/work-queue.ts';
import type { StoreCache } from '../runtime/cache.ts';
import type { EventRecorder } from '../runtime/event-recorder.ts';
import { HeldChanges } from '../runtime/held-changes.ts';
import { turns } from '../runtime/slices.ts';
import type { AgentClient } from './agent-client.ts';
import { FanOut } from './fan-out.ts';
import { NodeSession, type NodeSessionDeps } from './node-session.ts';
import { Exchange, type OtherPlanes } from './other-planes.ts';
import { late, Places } from './places.ts';
import { tellWhenBack } from './retirement.ts';
import { StaticPodKeeper, type StaticPodKeeperOptions } from './static-pod-keeper.ts';
import { StatusWriter } from './status-writer.ts';
import { TokenKeeper } from './token-keeper.ts';

export interface NodeSyncOptions {
  /** Synced. */
  readonly cache: StoreCache;
  readonly store: Pick<ObjectStore, 'get'>;
  readonly recorder: EventRecorder;
  readonly queue: WorkQueue;
  readonly transport: NodeTransport;
  readonly payloads: AgentPayloads;
  readonly clock: Clock;
  readonly log: Log;
  /** How many shards the nodes are spread over. Default: as many as a new store has. */
  readonly shards?: number;
  /** Names the store's content for good: agents that were given objects of another incarnation get all of them anew. */
  readonly incarnation: string;
  /**
   * Told of each sign of life of a node's agent; beats are written to the store seldom then. When absent, the store
   * tells: several times within the time after which a node counts as silent.
   */
  readonly heard?: (node: string) => void;
  /** Whether whoever needs it is told by `heard` now. Default: where there is one. */
  readonly beatsAreHeard?: () => boolean;
  /** Those that speak to the nodes of the other shards. When absent, nobody does. */
  readonly planes?: OtherPlanes;
  /** Signs the tokens of pods; no pod gets one when absent. */
  readonly tokenKey?: SigningKey;
  /** Writes the static pods of nodes; none are made when absent. */
  readonly execute?: StaticPodKeeperOptions['execute'];
  /** Between 0 and 1, for jitter. Math.random unless given. */
  readonly random?: () => number;
  /** Pushes at once, of one shard. */
  readonly concurrency?: number;
}

/**
 * Of one shard, 128 over all of them. A push waits for its node, not for us: nodes that stop answering must not take the
 * turns of those that do. More at once send nodes the same news in more pieces: a join of 1,000 took five times as long.
 */
const DEFAULT_CONCURRENCY = 8;
/** Pushes at once of what all nodes hold alike, and connections that are made at once. */
const SWEEPING = 64;
const OPENING = 64;
const ENQUEUE_AGAIN_MS = 250;
/** In this order: a pod that ends is looked at when it is known who may send to it. */
const TAKEN_IN: readonly Kind[] = [...new Set<Kind>(['Machine', 'EndpointSlice', ...ALL_KINDS])];

interface Departing {
  readonly session: NodeSession;
  /** Nobody sends to its pods any more. */
  readonly mayEnd: () => void;
  readonly back: AbortController;
}

export class NodeSync {
  readonly #options: NodeSyncOptions;
  readonly #tracker: AssignmentTracker;
  readonly #writer: StatusWriter;
  readonly #fanOut: FanOut;
  readonly #openings: Places;
  readonly #tokens: TokenKeeper | undefined;
  readonly #staticPods: StaticPodKeeper | undefined;
  readonly #sessions = new Map<string, NodeSession>();
  readonly #shards: number;
  /** Those that are held here. */
  readonly #held = new Map<number, { readonly epoch: number; readonly worker: QueueWorker }>();
  /** Sessions that are ending. */
  readonly #ending = new Set<Promise<void>>();
  /** Servers that are the cluster's no more, until their agents have heard of it, or they come back. */
  readonly #departing = new Set<Departing>();
  readonly #requested = new Set<string>();
  /** Shards that have nodes and are not held here. */
  readonly #elsewhere = new Set<number>();
  readonly #stopping = new AbortController();
  #exchange: Exchange | undefined;
  #flushing: Promise<void> | undefined;
  #expiring: Promise<void> | undefined;
  #unsubscribe: (() => void) | undefined;

  constructor(options: NodeSyncOptions) {
    this.#options = options;
    this.#shards = options.shards ?? SHARDS;
    this.#tracker = new AssignmentTracker(options.incarnation, Number(options.cache.resourceVersion));
    const { clock, log } = options;
    this.#openings = new Places(OPENING, clock);
    this.#fanOut = new FanOut({
      tracker: this.#tracker,
      clock,
      log,
      nodes: () => this.#sessions.values(),
      again: (node) => {
        this.#request(node);
      },
      places: new Places(SWEEPING, clock),
    });
    const { tokenKey: key, cache } = options;
    this.#tokens =
      key &&
      new TokenKeeper({
        cache,
        key,
        clock,
        log,
        isHeld: (node) => this.#held.has(this.shardOf(node)),
        deliver: (type, tokens) => {
          this.#requestAll(this.#tracker.observe(type, tokens, clock.monotonic()));
        },
      });
    this.#staticPods = options.execute && new StaticPodKeeper({ cache, execute: options.execute, clock, log });
    this.#writer = new StatusWriter({
      ...options,
      beatsAreHeard: options.beatsAreHeard ?? (() => options.heard !== undefined),
    });
  }

  /**
   * Call once, when the cache is synced and a recovery, if any, is done. No node is spoken to before {@link take}, which
   * is for when this resolves. Throws the signal's reason.
   */
  async start(signal: AbortSignal): Promise<void> {
    const { cache } = this.#options;
    const held = new HeldChanges(cache, (type, object, previous) => {
      this.#onChange(type, object, previous);
    });
    this.#unsubscribe = held.stop;
    for (const objects of TAKEN_IN.map((kind): readonly Stored[] => cache.list(kind)))
      for (const object of objects) {
        if (turns.isOver) await turns.next();
        signal.throwIfAborted();
        this.#onChange('put', object, undefined);
      }
    await held.release(signal);
    // Agents that hold all of it are recognised.
    this.#tracker.publish();
    const { planes, clock } = this.#options;
    if (!planes) return;
    this.#exchange = new Exchange({
      planes,
      tracker: this.#tracker,
      clock,
      held: () => [...this.#held.keys()],
      elsewhere: () => this.#elsewhere,
      position: () => Number(cache.resourceVersion),
      changed: (nodes) => {
        this.#requestAll(nodes);
      },
    });
    this.#await();
  }

  /**
   * The shard's nodes are spoken to from here. `epoch` is the fence that their agents check: a sender with a lower one is
   * refused.
   */
  take(shard: number, epoch: number): void {
    if (this.#stopping.signal.aborted || this.#held.has(shard)) return;
    const { cache, queue, concurrency } = this.#options;
    const worker = queue.work(`nodes.${shard}`, concurrency ?? DEFAULT_CONCURRENCY, async (node, signal) => {
      await this.#pushOrLeave(node, signal);
      return {};
    });
    this.#held.set(shard, { epoch, worker });
    this.#tokens?.taken();
    for (const machine of cache.list('Machine'))
      if (this.shardOf(machine.metadata.name) === shard) this.#begin(machine, epoch);
    this.#countShard(shard);
  }

  /** A push that takes long goes on without a worker: nodes that are off hold up nobody. */
  async #pushOrLeave(node: string, signal: AbortSignal): Promise<void> {
    if (turns.isOver) await turns.next();
    const push = this.#sessions.get(node)?.push(signal) ?? Promise.resolve();
    let isOver = false;
    let isLate = false;
    const done = push.finally(() => {
      isOver = true;
    });
    done.catch(() => {
      if (isLate) this.#request(node);
    });
    const left = late(this.#options.clock, () => isOver).then((tooLong) => {
      isLate = tooLong;
    });
    await Promise.race([done, left]);
  }

  /** They are spoken to from here no longer; their agents go on. Resolves when nothing of it runs any more. */
  async leave(shard: number, graceMs?: number): Promise<void> {
    const held = this.#held.get(shard);
    this.#held.delete(shard);
    if (!held) return;
    // Before its nodes are left: their rules count all the time.
    this.#countShard(shard);
    const names = [...this.#sessions.keys()].filter((name) => this.shardOf(name) === shard);
    const ending: (Promise<void> | undefined)[] = [];
    for (const name of names) {
      if (turns.isOver) await turns.next();
      ending.push(this.#sessions.get(name)?.close());
      this.#sessions.delete(name);
      this.#requestAll(this.#tracker.handOver(name));
      this.#writer.left(name);
      this.#staticPods?.left(name);
    }
    for (const { session, back } of this.#departing)
      if (this.shardOf(session.name) === shard) back.abort(new Error('the shard is held elsewhere now'));
    await Promise.all([...ending, held.worker.close(graceMs)]);
  }

  /** The shard that a node is in. */
  shardOf(node: string): number {
    return shardOf(node, this.#shards);
  }

  /**
   * The connection to a node whose agent answers; undefined while there is none (the Node's `Connected` condition says
   * why).
   */
  connectionTo(node: string): NodeConnection | undefined {
    return this.#sessions.get(node)?.connection;
  }

  /** The node's agent behind that connection. */
  agentOf(node: string): AgentClient | undefined {
    return this.#sessions.get(node)?.client;
  }

  /**
   * Ends all sessions; agents go on alone. A push that runs ends with its session's connection, and is made again by
   * whoever connects next.
   */
  async close(graceMs?: number): Promise<void> {
    this.#stopping.abort(new Error('the node sync is being closed'));
    const exchanged = this.#exchange?.close();
    this.#unsubscribe?.();
    for (const session of this.#sessions.values()) this.#end(session.close());
    this.#sessions.clear();
    await Promise.all([...this.#ending, ...[...this.#held.values()].map(({ worker }) => worker.close(graceMs))]);
    this.#held.clear();
    await Promise.all([
      this.#flushing,
      this.#expiring,
      this.#fanOut.close(),
      this.#tokens?.close(),
      this.#staticPods?.close(),
      exchanged,
    ]);
    await this.#writer.close();
  }

  #onChange(type: 'put' | 'delete', object: Stored, previous: Stored | undefined): void {
    if (object.kind === 'Machine') this.#machineChanged(type, object);
    this.#requestAll(this.#tracker.observe(type, object, this.#options.clock.monotonic()));
    this.#tokens?.observe(type, object, previous);
    this.#staticPods?.observe(type, object, previous);
    this.#fanOut.noticed();
    this.#await();
    // Somebody who replaced the status, or made the object anew, may have lost what was known of it.
    if ((object.kind === 'Machine' || object.kind === 'Node') && type === 'put' && previous === undefined)
      this.#writer.appeared(keyOf(object));
  }

  /** While a pod waits for others to let go of it. */
  #await(): void {
    if (this.#tracker.nextExpiry() === undefined || this.#stopping.signal.aborted) return;
    this.#expiring ??= this.#expire();
    this.#exchange?.begin();
  }

  #machineChanged(type: 'put' | 'delete', machine: StoredMachine): void {
    const { name } = machine.metadata;
    const session = this.#sessions.get(name);
    const shard = this.shardOf(name);
    const held = this.#held.get(shard);
    if (!held) {
      if (type === 'delete') this.#tracker.removed(name);
      if (type === 'delete' || !this.#elsewhere.has(shard)) this.#countShard(shard);
      return;
    }
    if (type === 'delete') {
      this.#staticPods?.left(name);
      this.#sessions.delete(name);
      this.#requestAll(this.#tracker.leave(name, this.#options.clock.monotonic()));
      this.#writer.forget(objectKey('Machine', undefined, name));
      this.#writer.forget(objectKey('Node', undefined, name));
      if (session) this.#end(this.#retire(session, held.epoch, this.#tracker.mayEnd(name)));
    } else if (!session) {
      this.#begin(machine, held.epoch);
    } else if (isSameHost(session.machine.spec, machine.spec)) {
      session.update(machine);
    } else {
      this.#sessions.delete(name);
      this.#end(this.#retire(session, held.epoch, true));
      this.#begin(machine, held.epoch);
    }
  }

  /** Whether the rules of the shard's nodes are heard of from others, or from the nodes. */
  #countShard(shard: number): void {
    const { cache, planes } = this.#options;
    const counts =
      planes !== undefined &&
      !this.#held.has(shard) &&
      cache.list('Machine').some(({ metadata }) => this.shardOf(metadata.name) === shard);
    if (counts === this.#elsewhere.has(shard)) return;
    if (counts) {
      this.#elsewhere.add(shard);
      this.#tracker.joinShard(shard);
    } else {
      this.#elsewhere.delete(shard);
      this.#requestAll(this.#tracker.leaveShard(shard));
    }
  }

  /**
   * When the other nodes' rules have let go of its pods, or have had their time. One that does not answer then is tried
   * on: it would run its pods for ever beside those that replace them.
   */
  async #retire(session: NodeSession, epoch: number, mayEnd: boolean): Promise<void> {
    const back = new AbortController();
    using hurry = joinSignals(back.signal, this.#stopping.signal);
    let departing: Departing | undefined;
    const departed = new Promise<void>((resolve) => {
      this.#departing.add((departing = { session, mayEnd: resolve, back }));
      if (mayEnd) resolve();
    });
    const told = await session.retire(departed, hurry.signal);
    if (!told && !hurry.signal.aborted) await tellWhenBack(session.machine, this.#sessionDeps(epoch), hurry.signal);
    if (departing) this.#departing.delete(departing);
  }

  #begin(machine: StoredMachine, epoch: number): void {
    const { name } = machine.metadata;
    for (const departing of this.#departing) {
      const hasName = departing.session.name === name;
      if (hasName) departing.session.supersede();
      const isBack = (hasName ? isSameHost : isSamePlace)(departing.session.machine.spec, machine.spec);
      if (isBack) departing.back.abort(new Error('the machine is there again'));
      // Another one takes its name over, and its pods with it.
      else if (hasName) departing.mayEnd();
    }
    const started = new NodeSession(machine, this.#sessionDeps(epoch));
    this.#sessions.set(name, started);
    this.#tracker.join(name, this.#options.clock.monotonic());
    started.start();
  }

  #sessionDeps(epoch: number): NodeSessionDeps {
    const { cache, store, recorder, transport, payloads, clock, log, random } = this.#options;
    return {
      cache,
      store,
      recorder,
      transport,
      payloads,
      clock,
      log,
      epoch,
      random: random ?? Math.random,
      tracker: this.#tracker,
      writer: this.#writer,
      openings: this.#openings,
      heard: this.#options.heard ?? (() => undefined),
      requestPush: (node) => {
        this.#request(node);
      },
      staticPods: (node, files) => {
        this.#staticPods?.told(node, files);
      },
    };
  }

  #end(ending: Promise<void>): void {
    const tracked = ending
      .catch((error: unknown) => {
        this.#options.log.warn('a node session did not end well', { error: String(error) });
      })
      .finally(() => {
        this.#ending.delete(tracked);
      });
    this.#ending.add(tracked);
  }

  /** Pods that are withheld have their time, also where a node never lets go of them. */
  async #expire(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#stopping;
    for (let at = this.#tracker.nextExpiry(); at !== undefined && !signal.aborted; at = this.#tracker.nextExpiry()) {
      await clock.sleep(Math.max(0, at - clock.monotonic()), signal).catch(() => undefined);
      if (!signal.aborted) this.#requestAll(this.#tracker.expire(clock.monotonic()));
    }
    this.#expiring = undefined;
  }

  #requestAll(nodes: readonly string[]): void {
    for (const node of nodes) this.#request(node);
  }

  /** Collects nodes until the event loop's turn ends, then asks for all of a shard in one round trip. */
  #request(node: string): void {
    for (const { session, mayEnd } of this.#departing)
      if (session.name === node && this.#tracker.mayEnd(node)) mayEnd();
    if (!this.#sessions.has(node) || this.#stopping.signal.aborted) return;
    this.#requested.add(node);
    this.#flushing ??= this.#flush();
  }

  async #flush(): Promise<void> {
    const { queue, clock, log } = this.#options;
    const { signal } = this.#stopping;
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    while (this.#requested.size > 0 && !signal.aborted) {
      const nodes = [...this.#requested];
      this.#requested.clear();
      try {
        const shards = groupBy(nodes, (node) => this.shardOf(node));
        await Promise.all([...shards].map(([shard, some]) => queue.addMany(`nodes.${shard}`, some)));
      } catch (error) {
        if (signal.aborted) break;
        log.debug('nodes wait for the queue', { nodes: nodes.length, error: String(error) });
        for (const node of nodes) this.#requested.add(node);
        await clock.sleep(ENQUEUE_AGAIN_MS, signal).catch(() => undefined);
      }
    }
    this.#flushing = undefined;
  }
}
