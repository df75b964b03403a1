/**
 * Several drains at once under the runtime as in production: passes at the same time, each on a view that others are
 * changing.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  conditionIsTrue,
  DRAIN_TAINT,
  keyOf,
  objectKey,
  PodDisruptionBudgetManifest,
  type PodDisruptionBudget,
  type StoredPod,
} from '../../../contracts/objects/index.ts';
import { nodeDrainController } from '../../../reconciler/controllers/node-drain.ts';
import { deploymentController } from '../../../reconciler/controllers/deployment.ts';
import { podDisruptionBudgetController } from '../../../reconciler/controllers/poddisruptionbudget.ts';
import { NodeMonitor } from '../../../reconciler/core/health/node-monitor.ts';
import { replicaSetController } from '../../../reconciler/controllers/replicaset.ts';
import { world, type World } from '../runtime/world.ts';
import { deployment, node, running } from './objects.ts';

const REPLICAS = 20;
const NEEDED = 18;
const NODES = ['n1', 'n2', 'n3', 'n4', 'n5'];

const going = (pod: StoredPod): boolean => pod.metadata.deletionTimestamp !== undefined;
const healthy = (w: World): number =>
  w.cache.list('Pod').filter((pod) => !going(pod) && conditionIsTrue(pod.status?.conditions, 'Ready')).length;
const left = (w: World): number => NODES.reduce((sum, name) => sum + w.cache.podsOnNode(name).length, 0);

/** Scheduler and agents in one: pods get a node, run, and are gone when they are to be. */
function agents(w: World, nodes: () => readonly string[]): { stop(): Promise<void> } {
  let next = 0;
  let stopped = false;
  async function work(): Promise<void> {
    while (!stopped) {
      for (const pod of w.cache.list('Pod')) {
        const name = nodes()[next++ % nodes().length] ?? '';
        if (going(pod)) await w.other.write([{ op: 'delete', key: keyOf(pod) }]);
        else if (pod.spec.nodeName === undefined)
          await w.other.write([{ op: 'update', object: { ...pod, spec: { ...pod.spec, nodeName: name } } }]);
        else if (!conditionIsTrue(pod.status?.conditions, 'Ready'))
          await w.other.write([{ op: 'updateStatus', object: running(pod, true) as StoredPod }]);
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }
  const done = work();
  return {
    async stop() {
      stopped = true;
      await done;
    },
  };
}

describe('drains at the same time', () => {
  it('together take no more than the budget allows', async () => {
    const w = await world();
    const budget: PodDisruptionBudget = PodDisruptionBudgetManifest.parse({
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: 'web', namespace: 'default' },
      spec: { minAvailable: NEEDED, selector: { matchLabels: { app: 'web' } } },
    });
    let usable: readonly string[] = NODES;
    const fleet = agents(w, () => usable);
    try {
      await w.cache.write([
        { op: 'create', object: deployment({ replicas: REPLICAS }) },
        { op: 'create', object: budget },
        ...NODES.map((name) => ({ op: 'create' as const, object: node(name) })),
      ]);
      w.manager(
        [
          deploymentController,
          replicaSetController(new NodeMonitor()),
          podDisruptionBudgetController,
          nodeDrainController,
        ],
        { concurrency: 8 },
      ).start();
      const budgetNow = () => w.cache.get(objectKey('PodDisruptionBudget', 'default', 'web'))?.status;
      await w.until(
        () => healthy(w) === REPLICAS && budgetNow()?.disruptionsAllowed === REPLICAS - NEEDED,
        'all run and are counted',
      );
      let least = REPLICAS;
      const unsubscribe = w.cache.subscribe((_type, object) => {
        if (object.kind === 'Pod') least = Math.min(least, healthy(w));
      });
      usable = ['n9'];
      for (const name of NODES) {
        const present = w.cache.get(objectKey('Node', undefined, name));
        assert.ok(present);
        await w.cache.write([
          {
            op: 'update',
            object: { ...present, spec: { unschedulable: true, taints: [{ key: DRAIN_TAINT, effect: 'NoExecute' }] } },
          },
        ]);
      }
      await w.until(() => left(w) === 0, 'all are drained');
      await w.until(
        () =>
          NODES.every((name) =>
            conditionIsTrue(w.cache.get(objectKey('Node', undefined, name))?.status?.conditions, 'Drained'),
          ),
        'all say so',
      );
      unsubscribe();
      assert.equal(least, NEEDED, 'the budget was used, and kept');
      assert.deepEqual(w.log.lines, []);
    } finally {
      await fleet.stop();
      await w.close();
    }
  });
});
