/** One session: its parts, in the order in which they start. */
import { asError, errorText } from '../../contracts/errors.ts';
import { keyOf, objectKey, type AnyStored, type ObjectKey } from '../../contracts/objects/index.ts';
import { unlessAborted } from '../../contracts/signals.ts';
import { startApi, type ControlPlaneInfo } from '../api/index.ts';
import { DESCHEDULER_NAME } from '../controllers/descheduling/descheduler.ts';
import { rebalance } from '../controllers/descheduling/rebalance.ts';
import { Gatherer } from '../controllers/autoscaling/gatherer.ts';
import { Rounds } from '../controllers/autoscaling/rounds.ts';
import { nodesToSample } from '../controllers/autoscaling/targets.ts';
import { ISSUING, Issuing } from '../controllers/certificates/issuing.ts';
import { lostSecrets, VaultMirror } from '../controllers/certificates/vault-mirror.ts';
import { MeasureNow } from '../controllers/metrics/measure-now.ts';
import { Sampler } from '../controllers/metrics/sampler.ts';
import { allControllers, AUTOSCALING, CONTROLLER_GROUPS, MONITORING } from '../controllers/index.ts';
import type { AgentClient } from '../controllers/nodes/agent-client.ts';
import { NodeSync } from '../controllers/nodes/node-sync.ts';
import { worksOn } from '../controllers/runtime/controller.ts';
import { StoreCache, type ChangeListener } from '../controllers/runtime/cache.ts';
import { EventRecorder } from '../controllers/runtime/event-recorder.ts';
import { ControllerManager, queueOf } from '../controllers/runtime/manager.ts';
import { Membership } from '../controllers/runtime/membership.ts';
import { ShardKeeper } from '../controllers/runtime/shard-keeper.ts';
import { whileHeld } from '../controllers/runtime/while-held.ts';
import { Writer } from '../controllers/runtime/writer.ts';
import { SchedulingLane } from '../controllers/scheduling/lane.ts';
import { PendingPods } from '../controllers/scheduling/pending-pods.ts';
import type { OtherSources } from '../controllers/sync/other-sources.ts';
import { planRevision, Publishing, SyncController } from '../controllers/sync/index.ts';
import { NodeMonitor } from '../core/health/node-monitor.ts';
import { shardOf } from '../core/leases/shards.ts';
import type { SigningKey } from '../core/service-accounts/signing-key.ts';
import type { AcmeServers } from '../ports/acme-server.ts';
import type { ChallengeRecords } from '../ports/challenge-records.ts';
import type { AgentPayloads } from '../ports/agent-payloads.ts';
import type { CertificateVault } from '../ports/certificate-vault.ts';
import type { Clock } from '../ports/clock.ts';
import type { GitPublisher } from '../ports/git-publisher.ts';
import type { GitSource } from '../ports/git-source.ts';
import type { Ids } from '../ports/ids.ts';
import type { Leases } from '../ports/leases.ts';
import type { Log } from '../ports/log.ts';
import type { MetricsStore } from '../ports/metrics-store.ts';
import type { NodeTransport } from '../ports/node-transport.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import type { SecretDecryptor } from '../ports/secret-decryptor.ts';
import type { RenderEngines } from '../ports/render-engines.ts';
import type { SeriesSource } from '../ports/series-source.ts';
import type { WorkQueue } from '../ports/work-queue.ts';
import { type Part, Parts } from './part.ts';
import { endTurn, takeTurn } from './rebuild.ts';
import type { Session } from './sessions.ts';

/** What lives as long as the process, or is made anew for each session. */
export interface SessionOptions {
  readonly sourceName: string;
  readonly git: GitSource;
  /** Writes into the same repository what became of its revisions, where the Cluster asks for that. */
  readonly publisher: GitPublisher;
  /**
   * What hashes of ConfigMaps and Secrets are made with: the same after a restart, and in control planes that share a
   * store.
   */
  readonly configKey?: Uint8Array;
  /** Opens encrypted Secrets; without it ciphertext stands for them. */
  readonly decryptor?: SecretDecryptor;
  /** What Apps are rendered with. */
  readonly engines?: RenderEngines;
  /** Other repositories that Apps have their files from. */
  readonly otherSources?: OtherSources;
  readonly transport: NodeTransport;
  readonly payloads: AgentPayloads;
  readonly makeStore: () => ObjectStore;
  readonly makeQueue: () => WorkQueue;
  /** Of the store's incarnation that was opened. */
  readonly makeLeases: (incarnation: string) => Leases;
  readonly makeMetrics: (incarnation: string) => MetricsStore;
  readonly series: SeriesSource;
  /** Who issues certificates, and where what they issued is kept. */
  readonly acme: AcmeServers;
  readonly challengeRecords: ChallengeRecords;
  readonly vault: CertificateVault;
  /** Names this control plane's home, over restarts, and no other's. */
  readonly homeId: string;
  /** Where it runs, for people. */
  readonly label: string;
  /** Signs the tokens of pods. */
  readonly tokenKey: SigningKey;
  /** Of the API. */
  readonly socket: string;
  readonly info: ControlPlaneInfo;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly progress: (line: string) => void;
}

/** For passes that run when a session closes; what is cut short is done by the next control plane. */
const GRACE_MS = 1000;

/** What is done is done to this. */
interface State {
  readonly fresh: boolean;
  readonly incarnation: string;
  readonly store: ObjectStore;
  readonly membership: Membership;
  readonly cache: StoreCache;
  /** Resolves with what the session cannot go on after; undefined when it was closed. */
  readonly lost: Promise<Error | undefined>;
  readonly queue: WorkQueue;
  readonly recorder: EventRecorder;
  readonly writer: Writer;
  readonly metrics: MetricsStore;
}

/**
 * Everything runs when it resolves. Rejects with what kept a part from starting, or with the signal's reason, and all
 * parts are ended then.
 */
export async function openSession(
  options: SessionOptions,
  signal: AbortSignal,
  beforeApi: () => Promise<void>,
): Promise<Session> {
  const parts = new Parts(signal, options.log);
  try {
    const state = await startState(options, parts);
    const work = await startWork(options, state, parts);
    await beforeApi();
    await startAnswers(options, state, work, parts);
    return { ended: state.lost, close: () => parts.close() };
  } catch (error) {
    await parts.close();
    throw error;
  }
}

async function startState(options: SessionOptions, parts: Parts): Promise<State> {
  const { clock, log } = options;
  const store = options.makeStore();
  const { incarnation } = await parts.start({
    name: 'store',
    start: (signal) => store.open(signal),
    close: () => store.close(),
  });
  const membership = await startMembership(options, store, incarnation, parts);
  const { fresh } = await parts.start({
    name: 'rebuild',
    start: (signal) => takeTurn({ ...options, store, incarnation, membership }, signal),
    close: () => undefined,
  });
  const cache = new StoreCache({ store, clock, log });
  const following = new AbortController();
  let stream: State['lost'] = Promise.resolve(undefined);
  await parts.start({
    name: 'cache',
    async start(signal) {
      stream = cache.run(following.signal).then(() => undefined, asError);
      await cache.waitSynced(signal);
    },
    async close() {
      following.abort();
      await stream;
    },
  });
  const queue = options.makeQueue();
  await parts.start({ name: 'queues', start: () => undefined, close: () => queue.close() });
  const recorder = new EventRecorder({ cache, clock, log });
  await parts.start(recorderPart(recorder));
  const writer = new Writer({ cache, recorder, clock });
  const lost = Promise.race([stream, membership.over]);
  const metrics = options.makeMetrics(incarnation);
  await parts.start({ name: 'metrics', start: () => undefined, close: () => metrics.close() });
  return { fresh, incarnation, store, membership, cache, lost, queue, recorder, writer, metrics };
}

/** What it holds goes to others when all its work has ended, and before the store is closed. */
async function startMembership(
  options: SessionOptions,
  store: ObjectStore,
  incarnation: string,
  parts: Parts,
): Promise<Membership> {
  const { clock, log, homeId, label } = options;
  const leases = options.makeLeases(incarnation);
  const membership = new Membership({ leases, clock, log, home: homeId, label });
  await parts.start({
    name: 'membership',
    async start(signal) {
      await membership.join(signal);
      store.writeAs(membership.id);
    },
    async close() {
      await membership.leave();
      await leases.close();
    },
  });
  return membership;
}

function recorderPart(recorder: EventRecorder): Part {
  return {
    name: 'events',
    start: () => {
      recorder.start();
    },
    close: () => recorder.close(),
  };
}

interface Work {
  readonly sync: SyncController;
  /** Undefined while another control plane places pods. */
  readonly lane: () => SchedulingLane | undefined;
  readonly nodes: NodeSync;
  readonly keeper: ShardKeeper;
}

/** What this control plane works on, according to the shards that it holds. */
async function startWork(options: SessionOptions, state: State, parts: Parts): Promise<Work> {
  const { sourceName, git, transport, payloads, clock, ids, log } = options;
  const { fresh, store, membership, cache, lost, queue, recorder, writer, incarnation, metrics } = state;
  const { shards } = membership;
  const sync = new SyncController(sourceName, {
    git,
    view: cache,
    execute: (steps, by, signal) => writer.attempt(steps, by, signal),
    ...(options.configKey && { configKey: options.configKey }),
    ...(options.decryptor && { decryptor: options.decryptor }),
    ...(options.engines && { engines: options.engines }),
    ...(options.otherSources && { otherSources: options.otherSources }),
    queue,
    clock,
    log,
  });
  const publishing = new Publishing(sourceName, {
    git,
    publisher: options.publisher,
    reader: sync.reader,
    ...(options.configKey && { configKey: options.configKey }),
    view: cache,
    execute: (steps, by, signal) => writer.attempt(steps, by, signal),
    queue,
    clock,
    log,
  });
  /** Of the controllers that run here; undefined while they run elsewhere and hear of nodes through the store. */
  let monitor: NodeMonitor | undefined;
  const nodes = new NodeSync({
    cache,
    store,
    incarnation,
    shards,
    recorder,
    queue,
    transport,
    payloads,
    clock,
    log,
    heard: (node) => {
      monitor?.hears(node, clock.monotonic());
    },
    beatsAreHeard: () => monitor !== undefined,
    tokenKey: options.tokenKey,
    execute: (steps, by, signal) => writer.attempt(steps, by, signal),
    planes: membership,
  });
  await parts.start({
    name: 'nodes',
    start: (signal) => nodes.start(signal),
    close: () => nodes.close(GRACE_MS),
  });
  const sampler = new Sampler({
    view: cache,
    sourceOf: (node) => nodes.agentOf(node),
    wanted: () => nodesToSample(cache),
    store: metrics,
    clock,
    log,
  });
  await parts.start({
    name: 'sampler',
    start: () => {
      sampler.start();
    },
    close: () => sampler.close(),
  });
  const keeper = new ShardKeeper({
    membership,
    clock,
    log,
    reached: (version, signal) => cache.reached(version, signal),
    // Redis answers one connection's commands in their order.
    settled: async (signal) => {
      await store.get(objectKey('Namespace', undefined, 'default'), signal);
    },
  });
  const revisions = shardOf(`revisions/${sourceName}`, shards);
  keeper.add(whileHeld(revisions, () => syncing(sync, publishing, cache)));
  await parts.start({
    name: 'shards',
    async start(signal) {
      keeper.start();
      // After a recovery the machines are known to Git alone: controllers that saw nodes without machines would remove
      // them.
      // Whoever rebuilt may have died before that.
      const isHalf = cache.list('Machine').length === 0 && cache.list('Node').length > 0;
      if (fresh || isHalf) {
        const ended = lost.then((error) => Promise.reject(error ?? new Error('closed')));
        await unlessAborted(
          signal,
          Promise.race([sync.firstSync, heldByAnother(keeper, membership, revisions), ended]),
        );
      }
      if (fresh || isHalf) await putBack(options, state, signal);
      await endTurn(membership, signal);
    },
    close: () => keeper.close(),
  });
  const mirror = new VaultMirror({
    view: cache,
    subscribe: (listener) => cache.subscribe(listener),
    vault: options.vault,
    log,
  });
  await parts.start({
    name: 'vault',
    start: () => {
      mirror.start();
    },
    close: () => mirror.close(),
  });
  let lane: SchedulingLane | undefined;
  keeper.add(
    whileHeld(shardOf('scheduling', shards), () => {
      const made = new SchedulingLane({ queue, cache, writer, clock, log });
      made.start();
      lane = made;
      return {
        async close() {
          lane = undefined;
          await made.close(GRACE_MS);
        },
      };
    }),
  );
  for (const [group, make] of Object.entries(CONTROLLER_GROUPS))
    keeper.add(
      whileHeld(shardOf(`controllers/${group}`, shards), () => {
        const made = new NodeMonitor();
        const rounds = new Rounds();
        if (group === MONITORING) monitor = made;
        const controllers = make(made, rounds);
        const manager = new ControllerManager({ queue, cache, recorder, clock, ids, log, controllers });
        manager.start();
        const ask = async (keys: readonly ObjectKey[]): Promise<void> => {
          for (const controller of controllers) await queue.addMany(queueOf(controller), keys);
        };
        const gatherer =
          group === AUTOSCALING
            ? new Gatherer({ view: cache, rounds, metrics, series: options.series, ask, clock, log })
            : undefined;
        const issuing =
          group === ISSUING
            ? new Issuing({
                view: cache,
                subscribe: (listener) => cache.subscribe(listener),
                submit: (steps, signal) => writer.submit(steps, 'cert-manager', signal),
                vault: options.vault,
                acme: options.acme,
                records: options.challengeRecords,
                clock,
                log,
              })
            : undefined;
        gatherer?.start();
        issuing?.start();
        return {
          async close() {
            if (monitor === made) monitor = undefined;
            await gatherer?.close();
            await issuing?.close();
            await manager.close(GRACE_MS);
          },
        };
      }),
    );
  keeper.add({
    take: (shard, token) => {
      nodes.take(shard, token);
    },
    leave: (shard) => nodes.leave(shard, GRACE_MS),
  });
  askForGone(cache, queue, log);
  return { sync, lane: () => lane, nodes, keeper };
}

/** What was issued, before a proxy is told to serve nothing in its place. Without it the controllers ask for it anew. */
async function putBack({ vault, log }: SessionOptions, { cache, writer }: State, signal: AbortSignal): Promise<void> {
  try {
    const steps = await lostSecrets(cache, vault, signal);
    const refused = await writer.attempt(steps, 'cert-manager', signal);
    for (const { message } of refused) log.warn('a certificate of the vault was not put back', { message });
  } catch (error) {
    signal.throwIfAborted();
    log.error('the certificates of the vault were not put back', { error: errorText(error) });
  }
}

/**
 * Resolves when another control plane is seen to hold the shard. Whoever holds one has had its turn to open the store,
 * and it is ours now: so what Git asks for is in it.
 */
function heldByAnother(keeper: ShardKeeper, membership: Membership, shard: number): Promise<void> {
  return new Promise((resolve) => {
    const unsubscribe = membership.onLook(() => {
      const holder = keeper.holderOf(shard);
      if (holder === undefined || holder.id === membership.id) return;
      unsubscribe();
      resolve();
    });
  });
}

function syncing(sync: SyncController, publishing: Publishing, cache: StoreCache): { close(): Promise<void> } {
  const listener: ChangeListener<AnyStored> = (type, object, previous) => {
    sync.changed(type, object, previous);
    publishing.changed(object, previous);
  };
  const unsubscribe = [cache.subscribe(listener), cache.subscribeCustom(listener)];
  sync.start();
  publishing.start();
  return {
    async close() {
      for (const stop of unsubscribe) stop();
      await Promise.all([sync.close(GRACE_MS), publishing.close(GRACE_MS)]);
    },
  };
}

/** See `Controller.worksOnGone`. */
function askForGone(cache: StoreCache, queue: WorkQueue, log: Log): void {
  const controllers = allControllers().filter(({ worksOnGone }) => worksOnGone);
  cache.subscribe((type, object) => {
    if (type !== 'delete') return;
    for (const controller of controllers)
      if (worksOn(controller, object.kind))
        queue.add(queueOf(controller), keyOf(object)).catch((error: unknown) => {
          log.debug('a pass for what is gone is asked for by its holder alone', { error: errorText(error) });
        });
  });
}

async function startAnswers(
  options: SessionOptions,
  state: State,
  { sync, lane, nodes, keeper }: Work,
  parts: Parts,
): Promise<void> {
  const { sourceName, git, clock, log } = options;
  const { store, cache, queue, writer, metrics } = state;
  const heldElsewhere = (name: string): string | undefined => {
    const holder = keeper.holderOf(nodes.shardOf(name));
    return holder?.id === state.membership.id ? undefined : holder?.label;
  };
  const sourceOf = (name: string): AgentClient | undefined => nodes.agentOf(name);
  const measuring = new MeasureNow({ view: cache, sourceOf, store: metrics, heldElsewhere, clock });
  await parts.start({
    name: 'API',
    start: () =>
      startApi(options.socket, {
        view: cache,
        git,
        sourceName,
        clock,
        log,
        info: options.info,
        keySet: options.tokenKey.keySet,
        storeProblem: () => store.problem ?? queue.problem,
        plan: (rev, format, signal) =>
          planRevision(sync.reader, git, cache, sourceName, { rev, format, now: clock.now() }, signal),
        explainPlacement: (pod) => (lane()?.pending ?? PendingPods.of(cache)).explain(pod),
        rollback: (request, signal) => sync.rollBack(request, signal),
        rebalance: (order, signal) =>
          rebalance(
            { view: cache, clock, execute: (steps, during) => writer.attempt(steps, DESCHEDULER_NAME, during) },
            order,
            signal,
          ),
        submit: (steps, by, signal) => writer.submit(steps, by, signal),
        connectionTo: (name) => nodes.connectionTo(name),
        heldElsewhere,
        measure: (names, signal) => measuring.of(names, signal),
        onChange: (listener) => cache.subscribe(listener),
      }),
    close: (api) => api?.close(),
  });
}
