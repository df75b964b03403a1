/**
 * All controllers and the scheduling lane in the real runtime, over the memory store, with an agent that does what it
 * is told.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  conditionIsTrue,
  findCondition,
  kindOfKey,
  objectKey,
  type KubeObject,
  type ObjectKey,
  parseKey,
} from '../../../contracts/objects/index.ts';
import { allControllers } from '../../../reconciler/controllers/index.ts';
import { queueOf } from '../../../reconciler/controllers/runtime/manager.ts';
import { SchedulingLane } from '../../../reconciler/controllers/scheduling/lane.ts';
import { objectHealth } from '../../../reconciler/core/health/object-health.ts';
import { isActive } from '../../../reconciler/core/workloads/pod-state.ts';
import { world, type World } from '../runtime/world.ts';
import { startAgents } from './agents.ts';
import { cluster, deployment, machine, service } from './objects.ts';

const KEY = objectKey('Deployment', 'default', 'web');

async function apply(w: World, ...objects: readonly KubeObject[]): Promise<void> {
  const results = await w.cache.write(objects.map((object) => ({ op: 'create', object })));
  assert.deepEqual(
    results.map((result) => result.ok),
    objects.map(() => true),
  );
}

function complete(w: World, image: string, replicas: number): boolean {
  const live = w.cache.get(KEY);
  const pods = w.cache.list('Pod', 'default');
  const ready = w.cache
    .list('EndpointSlice')
    .flatMap((slice) => slice.endpoints)
    .filter((endpoint) => endpoint.conditions.ready);
  return (
    live !== undefined &&
    objectHealth(live, w.cache).status === 'Healthy' &&
    live.metadata.generation === live.status?.observedGeneration &&
    pods.length === replicas &&
    pods.every((pod) => isActive(pod) && pod.spec.containers[0]?.image === image) &&
    ready.length === replicas
  );
}

/** Nothing is written any more: the version of every object stays while every object is looked at again. */
async function rests(w: World, seen: () => number): Promise<boolean> {
  // The first time round, what is under way is done: nobody waited for all of it.
  return (await looksAgain(w, seen)) || (await looksAgain(w, seen));
}

/** Whether nothing was written meanwhile. */
async function looksAgain(w: World, seen: () => number): Promise<boolean> {
  const versions = (): string =>
    JSON.stringify(
      w.cache
        .keys()
        .filter((key) => kindOfKey(key) !== 'Event')
        .map((key: ObjectKey) => w.cache.get(key)?.metadata.resourceVersion),
    );
  const before = versions();
  const passes = seen();
  let asked = 0;
  for (const controller of allControllers()) {
    const keys = w.cache.keys().filter((key) => parseKey(key).kind === controller.kind);
    await w.queue.addMany(queueOf(controller), keys);
    asked += keys.length;
  }
  while (seen() < passes + asked)
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  return versions() === before;
}

describe('the controllers in the runtime', () => {
  it('bring a Deployment up on the machines, roll it, scale it, take it down, and rest in between', async () => {
    const w = await world();
    const lane = new SchedulingLane({
      queue: w.queue,
      cache: w.cache,
      writer: w.writer,
      clock: w.clock,
      log: w.log,
    });
    try {
      startAgents(w);
      await apply(w, cluster(), machine('n1'), machine('n2'), machine('n3'));
      const manager = w.manager(allControllers());
      manager.start();
      lane.start();
      await w.until(
        () =>
          w.cache
            .list('Node')
            .filter(({ spec, status }) => conditionIsTrue(status?.conditions, 'Ready') && !spec.taints?.length)
            .length === 3,
        'three nodes that take pods',
      );
      await apply(w, service('web', { type: 'NodePort' }), deployment({ replicas: 6 }));
      await w.until(() => complete(w, 'app:v1', 6), 'six pods of v1');
      assert.equal(new Set(w.cache.list('Node').map((node) => node.spec.podCIDR)).size, 3);
      assert.deepEqual(
        w.cache.list('Node').map((node) => w.cache.podsOnNode(node.metadata.name).length),
        [2, 2, 2],
      );
      assert.equal(w.cache.get(objectKey('Namespace', undefined, 'default'))?.status?.phase, 'Active');
      const web = w.cache.get(objectKey('Service', 'default', 'web'));
      assert.match(web?.spec.clusterIP ?? '', /^10\.96\./);
      assert.ok((web?.spec.ports[0]?.nodePort ?? 0) >= 30000);

      const live = w.cache.get(KEY) ?? assert.fail();
      await w.cache.write([
        {
          op: 'update',
          object: { ...live, spec: { ...live.spec, replicas: 4, template: deployment({}, 'app:v2').spec.template } },
        },
      ]);
      await w.until(() => complete(w, 'app:v2', 4), 'four pods of v2');
      await w.until(
        () => findCondition(w.cache.get(KEY)?.status?.conditions, 'Progressing')?.reason === 'NewReplicaSetAvailable',
        'told so',
      );
      assert.ok(conditionIsTrue(w.cache.get(KEY)?.status?.conditions, 'Available'));
      assert.ok(await rests(w, () => manager.stats().passes), 'looking again writes nothing');

      await w.cache.write([
        { op: 'delete', key: KEY },
        { op: 'delete', key: objectKey('Service', 'default', 'web') },
      ]);
      await w.until(
        () =>
          ['Pod', 'ReplicaSet', 'EndpointSlice'].every((kind) =>
            w.cache.keys().every((key) => kindOfKey(key) !== kind),
          ),
        'all collected',
      );
      assert.deepEqual(
        w.log.lines.filter((line) => line.level !== 'info'),
        [],
      );
    } finally {
      await lane.close(0);
      await w.close();
    }
  });
});
