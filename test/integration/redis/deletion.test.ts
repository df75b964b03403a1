/** Deletions of a whole Deployment, with all controllers over a real Redis and its queues. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { objectKey, type Stored } from '../../../contracts/objects/index.ts';
import { BullWorkQueue } from '../../../reconciler/adapters/bullmq/work-queue.ts';
import { RedisObjectStore } from '../../../reconciler/adapters/redis/object-store.ts';
import { SystemClock } from '../../../reconciler/adapters/system/clock.ts';
import { CryptoIds } from '../../../reconciler/adapters/system/ids.ts';
import { allControllers } from '../../../reconciler/controllers/index.ts';
import { StoreCache } from '../../../reconciler/controllers/runtime/cache.ts';
import { EventRecorder } from '../../../reconciler/controllers/runtime/event-recorder.ts';
import { ControllerManager } from '../../../reconciler/controllers/runtime/manager.ts';
import { Writer } from '../../../reconciler/controllers/runtime/writer.ts';
import { SchedulingLane } from '../../../reconciler/controllers/scheduling/lane.ts';
import type { DeletionPropagation, Step } from '../../../reconciler/core/step.ts';
import { SILENT_LOG } from '../../../reconciler/ports/log.ts';
import { startTestRedis } from '../../support/redis.ts';
import { startAgents, type Agents } from '../../unit/controllers/agents.ts';
import { cluster, deployment, machine } from '../../unit/controllers/objects.ts';

const PATIENCE_MS = 60_000;
const KEY = objectKey('Deployment', 'default', 'web');

describe('the deletion of a Deployment', () => {
  const clock = new SystemClock();
  const log = SILENT_LOG;
  let closers: (() => Promise<unknown>)[];
  let stop: AbortController;
  let cache: StoreCache;
  let writer: Writer;
  let agents: Agents;
  /** Kinds in the order in which their objects went. */
  let gone: string[];

  beforeEach(async () => {
    closers = [];
    gone = [];
    stop = new AbortController();
    const redis = await startTestRedis();
    closers.unshift(() => redis.close());
    const connection = redis.connection;
    const ids = new CryptoIds();
    const store = new RedisObjectStore({ connection, cluster: 'test', sealKey: Buffer.alloc(32, 1), clock, ids });
    closers.unshift(() => store.close());
    await store.open(stop.signal);
    cache = new StoreCache({ store, clock, log });
    const following = cache.run(stop.signal);
    closers.unshift(async () => {
      stop.abort();
      await following;
    });
    await cache.waitSynced(stop.signal);
    const queue = new BullWorkQueue({ connection, cluster: 'test', log });
    closers.unshift(() => queue.close());
    const recorder = new EventRecorder({ cache, clock, log });
    closers.unshift(() => recorder.close());
    writer = new Writer({ cache, recorder, clock });
    agents = startAgents({ cache, writer, clock }, stop.signal);
    await make(cluster(), machine('n1'), deployment({ replicas: 2 }));
    const manager = new ControllerManager({ queue, cache, recorder, clock, ids, log, controllers: allControllers() });
    const lane = new SchedulingLane({ queue, cache, writer, clock, log });
    closers.unshift(() => Promise.all([manager.close(0), lane.close(0)]));
    manager.start();
    lane.start();
    await until('two pods run', () => ready() === 2);
    cache.subscribe((type, { kind }) => {
      if (type === 'delete' && kind !== 'Event') gone.push(kind);
    });
  });
  afterEach(async () => {
    for (const close of closers) await close();
  });

  const make = (...objects: readonly Extract<Step, { do: 'create' }>['object'][]): Promise<void> =>
    writer.submit(
      objects.map((object) => ({ do: 'create', object })),
      'git:test',
      stop.signal,
    );
  const remove = (propagation: DeletionPropagation): Promise<void> => {
    const { uid } = (cache.get(KEY) ?? assert.fail()).metadata;
    return writer.submit([{ do: 'delete', key: KEY, uid, propagation }], 'user:test', stop.signal);
  };
  const ready = (): number => cache.get(KEY)?.status?.readyReplicas ?? 0;
  const uids = (kind: 'ReplicaSet' | 'Pod'): string[] => cache.list(kind).map(({ metadata }) => metadata.uid);
  const isEnding = ({ metadata }: Stored): boolean => metadata.deletionTimestamp !== undefined;

  function until(what: string, look: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (error?: Error): void => {
        clearTimeout(timer);
        unsubscribe();
        if (error) reject(error);
        else resolve();
      };
      const timer = setTimeout(() => {
        end(new Error(`not within ${PATIENCE_MS / 1000} s: ${what}; gone: ${gone.join(', ')}`));
      }, PATIENCE_MS);
      const unsubscribe = cache.subscribe(() => {
        if (look()) end();
      });
      if (look()) end();
    });
  }

  it('in the foreground waits for its ReplicaSet, which waits for its pods', async () => {
    agents.holdPods();
    await remove('Foreground');
    await until('its pods are told to go', () => cache.list('Pod').every(isEnding));
    assert.deepEqual([cache.list('Pod').length, cache.list('ReplicaSet').map(isEnding)], [2, [true]]);
    assert.deepEqual(cache.get(KEY)?.metadata.finalizers, ['foregroundDeletion']);
    agents.endPods();
    await until('the Deployment is gone', () => cache.get(KEY) === undefined);
    assert.deepEqual(gone, ['Pod', 'Pod', 'ReplicaSet', 'Deployment']);
  });

  it('in the background is done before them, and they follow', async () => {
    await remove('Background');
    await until('all are gone', () => uids('Pod').length === 0 && uids('ReplicaSet').length === 0);
    assert.deepEqual(gone, ['Deployment', 'ReplicaSet', 'Pod', 'Pod']);
  });

  it('that orphans leaves them as they are, and another Deployment with its selector has them again', async () => {
    const before = { sets: uids('ReplicaSet'), pods: uids('Pod') };
    await remove('Orphan');
    await until('the Deployment is gone', () => cache.get(KEY) === undefined);
    assert.deepEqual(gone, ['Deployment']);
    assert.deepEqual(
      cache.list('ReplicaSet').map(({ metadata }) => metadata.ownerReferences ?? []),
      [[]],
    );
    await make(deployment({ replicas: 2 }));
    await until('the pods are those of the new Deployment', () => ready() === 2);
    const owner = cache.get(KEY) ?? assert.fail();
    assert.deepEqual(
      cache.list('ReplicaSet').map(({ metadata }) => metadata.ownerReferences?.map(({ uid }) => uid)),
      [[owner.metadata.uid]],
    );
    assert.deepEqual({ sets: uids('ReplicaSet'), pods: uids('Pod') }, before);
    assert.deepEqual(gone, ['Deployment']);
  });
});
