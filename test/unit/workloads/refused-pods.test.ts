/** Pods that a quota has no room for: who tells it, and that they come when there is room. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  findCondition,
  objectKey,
  ResourceQuotaManifest,
  StatefulSetManifest,
  type Condition,
  type KubeObject,
  type StoredDeployment,
} from '../../../contracts/objects/index.ts';
import { deploymentController } from '../../../reconciler/controllers/deployment.ts';
import { replicaSetController } from '../../../reconciler/controllers/replicaset.ts';
import { resourceQuotaController } from '../../../reconciler/controllers/resourcequota.ts';
import { statefulSetController } from '../../../reconciler/controllers/statefulset.ts';
import { NodeMonitor } from '../../../reconciler/core/health/node-monitor.ts';
import { deploymentHealth } from '../../../reconciler/core/health/workloads.ts';
import { deployment } from '../controllers/objects.ts';
import { world, type World } from '../runtime/world.ts';

const WEB = objectKey('Deployment', 'default', 'web');
const QUOTA = objectKey('ResourceQuota', 'default', 'q');
const quota = (hard: object): KubeObject =>
  ResourceQuotaManifest.parse({
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata: { name: 'q', namespace: 'default' },
    spec: { hard },
  });

async function inWorld(objects: readonly KubeObject[], body: (w: World) => Promise<void>): Promise<void> {
  const w = await world();
  try {
    await w.cache.write(objects.map((object) => ({ op: 'create', object })));
    w.manager([
      deploymentController,
      replicaSetController(new NodeMonitor()),
      statefulSetController,
      resourceQuotaController,
    ]).start();
    await body(w);
  } finally {
    await w.close();
  }
}

const pods = (w: World): number => w.cache.list('Pod').length;
const web = (w: World): StoredDeployment => w.cache.get(WEB) ?? assert.fail('no deployment');
const failure = (w: World): Condition | undefined => findCondition(web(w).status?.conditions, 'ReplicaFailure');

describe('pods that a quota has no room for', () => {
  it('are told as ReplicaFailure, and made as soon as there is room', () =>
    inWorld([quota({ pods: 2 }), deployment({ replicas: 3 })], async (w) => {
      await w.until(() => pods(w) === 2 && failure(w) !== undefined, 'two pods, and the condition');
      assert.deepEqual(
        [failure(w)?.status, failure(w)?.reason, failure(w)?.message],
        ['True', 'FailedCreate', 'exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2'],
      );
      const health = deploymentHealth(web(w), w.cache);
      assert.deepEqual([health.status, health.message.includes('exceeded quota: q')], ['Degraded', true]);
      await w.until(
        () =>
          w.cache.list('Event').some(({ reason, message }) => reason === 'FailedCreate' && /exceeded/.test(message)),
        'the event',
      );
      const [made] = [w.cache.get(QUOTA) ?? assert.fail('no quota')];
      await w.writer.submit([{ do: 'update', object: { ...made, spec: { hard: { pods: '3' } } } }], 'test', w.signal);
      await w.until(() => pods(w) === 3 && failure(w) === undefined, 'the third pod, and no condition');
      await w.until(() => w.cache.get(QUOTA)?.status?.used['pods'] === '3', 'the count');
      assert.equal(w.cache.get(QUOTA)?.status?.booked, undefined);
    }));

  it('come when another pod has gone', () =>
    inWorld([quota({ pods: 1 }), deployment({ replicas: 2 })], async (w) => {
      await w.until(() => pods(w) === 1 && failure(w) !== undefined, 'one pod');
      const [first] = w.cache.list('Pod');
      await w.writer.submit(
        [
          {
            do: 'delete',
            key: objectKey('Pod', 'default', first?.metadata.name ?? ''),
            uid: first?.metadata.uid ?? '',
          },
        ],
        'test',
        w.signal,
      );
      await w.until(
        () => pods(w) === 1 && w.cache.list('Pod')[0]?.metadata.uid !== first?.metadata.uid,
        'the next one',
      );
    }));

  it('that do not say what they take are refused whole', () =>
    inWorld([quota({ 'limits.memory': '1Gi' }), deployment({ replicas: 1 })], async (w) => {
      await w.until(() => failure(w) !== undefined, 'the condition');
      assert.equal(failure(w)?.message, 'failed quota: q: must specify limits.memory for: app');
      assert.equal(pods(w), 0);
    }));

  it('of a StatefulSet are told as an event', () => {
    const set = StatefulSetManifest.parse({
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: { name: 'db', namespace: 'default' },
      spec: {
        serviceName: 'db',
        selector: { matchLabels: { app: 'db' } },
        template: { metadata: { labels: { app: 'db' } }, spec: { containers: [{ name: 'c', image: 'x' }] } },
      },
    });
    return inWorld([quota({ pods: 0 }), set], async (w) => {
      await w.until(
        () =>
          w.cache
            .list('Event')
            .some(
              ({ reason, involvedObject, message }) =>
                reason === 'FailedCreate' && involvedObject.kind === 'StatefulSet' && /exceeded quota/.test(message),
            ),
        'the event',
      );
    });
  });
});
