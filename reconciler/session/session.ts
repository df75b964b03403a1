/** One session: its parts, in the order in which they start. */
import { asError } from '../../contracts/errors.ts';
import { unlessAborted } from '../../contracts/signals.ts';
import { startApi, type ControlPlaneInfo } from '../api/index.ts';
import { DESCHEDULER_NAME } from '../controllers/descheduling/descheduler.ts';
import { rebalance } from '../controllers/descheduling/rebalance.ts';
import { allControllers } from '../controllers/index.ts';
import { NodeSync } from '../controllers/nodes/node-sync.ts';
import { StoreCache } from '../controllers/runtime/cache.ts';
import { EventRecorder } from '../controllers/runtime/event-recorder.ts';
import { Writer } from '../controllers/runtime/writer.ts';
import { ControllerManager } from '../controllers/runtime/manager.ts';
import { SchedulingLane } from '../controllers/scheduling/lane.ts';
import { planRevision, SyncController } from '../controllers/sync/index.ts';
import { NodeMonitor } from '../core/health/node-monitor.ts';
import type { AgentPayloads } from '../ports/agent-payloads.ts';
import type { Clock } from '../ports/clock.ts';
import type { GitSource } from '../ports/git-source.ts';
import type { Ids } from '../ports/ids.ts';
import type { Log } from '../ports/log.ts';
import type { NodeTransport } from '../ports/node-transport.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import type { WorkQueue } from '../ports/work-queue.ts';
import { type Part, Parts, together } from './part.ts';
import { rebuild } from './rebuild.ts';
import type { Session } from './sessions.ts';

/** What lives as long as the process, or is made anew for each session. */
export interface SessionOptions {
  readonly sourceName: string;
  readonly git: GitSource;
  readonly transport: NodeTransport;
  readonly payloads: AgentPayloads;
  readonly makeStore: () => ObjectStore;
  readonly makeQueue: () => WorkQueue;
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
  readonly epoch: number;
  readonly store: ObjectStore;
  readonly cache: StoreCache;
  /** Resolves with what the cache cannot go on after; undefined when it was closed. */
  readonly lost: Promise<Error | undefined>;
  readonly queue: WorkQueue;
  readonly recorder: EventRecorder;
  readonly writer: Writer;
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
    const sync = await startSync(options, state, parts);
    const work = await startWork(options, state, parts);
    await beforeApi();
    await startAnswers(options, state, sync, work, parts);
    return { ended: state.lost, close: () => parts.close() };
  } catch (error) {
    await parts.close();
    throw error;
  }
}

async function startState(options: SessionOptions, parts: Parts): Promise<State> {
  const { clock, log } = options;
  const store = options.makeStore();
  const opened = await parts.start({
    name: 'store',
    async start(signal) {
      const { fresh, incarnation } = await store.open(signal);
      const epoch = fresh
        ? await rebuild({ ...options, store, incarnation }, signal)
        : await store.nextEpoch(0, signal);
      return { fresh, incarnation, epoch };
    },
    close: () => store.close(),
  });
  const cache = new StoreCache({ store, clock, log });
  const following = new AbortController();
  let lost: State['lost'] = Promise.resolve(undefined);
  await parts.start({
    name: 'cache',
    async start(signal) {
      lost = cache.run(following.signal).then(() => undefined, asError);
      await cache.waitSynced(signal);
    },
    async close() {
      following.abort();
      await lost;
    },
  });
  const queue = options.makeQueue();
  await parts.start({ name: 'queues', start: () => undefined, close: () => queue.close() });
  const recorder = new EventRecorder({ cache, clock, log });
  await parts.start(recorderPart(recorder));
  return { ...opened, store, cache, lost, queue, recorder, writer: new Writer({ cache, recorder, clock }) };
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

async function startSync(options: SessionOptions, state: State, parts: Parts): Promise<SyncController> {
  const { sourceName, git, clock, log } = options;
  const { fresh, cache, lost, queue, writer } = state;
  const sync = new SyncController(sourceName, {
    git,
    view: cache,
    execute: (steps, by, signal) => writer.attempt(steps, by, signal),
    queue,
    clock,
    log,
  });
  await parts.start({
    name: 'sync',
    async start(signal) {
      cache.subscribe((type, object, previous) => {
        sync.changed(type, object, previous);
      });
      sync.start();
      // After a recovery the machines are known to Git alone: controllers that saw nodes without machines would remove
      // them.
      const ended = lost.then((error) => Promise.reject(error ?? new Error('closed')));
      if (fresh) await unlessAborted(signal, Promise.race([sync.firstSync, ended]));
    },
    close: () => sync.close(GRACE_MS),
  });
  return sync;
}

interface Work {
  readonly lane: SchedulingLane;
  readonly nodes: NodeSync;
}

async function startWork(options: SessionOptions, state: State, parts: Parts): Promise<Work> {
  const { transport, payloads, clock, ids, log } = options;
  const { cache, store, queue, recorder, writer, epoch, incarnation } = state;
  const monitor = new NodeMonitor();
  const controllers = allControllers(monitor);
  const manager = new ControllerManager({ queue, cache, recorder, clock, ids, log, controllers });
  const lane = new SchedulingLane({ queue, cache, writer, clock, log });
  const nodes = new NodeSync({
    cache,
    store,
    incarnation,
    recorder,
    queue,
    transport,
    payloads,
    clock,
    log,
    epoch,
    heard: (node) => {
      monitor.hears(node, clock.monotonic());
    },
  });
  await parts.start(together(worker('controllers', manager), worker('scheduling', lane), worker('nodes', nodes)));
  return { lane, nodes };
}

/** A part that works a queue. */
function worker(name: string, work: { start(): void; close(graceMs: number): Promise<void> }): Part {
  return {
    name,
    start: () => {
      work.start();
    },
    close: () => work.close(GRACE_MS),
  };
}

async function startAnswers(
  options: SessionOptions,
  state: State,
  sync: SyncController,
  { lane, nodes }: Work,
  parts: Parts,
): Promise<void> {
  const { sourceName, git, clock, log } = options;
  const { store, cache, queue, writer } = state;
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
        storeProblem: () => store.problem ?? queue.problem,
        plan: (rev, format, signal) =>
          planRevision(sync.reader, git, cache, sourceName, { rev, format, now: clock.now() }, signal),
        explainPlacement: (pod) => lane.pending?.explain(pod),
        rollback: (request, signal) => sync.rollBack(request, signal),
        rebalance: (order, signal) =>
          rebalance(
            { view: cache, clock, execute: (steps, during) => writer.attempt(steps, DESCHEDULER_NAME, during) },
            order,
            signal,
          ),
        submit: (steps, by, signal) => writer.submit(steps, by, signal),
        connectionTo: (name) => nodes.connectionTo(name),
        onChange: (listener) => cache.subscribe(listener),
      }),
    close: (api) => api?.close(),
  });
}
