/**
 * Pods through the whole control plane's way: created in Redis as a controller does it, seen by the cache, asked for
 * through BullMQ, placed by the lane, bound in Redis with an event each. Redis is a private server on this machine;
 * everything else is this process. The floor, in the same run: the same creations and the same bindings written to the
 * store by nobody but the store.
 */
import { randomBytes } from 'node:crypto';
import { isCustom, type KubeObject, type Pod, type StoredPod } from '../../contracts/objects/index.ts';
import { BullWorkQueue } from '../../reconciler/adapters/bullmq/work-queue.ts';
import { RedisObjectStore } from '../../reconciler/adapters/redis/object-store.ts';
import { SystemClock } from '../../reconciler/adapters/system/clock.ts';
import { CryptoIds } from '../../reconciler/adapters/system/ids.ts';
import { StoreCache } from '../../reconciler/controllers/runtime/cache.ts';
import { EventRecorder } from '../../reconciler/controllers/runtime/event-recorder.ts';
import { Writer, type StepProblem } from '../../reconciler/controllers/runtime/writer.ts';
import { SchedulingLane } from '../../reconciler/controllers/scheduling/lane.ts';
import type { PendingPods } from '../../reconciler/controllers/scheduling/pending-pods.ts';
import type { Step } from '../../reconciler/core/step.ts';
import { SILENT_LOG } from '../../reconciler/ports/log.ts';
import type { QueueName, WorkQueue } from '../../reconciler/ports/work-queue.ts';
import { startTestRedis, type TestRedis } from '../../test/support/redis.ts';
import { cpuNow } from './cpu.ts';
import { DEFAULT_POD, makeNodes, makePods } from './objects.ts';

export interface EndToEnd {
  readonly nodes: number;
  readonly pods: number;
  /** From the first pod's creation until the last binding was answered by the store. */
  readonly totalMs: number;
  readonly createdMs: number;
  readonly firstBindingMs: number;
  /** Waking the lane: from the first request to BullMQ until its job ran. */
  readonly wakingMs: number;
  readonly passes: number;
  /** Sum over passes of choosing nodes. Nothing else runs in this process meanwhile. */
  readonly placingMs: number;
  /** Sum over passes of writing bindings; creations, events and the next pass go on meanwhile. */
  readonly writingMs: number;
  /** Processor time of this process, and of redis-server. */
  readonly cpuMs: number;
  readonly redisCpuMs: number;
  /** The creations and bindings alone, one after the other; by the clock, and processor time of this process. */
  readonly floorMs: number;
  readonly floorCpuMs: number;
}

const NODES = 1000;
const PODS = 5000;
/** As the lane binds. */
const FLOOR_BATCH = 200;
/** Pods that a controller creates in one write. */
const CREATE_BATCH = 500;
const LONGEST_MS = 120_000;
/** One for all instances: they work on one store. */
const SEAL_KEY = randomBytes(32);

export async function endToEnd(rounds: number): Promise<EndToEnd> {
  const redis = await startTestRedis();
  try {
    await round(redis, NODES / 10, PODS / 10);
    const results: EndToEnd[] = [];
    for (let i = 0; i < rounds; i++) results.push(await round(redis, NODES, PODS));
    const median = results.sort((a, b) => a.totalMs - b.totalMs)[Math.floor(rounds / 2)];
    if (!median) throw new Error('at least one round is needed');
    return median;
  } finally {
    await redis.close();
  }
}

/** Pods as a controller gives them to the store. */
function newPods(count: number): Pod[] {
  return makePods(count, DEFAULT_POD).map(({ metadata: { name, namespace, labels }, ...pod }): Pod => ({
    ...pod,
    metadata: { name, ...(namespace !== undefined && { namespace }), ...(labels && { labels }) },
  }));
}

async function round(redis: TestRedis, nodes: number, pods: number): Promise<EndToEnd> {
  const least = await floor(redis, nodes, pods);
  await redis.client.flushall();
  const signal = AbortSignal.timeout(LONGEST_MS);
  const stop = new AbortController();
  const clock = new SystemClock();
  const store = openStore(redis);
  await store.open(signal);
  await store.write(
    makeNodes(nodes).map(({ metadata: { name, labels }, ...node }) => ({
      op: 'create',
      object: { ...node, metadata: { name, ...(labels && { labels }) } },
    })),
    signal,
  );
  await store.markReady(signal);
  const cache = new StoreCache({ store, clock, log: SILENT_LOG });
  const following = cache.run(stop.signal);
  await cache.waitSynced(signal);
  const queue = new WatchedQueue(
    new BullWorkQueue({ connection: redis.connection, cluster: 'bench', log: SILENT_LOG }),
  );
  const recorder = new EventRecorder({ cache, clock, log: SILENT_LOG });
  recorder.start();
  const writer = new WatchedWriter({ cache, recorder, clock });
  const lane = new SchedulingLane({ queue, cache, writer, clock, log: SILENT_LOG });
  lane.start();
  const placing = watchPasses(lane.pending);
  const bindings = new Bindings(cache, pods);
  try {
    const cpu = cpuNow();
    const redisCpu = await redisCpuMs(redis);
    const started = performance.now();
    const objects = newPods(pods);
    for (let at = 0; at < pods; at += CREATE_BATCH) await create(cache, objects.slice(at, at + CREATE_BATCH), signal);
    const createdMs = performance.now() - started;
    await bindings.all(signal);
    const result = {
      nodes,
      pods,
      totalMs: performance.now() - started,
      createdMs,
      firstBindingMs: bindings.first - started,
      wakingMs: queue.wakingMs,
      passes: placing.passes,
      placingMs: placing.ms,
      writingMs: writer.ms,
      cpuMs: (cpuNow() - cpu) / 1000,
      redisCpuMs: (await redisCpuMs(redis)) - redisCpu,
      floorMs: least.ms,
      floorCpuMs: least.cpuMs,
    };
    await checkBound(redis, pods, signal);
    return result;
  } finally {
    await lane.close(0);
    await recorder.close();
    await queue.close();
    stop.abort();
    await following;
    await store.close();
  }
}

function openStore(redis: TestRedis): RedisObjectStore {
  return new RedisObjectStore({
    connection: redis.connection,
    cluster: 'bench',
    sealKey: SEAL_KEY,
    clock: new SystemClock(),
    ids: new CryptoIds(),
  });
}

async function create(
  cache: Pick<StoreCache, 'write'>,
  objects: readonly KubeObject[],
  signal: AbortSignal,
): Promise<void> {
  for (const result of await cache.write(
    objects.map((object) => ({ op: 'create', object })),
    signal,
  ))
    if (!result.ok) throw new Error(result.message);
}

/** The creations and the bindings alone. */
async function floor(redis: TestRedis, nodes: number, pods: number): Promise<{ ms: number; cpuMs: number }> {
  await redis.client.flushall();
  const signal = AbortSignal.timeout(LONGEST_MS);
  const store = openStore(redis);
  await store.open(signal);
  const cpu = cpuNow();
  const started = performance.now();
  const created: StoredPod[] = [];
  const objects = newPods(pods);
  for (let at = 0; at < pods; at += CREATE_BATCH) {
    for (const result of await store.write(
      objects.slice(at, at + CREATE_BATCH).map((object) => ({ op: 'create', object })),
      signal,
    )) {
      if (result.ok && !isCustom(result.object) && result.object.kind === 'Pod') created.push(result.object);
    }
  }
  for (let at = 0; at < pods; at += FLOOR_BATCH) {
    await store.write(
      created.slice(at, at + FLOOR_BATCH).map((pod, i) => ({
        op: 'update',
        object: { ...pod, spec: { ...pod.spec, nodeName: `node-${(at + i) % nodes}` } },
      })),
      signal,
    );
  }
  const took = { ms: performance.now() - started, cpuMs: (cpuNow() - cpu) / 1000 };
  await store.close();
  return took;
}

/** Tells when the store has bound all pods: the cache shows a write once the store answered it. */
class Bindings {
  first = Number.NaN;
  #missing: number;
  readonly #done: Promise<void>;

  constructor(cache: StoreCache, pods: number) {
    this.#missing = pods;
    this.#done = new Promise((resolve) => {
      cache.subscribe((type, object, previous) => {
        if (type !== 'put' || object.kind !== 'Pod' || object.spec.nodeName === undefined) return;
        if (previous?.kind === 'Pod' && previous.spec.nodeName !== undefined) return;
        if (Number.isNaN(this.first)) this.first = performance.now();
        if (--this.#missing === 0) resolve();
      });
    });
  }

  async all(signal: AbortSignal): Promise<void> {
    await Promise.race([
      this.#done,
      new Promise((_resolve, reject) => {
        signal.addEventListener(
          'abort',
          () => {
            reject(new Error(`${this.#missing} pods were not bound in ${LONGEST_MS / 1000} s`));
          },
          { once: true },
        );
      }),
    ]);
  }
}

/** Asks the store itself, through a connection of its own. */
async function checkBound(redis: TestRedis, pods: number, signal: AbortSignal): Promise<void> {
  const store = openStore(redis);
  await store.open(signal);
  const { objects } = await store.list('Pod', signal);
  await store.close();
  const bound = objects.filter((object) => object.kind === 'Pod' && object.spec.nodeName !== undefined).length;
  if (bound !== pods) throw new Error(`the store has ${bound} bound pods, not ${pods}`);
}

async function redisCpuMs(redis: TestRedis): Promise<number> {
  const info = await redis.client.info('cpu');
  const seconds = (field: string): number => Number(new RegExp(`${field}:([0-9.]+)`).exec(info)?.[1] ?? Number.NaN);
  return (seconds('used_cpu_user') + seconds('used_cpu_sys')) * 1000;
}

/** Times each pass of the lane. */
function watchPasses(pending: PendingPods | undefined): { passes: number; ms: number } {
  const seen = { passes: 0, ms: 0 };
  if (!pending) throw new Error('the lane was not started');
  const pass = pending.pass.bind(pending);
  pending.pass = (...args) => {
    const started = performance.now();
    const result = pass(...args);
    seen.ms += performance.now() - started;
    if (result.tried > 0) seen.passes++;
    return result;
  };
  return seen;
}

class WatchedWriter extends Writer {
  ms = 0;

  override async attempt(
    steps: readonly Step[],
    component: string,
    signal: AbortSignal,
  ): Promise<readonly StepProblem[]> {
    const started = performance.now();
    try {
      return await super.attempt(steps, component, signal);
    } finally {
      this.ms += performance.now() - started;
    }
  }
}

/** Times from the first request until a job ran. */
class WatchedQueue implements WorkQueue {
  readonly #queue: WorkQueue;
  #asked: number | undefined;
  wakingMs = Number.NaN;

  constructor(queue: WorkQueue) {
    this.#queue = queue;
  }

  get problem(): string | undefined {
    return this.#queue.problem;
  }
  add(queue: QueueName, key: string): Promise<void> {
    this.#asked ??= performance.now();
    return this.#queue.add(queue, key);
  }
  addMany(queue: QueueName, keys: readonly string[]): Promise<void> {
    return this.#queue.addMany(queue, keys);
  }
  addAfter(queue: QueueName, key: string, delayMs: number): Promise<void> {
    return this.#queue.addAfter(queue, key, delayMs);
  }
  work(...[queue, concurrency, handler]: Parameters<WorkQueue['work']>): ReturnType<WorkQueue['work']> {
    return this.#queue.work(queue, concurrency, (key, signal) => {
      if (this.#asked !== undefined && Number.isNaN(this.wakingMs)) this.wakingMs = performance.now() - this.#asked;
      return handler(key, signal);
    });
  }
  onFailure(listener: Parameters<WorkQueue['onFailure']>[0]): void {
    this.#queue.onFailure(listener);
  }
  stats(): ReturnType<WorkQueue['stats']> {
    return this.#queue.stats();
  }
  close(): Promise<void> {
    return this.#queue.close();
  }
}
